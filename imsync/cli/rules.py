"""`im integration field-ownership`: who owns which field."""

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import FIELD, NAME, SIDE, command
from imsync.cli.output import Output
from imsync.cli.plan import asked, changed, rehearsable
from imsync.cli.table import Table, cell, facts

SHOWN = ("field", "owner", "priority", "strict", "default")


@command("list")
@click.argument("integration", type=NAME)
async def list_rules(daemon: Daemon, /, integration: str) -> Output:
    """List who owns each field, and which of it is the default.

    \b
    im integration field-ownership list prod-pd
    """
    found = await daemon.get("integrations", integration, "field-ownership")
    rows = [[cell(rule.get(name)) for name in SHOWN] for rule in found["items"]]
    return Output(found, [Table(list(SHOWN), rows)])


@command("set")
@click.argument("integration", type=NAME)
@click.argument("field", type=FIELD)
@click.option("--owner", type=SIDE, required=True, help="Whose value wins when both change.")
@click.option("--priority", type=int, default=0, help="Above the rules of other integrations.")
@click.option("--strict", is_flag=True, help="Put back what the other side edits alone.")
@rehearsable
async def set_rule(
    daemon: Daemon,
    /,
    integration: str,
    field: str,
    owner: str,
    priority: int,
    strict: bool,
    dry_run: bool,
    plan: str | None,
) -> Output:
    """Say who owns a field.

    \b
    im integration field-ownership set prod-pd title --owner platform --priority 10
    im integration field-ownership set prod-pd title --owner platform --strict --dry-run
    """
    body = {"owner": owner, "priority": priority, "strict": strict}
    query = asked(dry_run=dry_run, plan=plan)
    path = ("integrations", integration, "field-ownership", field)
    return changed(await daemon.put(*path, body=body, query=query), describe)


@command("delete")
@click.argument("integration", type=NAME)
@click.argument("field", type=FIELD)
@rehearsable
async def delete_rule(
    daemon: Daemon, /, integration: str, field: str, dry_run: bool, plan: str | None
) -> Output:
    """Let a field's default owner have it again.

    \b
    im integration field-ownership delete prod-pd title
    """
    query = asked(dry_run=dry_run, plan=plan)
    path = ("integrations", integration, "field-ownership", field)
    return changed(await daemon.delete(*path, query=query), describe)


def describe(rule: Json) -> Output:
    return Output(rule, [facts(rule, *SHOWN)])
