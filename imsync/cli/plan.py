"""`im plan`, and what `--dry-run` and `--plan` mean for every command that changes rules."""

from collections.abc import Callable
from typing import Any

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, command
from imsync.cli.output import Output
from imsync.cli.table import Block, Table, cell, table
from imsync.harmless import harmless


@command("plan")
@click.argument("integration", type=NAME)
async def plan(daemon: Daemon, /, integration: str) -> Output:
    """Show what an integration would do now: its requests, before and after, and their cost.

    \b
    im plan prod-pd
    """
    found = await daemon.get("integrations", integration, "plan")
    return Output(found, blocks(found) or ["nothing is owed"])


def rehearsable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--dry-run` and `--plan`, which it hands on as the query."""
    dry_run = click.option(
        "--dry-run", is_flag=True, help="Only show what it would lead to, and change nothing."
    )
    expected = click.option(
        "--plan", metavar="ID", help="Do it only if it leads to what a dry run showed as this."
    )
    return dry_run(expected(function))


def asked(*, dry_run: bool, plan: str | None) -> Json:
    """The query that says how a change is meant."""
    if dry_run and plan is not None:
        raise click.UsageError("--dry-run shows a plan, --plan carries one out: say one of them.")
    return {"dry_run": "true" if dry_run else None, "plan": plan}


def changed(found: Json, describe: Callable[[Json], Output], *, again: str = "") -> Output:
    """The thing as it now is and what the change leads to; of a dry run, that alone."""
    if found.get("dry_run") is True:
        if not (shown := blocks(found)):
            return Output(found, ["it would change nothing"])
        return Output(found, [*shown, f"to do just this: the same with --plan {found['plan']}"])
    output = describe({name: value for name, value in found.items() if name != "effect"})
    effect = found.get("effect")
    led_to = blocks(effect) if isinstance(effect, dict) else []
    more: list[Block] = ["what it leads to:", *led_to] if led_to else []
    return Output(found, [*output.text, *more], note=output.note or again, status=output.status)


def blocks(found: Json) -> list[Block]:
    """A plan: the requests, what changes here, conflicts, what is not sent, and the cost."""
    calls = [
        [
            cell(change.get("incident")),
            cell(change.get("field")),
            cell(change.get("before")),
            cell(change.get("after")),
            harmless(f"{call.get('method')} {call.get('path')}"),
            cell(call.get("as")),
        ]
        for call in found.get("calls") or []
        for change in call.get("changes") or []
    ]
    conflicts = [
        [
            cell(one.get("incident")),
            cell(one.get("field")),
            cell((one.get("platform") or {}).get("value")),
            cell((one.get("external") or {}).get("value")),
            f"{one['winner']} wins" if one.get("winner") else cell(one.get("status")),
            cell(one.get("because")),
        ]
        for name in ("conflicts", "ended")
        for one in found.get(name) or []
    ]
    shown: list[Block] = [
        Table(["incident", "field", "there", "becomes", "call", "as"], calls),
        table(_here(found), "incident", "field", "here", "becomes"),
        Table(["incident", "conflict", "here", "there", "outcome", "because"], conflicts),
        table(found.get("not_sent") or [], "incident", "field", "because"),
    ]
    if not any(isinstance(block, Table) and block.rows for block in shown):
        return []
    return [*shown, cost(found.get("cost"))]


def _here(found: Json) -> list[Json]:
    return [
        {**one, "here": one.get("before"), "becomes": one.get("after")}
        for one in found.get("adopted") or []
    ]


def cost(found: Any) -> str:
    if not isinstance(found, dict):
        return ""
    requests = found.get("requests")
    if requests == 0:
        return "no requests"
    what = "request" if requests == 1 else "requests"
    return (
        f"{cell(requests)} {what}, of {cell(found.get('rate_limit'))} a minute:"
        f" at least {cell(found.get('seconds'))} s"
    )
