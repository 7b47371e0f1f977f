"""Is it in sync? What people ask of an integration, gathered in one look."""

from collections.abc import Iterator
from typing import Any

from imsync.connectors import TRANSLATIONS
from imsync.core import lag
from imsync.core.fields import Field, Instant, Side
from imsync.core.merge import Verdict
from imsync.engine import subscription
from imsync.engine.account import Trouble
from imsync.store import (
    conflicts,
    dead_letters,
    drift,
    inbox,
    integrations,
    journal,
    links,
    outbox,
    services,
)
from imsync.store.database import Connection
from imsync.store.drift import Brake
from imsync.store.integrations import Integration

_LAGS = 1_000
"""So many edits tell how long they take, each way."""

_LONG = 120_000
"""Owed for longer than this (ms): something is in the way."""


_RECENT = 600_000
"""A bug that has not shown for so long (ms) is none of today's problems."""


def sync_status(
    conn: Connection,
    integration: Integration,
    *,
    trouble: Trouble | None,
    bug: Trouble | None = None,
    now: Instant,
) -> dict[str, Any]:
    """How an integration is doing. Times in ms since 1970; lags in ms over the last edits.

    `trouble`: the other side has not answered since then. `bug`: what a loop failed with last.
    """
    owed, oldest = outbox.pending(conn, integration.id)
    blocked = links.count_blocked(conn, integration.id)
    pending_conflicts = conflicts.count_pending(conn, integration.id)
    dead = dead_letters.count(conn, integration.id)
    rules = integrations.rules(conn, integration.id)
    observed = TRANSLATIONS[integration.integration_type].observed
    out = integration.sync_direction.lets(Side.PLATFORM)
    waiting = len(links.waiting(conn, integration.id)) if out else 0
    problems = [
        *_bugs(bug, now=now),
        *_ours(integration, waiting=waiting),
        *_theirs(integration, trouble, oldest=oldest, now=now),
        *subscription.problems(conn, integration),
        *_for_people(
            integration,
            conflicts=pending_conflicts,
            dead=dead,
            braked=drift.braked(conn, integration.id),
        ),
    ]
    return {
        "integration": integration.slug,
        "state": integration.state,
        "healthy": not problems,
        "problems": problems,
        "sync_direction": integration.sync_direction,
        "conflict_strategy": integration.conflict_strategy,
        "links": links.count(conn, integration.id),
        "pending": owed,
        "waiting_for_a_service": waiting,
        "import": {
            "scope": integration.import_open,
            "open_there": integration.open_there,
            "linked": len(links.believed_open(conn, integration.id)),
        },
        "left_alone": services.count_left_alone(conn, integration.id),
        "pending_inbound": inbox.count_pending(conn, integration.id),
        "oldest_pending_at": oldest,
        "fields": [
            {"field": field, "owner": rules[field].owner, "observed": observed[field]}
            for field in Field
        ],
        "lag": {
            way: lag.summary(journal.lags(conn, integration.id, verdict=verdict, last=_LAGS))
            for way, verdict in (("inbound", Verdict.ADOPT), ("outbound", journal.CONFIRMED))
        },
        "last_delivery_at": integration.last_delivery_at,
        "last_sweep_at": integration.last_sweep_at,
        "refused_signatures": integration.refused_signatures,
        "clock_offset_ms": integration.clock_offset,
        "conflicts": pending_conflicts,
        "blocked": blocked,
        "dead_letters": dead,
        "drift_healed": integration.drift_healed,
    }


def _bugs(bug: Trouble | None, *, now: Instant) -> Iterator[str]:
    """What goes wrong by our own fault, for as long as it may do so again."""
    if bug is not None and now - bug.since < _RECENT:
        yield f"a bug in imsync ({bug.message}) holds it up: see the daemon's log, and report it"


def _ours(integration: Integration, *, waiting: int) -> Iterator[str]:
    """What is missing in how it is configured."""
    slug = integration.slug
    if integration.enabled and integration.token is None:
        yield f"no token: `im integration configure {slug} --token-file FILE`"
    if waiting:
        what = "incident waits" if waiting == 1 else "incidents wait"
        hint = f"`im integration configure {slug} --default-service ID`"
        yield f"{waiting} {what} for a service to be created in: {hint}"


def _theirs(
    integration: Integration, trouble: Trouble | None, *, oldest: Instant | None, now: Instant
) -> Iterator[str]:
    """What the other side does not do."""
    if because := integration.suspended_because:
        hint = f"mend it, then `im integration test {integration.slug}`"
        yield f"suspended: {because}; {hint}"
    if trouble is not None:
        yield f"no good answer for {(now - trouble.since) // 1000} s: {trouble.message}"
    if oldest is not None and now - oldest > _LONG:
        yield f"an edit has been waiting for {(now - oldest) // 1000} s to be sent"


def _for_people(
    integration: Integration, *, conflicts: int, dead: int, braked: Brake | None
) -> Iterator[str]:
    """What only a person can go on with."""
    slug = integration.slug
    if braked:
        would = f"{braked.would_change} of {braked.met} incidents"
        yield f"a sweep was stopped: it would change {would}: `im integration drift {slug}`"
    if conflicts:
        what = "conflict waits" if conflicts == 1 else "conflicts wait"
        hint = f"`im conflict list --integration {slug} --status pending`"
        yield f"{conflicts} {what} for a person: {hint}"
    if dead:
        what = "dead letter" if dead == 1 else "dead letters"
        yield f"{dead} {what}: `im integration dlq {slug}`"
