"""`im integration field-ownership`: who owns which field."""

import asyncclick as click

from imsync.cli.client import Daemon
from imsync.cli.options import FIELD, NAME, SIDE, command
from imsync.cli.output import Output
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
async def set_rule(
    daemon: Daemon, /, integration: str, field: str, owner: str, priority: int, strict: bool
) -> Output:
    """Say who owns a field.

    \b
    im integration field-ownership set prod-pd title --owner platform --priority 10
    """
    body = {"owner": owner, "priority": priority, "strict": strict}
    found = await daemon.put("integrations", integration, "field-ownership", field, body=body)
    return Output(found, [facts(found, *SHOWN)])


@command("delete")
@click.argument("integration", type=NAME)
@click.argument("field", type=FIELD)
async def delete_rule(daemon: Daemon, /, integration: str, field: str) -> Output:
    """Let a field's default owner have it again.

    \b
    im integration field-ownership delete prod-pd title
    """
    found = await daemon.delete("integrations", integration, "field-ownership", field)
    return Output(found, [facts(found, *SHOWN)])
