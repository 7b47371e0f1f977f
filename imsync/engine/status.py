"""Is it in sync? What people ask of an integration, gathered in one look."""

from collections.abc import Sequence
from typing import Any

from imsync.connectors import TRANSLATIONS
from imsync.core.fields import Field, Instant
from imsync.core.merge import Verdict
from imsync.engine import subscription
from imsync.store import conflicts, dead_letters, inbox, integrations, journal, links, outbox
from imsync.store.database import Connection
from imsync.store.integrations import Integration

_LAGS = 1_000


def sync_status(conn: Connection, integration: Integration, *, now: Instant) -> dict[str, Any]:
    """How an integration is doing. Times in ms since 1970; lags in ms over the last edits."""
    owed, oldest = outbox.pending(conn, integration.id)
    blocked = links.count_blocked(conn, integration.id)
    pending_conflicts = conflicts.count_pending(conn, integration.id)
    dead = dead_letters.count(conn, integration.id)
    rules = integrations.rules(conn, integration.id)
    observed = TRANSLATIONS[integration.integration_type].observed
    problems = [
        *_problems(integration, oldest=oldest, dead=dead, now=now),
        *subscription.problems(conn, integration),
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
        "pending_inbound": inbox.count_pending(conn, integration.id),
        "oldest_pending_at": oldest,
        "fields": [
            {"field": field, "owner": rules[field].owner, "observed": observed[field]}
            for field in Field
        ],
        "lag": {
            "inbound": _lag(journal.lags(conn, integration.id, verdict=Verdict.ADOPT, last=_LAGS)),
            "outbound": _lag(
                journal.lags(conn, integration.id, verdict=journal.CONFIRMED, last=_LAGS)
            ),
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


_LONG = 120_000
"""Owed for longer than this (ms): something is in the way."""


def _problems(
    integration: Integration, *, oldest: Instant | None, dead: int, now: Instant
) -> list[str]:
    slug = integration.slug
    problems = []
    if because := integration.suspended_because:
        problems.append(f"suspended: {because}; mend it, then `im integration test {slug}`")
    if integration.enabled and integration.token is None:
        problems.append(f"no token: `im integration configure {slug} --token-file FILE`")
    if oldest is not None and now - oldest > _LONG:
        problems.append(f"an edit has been waiting for {(now - oldest) // 1000} s to be sent")
    if dead:
        problems.append(f"{dead} dead letters: `im integration dlq {slug}`")
    return problems


def _lag(sorted_ms: Sequence[int]) -> dict[str, int | None]:
    """Nearest-rank percentiles."""
    count = len(sorted_ms)

    def at(share: float) -> int | None:
        return sorted_ms[min(count - 1, int(count * share))] if count else None

    return {"count": count, "p50_ms": at(0.5), "p99_ms": at(0.99)}
