"""`im integration test|sync-status|links`: is it in step, and does it work?"""

from collections.abc import Mapping
from typing import Any

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, Word, command, limit
from imsync.cli.output import DONE, UNHEALTHY, Output, how_many
from imsync.cli.table import Block, Facts, Table, ago, cell, facts, table
from imsync.cli.working import working
from imsync.harmless import harmless


@command("test")
@click.argument("integration", type=NAME)
async def test(daemon: Daemon, /, integration: str) -> Output:
    """Try an integration: its token, its rights, its webhooks. Exits 5 if something is amiss.

    \b
    im integration test prod-pd
    """
    async with working(f"testing {integration}"):
        found = await daemon.post("integrations", integration, "test")
    checks = _things(found.get("checks"))
    rows = [
        ["ok" if check.get("ok") else "FAILED", cell(check.get("name")), cell(check.get("detail"))]
        for check in checks
    ]
    hints = dict.fromkeys(harmless(f"hint: {one['hint']}") for one in checks if one.get("hint"))
    return Output(
        found,
        [Table(["result", "check", "detail"], rows), "\n".join(hints), verdict(found)],
        status=DONE if is_healthy(found) else UNHEALTHY,
    )


@command("sync-status")
@click.argument("integration", type=NAME)
async def sync_status(daemon: Daemon, /, integration: str) -> Output:
    """Show whether an integration is in step. Exits 5 if something is amiss.

    \b
    im integration sync-status prod-pd
    """
    found = await daemon.get("integrations", integration, "sync-status")
    text: list[Block] = [
        counts(found, "integration", "state", "sync_direction", "conflict_strategy"),
        table(_things(found.get("fields")), "field", "owner", "observed"),
        lags(found.get("lag")),
        problems(found),
        verdict(found),
    ]
    return Output(found, text, status=DONE if is_healthy(found) else UNHEALTHY)


@command("links")
@click.argument("integration", type=NAME)
@click.option("--incident", type=NAME, help="Only that of this incident.")
@click.option(
    "--external", "external_id", type=NAME, metavar="ID", help="Only that of this one there."
)
@click.option("--state", type=Word("creating", "linked", "gone"), help="Only those.")
@click.option(
    "--field-state",
    type=Word("pending", "held", "blocked"),
    help="Only with a field that is on its way, waits for a person, or cannot cross.",
)
@limit
async def links(daemon: Daemon, /, integration: str, limit: int, **filters: str | None) -> Output:
    """List which incident is which, and what of it is not in step.

    \b
    im integration links prod-pd
    im integration links prod-pd --field-state blocked
    im integration links prod-pd --external Q1ABCDEFGH
    """
    found = await daemon.items("integrations", integration, "links", limit=limit, **filters)
    rows = [
        [
            cell(link.get("incident")),
            cell(link.get("external_id")),
            cell(link.get("state")),
            ago(link.get("last_confirmed_at")),
            apart(link.get("fields")),
        ]
        for link in _things(found["items"])
    ]
    return Output(
        found,
        [Table(["incident", "external id", "state", "confirmed", "not in step"], rows)],
        note=how_many(found, "links"),
    )


def counts(found: Json, *before: str) -> Facts:
    """How much is linked, on its way and not well, and what was heard when; after `before`."""
    return facts(
        {**found, **_if_any(found), "rate_limit": limit_left(found.get("limit"))},
        *before,
        *("links", "pending", "oldest_pending_at", "conflicts", "blocked", "dead_letters"),
        *("drift_healed", "taken_in", "left_out", "last_delivery_at", "last_sweep_at"),
        "rate_limit",
    )


def problems(found: Json) -> str:
    return "\n".join(harmless(f"problem: {one}") for one in found.get("problems") or [])


def _if_any(found: Json) -> Json:
    """What was open there before, and what fits no service mapping: where there is any of it."""
    told = {}
    taken = found.get("import")
    if isinstance(taken, Mapping) and taken.get("scope") not in (None, "none"):
        told["taken_in"] = f"{cell(taken.get('linked'))} of {cell(taken.get('open_there'))} open"
    if found.get("left_alone"):
        told["left_out"] = f"{cell(found['left_alone'])}, of services that are not mapped"
    return told


def is_healthy(found: Json) -> bool:
    """What the daemon says of itself; if it says nothing, whether it names a problem."""
    return bool(found.get("healthy", not found.get("problems")))


def verdict(found: Json) -> str:
    name = cell(found.get("integration"))
    return f"{name} is healthy" if is_healthy(found) else f"{name} is not healthy"


def limit_left(limit: Any) -> str:
    """What is left of the rate limit, in a line."""
    if not isinstance(limit, Mapping):
        return cell(limit)
    left = f"{cell(limit.get('remaining'))} of {cell(limit.get('limit'))} left"
    reset = limit.get("reset_s")
    return left if reset is None else f"{left}, again full in {cell(reset)} s"


def lags(lag: Any) -> Table:
    """How long a change took, each way."""
    ways = lag if isinstance(lag, Mapping) else {}
    rows = [
        [
            cell(way),
            cell(took.get("count")),
            took_ms(took.get("p50_ms")),
            took_ms(took.get("p99_ms")),
        ]
        for way, took in ways.items()
        if isinstance(took, Mapping)
    ]
    return Table(["lag", "changes", "p50", "p99"], rows)


def took_ms(milliseconds: Any) -> str:
    return f"{cell(milliseconds)} ms" if isinstance(milliseconds, int | float) else cell(None)


def apart(fields: Any) -> str:
    """The fields of a link that are not in step, and why those are not that cannot cross.

    Where all of them stand alike, as before it is created, that is said once.
    """
    if not isinstance(fields, Mapping):
        return cell(None)
    told = {name: _stands(field) for name, field in fields.items() if isinstance(field, Mapping)}
    if len(told) > 1 and len(set(told.values())) == 1:
        told = {"all": next(iter(told.values()))}
    return cell(", ".join(f"{name} ({said})" for name, said in told.items() if said))


def _stands(field: Mapping[str, Any]) -> str:
    """How a field stands that is not in step; nothing if it is."""
    state, because = field.get("state"), field.get("because")
    if state in (None, "in_sync"):
        return ""
    return f"{state}: {because}" if state == "blocked" and because else str(state)


def _things(values: Any) -> list[Mapping[str, Any]]:
    return [value for value in values or [] if isinstance(value, Mapping)]
