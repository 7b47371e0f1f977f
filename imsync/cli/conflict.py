"""`im conflict`: what both sides changed, differently."""

from collections.abc import Mapping
from typing import Any

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import CONFLICT_STATUS, NAME, SIDE, command, limit
from imsync.cli.output import Output, how_many
from imsync.cli.plan import asked, changed, rehearsable
from imsync.cli.table import Table, ago, cell, facts
from imsync.harmless import prose

SIDES = ("platform", "external")


@command("list")
@click.option("--integration", type=NAME)
@click.option("--status", type=CONFLICT_STATUS)
@click.option("--incident", type=NAME)
@limit
async def list_conflicts(daemon: Daemon, /, limit: int, **filters: str | None) -> Output:
    """List conflicts, with what each side says and which of them won.

    \b
    im conflict list --integration prod-pd --status pending
    """
    found = await daemon.items("conflicts", limit=limit, **filters)
    rows = [
        [
            *(cell(conflict.get(name)) for name in ("id", "incident", "field", "status")),
            *(value_of(conflict.get(side)) for side in SIDES),
            cell(conflict.get("winner")),
        ]
        for conflict in found["items"]
    ]
    return Output(
        found,
        [Table(["id", "incident", "field", "status", *SIDES, "winner"], rows, cut=True)],
        note=how_many(found, "conflicts"),
    )


@command("show")
@click.argument("conflict", type=NAME)
async def show(daemon: Daemon, /, conflict: str) -> Output:
    """Show a conflict: who said what, when, and what came of it.

    \b
    im conflict show cfl_1
    """
    return shown(await daemon.get("conflicts", conflict))


@command("resolve")
@click.argument("conflict", type=NAME)
@click.option("--use", type=SIDE, help="Whose value it shall be on both sides.")
@click.option("--value", help="Another value, for both sides.")
@rehearsable
async def resolve(
    daemon: Daemon,
    /,
    conflict: str,
    use: str | None,
    value: str | None,
    dry_run: bool,
    plan: str | None,
) -> Output:
    """Settle a pending conflict, with one side's value or another.

    \b
    im conflict resolve cfl_1 --use external
    im conflict resolve cfl_1 --value "Checkout is down"
    """
    if (use is None) == (value is None):
        raise click.UsageError("Say either --use or --value.")
    body = {"use": use} if use is not None else {"value": value}
    query = asked(dry_run=dry_run, plan=plan)
    found = await daemon.post("conflicts", conflict, "resolve", body=body, query=query)
    return changed(found, shown)


@command("ignore")
@click.argument("conflict", type=NAME)
@rehearsable
async def ignore(daemon: Daemon, /, conflict: str, dry_run: bool, plan: str | None) -> Output:
    """Let both sides keep what they have; the next edit of either goes on from there.

    \b
    im conflict ignore cfl_1
    """
    query = asked(dry_run=dry_run, plan=plan)
    return changed(await daemon.post("conflicts", conflict, "ignore", query=query), shown)


@command("restore")
@click.argument("conflict", type=NAME)
@click.option("--use", type=SIDE, help="Whose value, where both sides' lost.")
@rehearsable
async def restore(
    daemon: Daemon, /, conflict: str, use: str | None, dry_run: bool, plan: str | None
) -> Output:
    """Bring back the value that lost, as a fresh edit on both sides.

    \b
    im conflict restore cfl_1
    im conflict restore cfl_1 --use external
    """
    body = {"use": use} if use is not None else {}
    query = asked(dry_run=dry_run, plan=plan)
    found = await daemon.post("conflicts", conflict, "restore", body=body, query=query)
    return changed(found, shown)


def shown(found: Json) -> Output:
    """A conflict: its story, both sides, and what came of it."""
    return Output(
        found,
        [
            facts(
                {**found, **rule_of(found)},
                *("id", "integration", "incident", "field", "status", "strategy", "rule"),
            ),
            prose("\n".join(str(sentence) for sentence in found.get("story") or [])),
            sides(found),
            facts(found, "winner", "because", "resolved_by", "created_at", "resolved_at"),
        ],
    )


def sides(conflict: Json) -> Table:
    """Both edits and what the sides last agreed on."""
    rows = [["base", cell(conflict.get("base")), cell(None), cell(None)]]
    for side in SIDES:
        edit = conflict.get(side)
        edit = edit if isinstance(edit, Mapping) else {"value": edit}
        rows.append([side, value_of(edit), cell(edit.get("by")), ago(edit.get("at"))])
    return Table(["side", "value", "by", "when"], rows)


def rule_of(found: Json) -> Json:
    """Who owns the field, and what else is in force, in a line."""
    rule = found.get("rule")
    if not isinstance(rule, dict):
        return {}
    owns = f"{rule.get('owner')} owns it"
    if rule.get("strict"):
        owns += " strictly"
    if rule.get("priority"):
        owns += f" (priority {rule['priority']})"
    if rule.get("default"):
        owns += " by default"
    parts = [owns, rule.get("strategy"), rule.get("direction")]
    return {"rule": ", ".join(str(part) for part in parts if part is not None)}


def value_of(edit: Any) -> str:
    """An edit's value; an external one as it reads here, with what it is called there."""
    if not isinstance(edit, Mapping):
        return cell(edit)
    value, reads_as = edit.get("value"), edit.get("reads_as")
    if reads_as in (None, value):
        return cell(value)
    return f"{cell(reads_as)} ({cell(value)})"
