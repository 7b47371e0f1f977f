"""`im integration map`: what our severities and statuses are called there."""

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, SEVERITY, STATUS, Word, command
from imsync.cli.output import Output
from imsync.cli.plan import asked, changed, rehearsable
from imsync.cli.table import Block, Table, cell

MAP = Word("urgency", "priority", "status")
OURS = {word.casefold(): word for word in (*SEVERITY.choices, *STATUS.choices)}
OFF = "off"


@command("list")
@click.argument("integration", type=NAME)
async def list_maps(daemon: Daemon, /, integration: str) -> Output:
    """List what is written as what there, and what is read as what here.

    \b
    im integration map list prod-pd
    """
    found = await daemon.get("integrations", integration, "maps")
    return Output(found, [block for one in found["items"] for block in shown(one)])


@command("set")
@click.argument("integration", type=NAME)
@click.argument("map", type=MAP)
@click.argument("pairs", nargs=-1, required=True, metavar="FROM=TO...")
@rehearsable
async def set_map(
    daemon: Daemon,
    /,
    integration: str,
    map: str,  # noqa: A002 - what the command line calls it
    pairs: tuple[str, ...],
    dry_run: bool,
    plan: str | None,
) -> Output:
    """Say what is called what, where it differs from imsync's own map.

    A pair that begins with a value of ours says what it is written as there; any
    other says what a value there reads as here. Pairs that were set before and are
    not named now are dropped. `priority off` leaves priorities alone.

    \b
    im integration map set prod-pd urgency SEV-3=high low=SEV-4
    im integration map set prod-pd priority SEV-1=Critical SEV-2=Major SEV-3=Minor SEV-4=Minor
    im integration map set prod-pd priority off
    """
    body = parsed(map, pairs)
    query = asked(dry_run=dry_run, plan=plan)
    found = await daemon.put("integrations", integration, "maps", map, body=body, query=query)
    return changed(found, describe)


@command("delete")
@click.argument("integration", type=NAME)
@click.argument("map", type=MAP)
@rehearsable
async def delete_map(
    daemon: Daemon,
    /,
    integration: str,
    map: str,  # noqa: A002 - what the command line calls it
    dry_run: bool,
    plan: str | None,
) -> Output:
    """Let imsync's own map hold again.

    \b
    im integration map delete prod-pd urgency
    """
    query = asked(dry_run=dry_run, plan=plan)
    return changed(
        await daemon.delete("integrations", integration, "maps", map, query=query), describe
    )


def parsed(name: str, pairs: tuple[str, ...]) -> Json:
    """FROM=TO pairs, sorted by which side each begins on."""
    if name == "priority" and pairs == (OFF,):
        return {"out": dict.fromkeys(SEVERITY.choices, "none"), "in": {}}
    body: Json = {"out": {}, "in": {}}
    for pair in pairs:
        value, equals, becomes = pair.partition("=")
        if not equals or not value.strip() or not becomes.strip():
            raise click.UsageError(f"{pair!r} is not a pair, such as SEV-1=high or high=SEV-1.")
        ours = OURS.get(value.strip().casefold())
        body["out" if ours else "in"][ours or value.strip()] = becomes.strip()
    return body


def describe(found: Json) -> Output:
    return Output(found, shown(found))


def shown(found: Json) -> list[Block]:
    name = f"{cell(found.get('map'))}{'' if found.get('default') else ' (set)'}"
    rows = [
        [cell(ours), "is written as", cell(there)]
        for ours, there in (found.get("out") or {}).items()
    ]
    rows += [
        [cell(there), "reads as", cell(ours)] for there, ours in (found.get("in") or {}).items()
    ]
    return [Table([name, "", ""], rows)]
