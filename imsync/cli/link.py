"""`im link` and `im unlink`: which incident there an incident is, said by a person."""

from collections.abc import Mapping

import asyncclick as click

from imsync.cli.ask import agreed
from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, command, yes
from imsync.cli.output import REFUSED, Output
from imsync.cli.plan import asked, changed, rehearsable
from imsync.cli.table import Block, Table, cell, facts
from imsync.cli.working import ASKING, working


@command("link")
@click.argument("incident", type=NAME)
@click.option("--integration", type=NAME, required=True, help="Where the other one stands.")
@click.option("--external", type=NAME, required=True, metavar="ID", help="Its id there.")
@rehearsable
async def link(
    daemon: Daemon,
    /,
    incident: str,
    integration: str,
    external: str,
    dry_run: bool,
    plan: str | None,
) -> Output:
    """Say that an incident is one that stands there already.

    The two are kept in step from now on. Fields that differ are decided as any conflict is;
    notes written before stay where they are.

    \b
    im link INC-1 --integration prod-pd --external Q1ABCDEFGH
    im link INC-1 --integration prod-pd --external Q1ABCDEFGH --dry-run
    """
    body = {"integration": integration, "external_id": external}
    query = asked(dry_run=dry_run, plan=plan)
    async with working(ASKING):
        found = await daemon.post("incidents", incident, "links", body=body, query=query)
    return changed(found, describe)


@command("unlink")
@click.argument("incident", type=NAME)
@click.option("--integration", type=NAME, required=True, help="Where it is linked.")
@yes
@rehearsable
async def unlink(
    daemon: Daemon,
    /,
    incident: str,
    integration: str,
    yes: bool,
    dry_run: bool,
    plan: str | None,
) -> Output:
    """Keep an incident in step no more. Both stay as they are; what is owed is forgotten.

    The other one is not taken in by itself again.

    \b
    im unlink INC-1 --integration prod-pd
    """
    question = f"Unlink {incident} in {integration}, and forget what is owed there?"
    if not dry_run and not agreed(question, yes=yes):
        return Output({"unlinked": False}, [], note="nothing unlinked", status=REFUSED)
    query = asked(dry_run=dry_run, plan=plan)
    return changed(
        await daemon.delete("incidents", incident, "links", integration, query=query), describe
    )


def describe(found: Json) -> Output:
    """A link as it now is, and what each of its fields stands at."""
    fields = found.get("fields")
    rows = [
        [
            cell(name),
            *(cell(field.get(one)) for one in ("platform", "external", "state", "because")),
        ]
        for name, field in (fields.items() if isinstance(fields, Mapping) else ())
        if isinstance(field, Mapping)
    ]
    text: list[Block] = [
        facts(found, "incident", "integration", "external_id", "external_url", "state"),
        Table(["field", "here", "there", "state", "because"], rows),
    ]
    return Output(found, text)
