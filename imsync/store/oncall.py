"""Who is on call, as it was last asked: kept so that it is not asked again at once."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from imsync.core.fields import Instant
from imsync.store.database import Connection


class Of(StrEnum):
    """What somebody is on call for, as it was asked."""

    SCHEDULE = "schedule"
    ESCALATION_POLICY = "escalation_policy"


@dataclass(frozen=True, slots=True)
class Shift:
    """Somebody on call. Without `since` and `until`: always."""

    user: str
    email: str | None
    level: int
    escalation_policy: str
    schedule: str | None
    since: Instant | None
    until: Instant | None


@dataclass(frozen=True, slots=True)
class Roster:
    """An answer, as of then."""

    shifts: Sequence[Shift]
    checked_at: Instant


def get(conn: Connection, integration_id: str, of: Of, external_id: str) -> Roster | None:
    row = conn.execute(
        "SELECT answer, checked_at FROM oncall_cache"
        " WHERE integration_id = ? AND kind = ? AND external_id = ?",
        (integration_id, of, external_id),
    ).fetchone()
    if row is None:
        return None
    return Roster([Shift(**shift) for shift in json.loads(row["answer"])], row["checked_at"])


def put(conn: Connection, integration_id: str, of: Of, external_id: str, roster: Roster) -> None:
    """Keep an answer, in place of the one before; unless its integration is gone."""
    conn.execute(
        "INSERT INTO oncall_cache (integration_id, kind, external_id, answer, checked_at)"
        " SELECT :integration, :kind, :id, :answer, :at"
        " WHERE EXISTS (SELECT 1 FROM integrations WHERE id = :integration)"
        " ON CONFLICT (integration_id, kind, external_id)"
        " DO UPDATE SET answer = excluded.answer, checked_at = excluded.checked_at",
        {
            "integration": integration_id,
            "kind": of,
            "id": external_id,
            "answer": json.dumps([asdict(shift) for shift in roster.shifts]),
            "at": roster.checked_at,
        },
    )


def drop(conn: Connection, integration_id: str, of: Of, external_id: str) -> None:
    """It turned out that there is no such schedule, or no such policy."""
    conn.execute(
        "DELETE FROM oncall_cache WHERE integration_id = ? AND kind = ? AND external_id = ?",
        (integration_id, of, external_id),
    )


def clear(conn: Connection, integration_id: str) -> None:
    """Another account has other people."""
    conn.execute("DELETE FROM oncall_cache WHERE integration_id = ?", (integration_id,))
