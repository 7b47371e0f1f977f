"""Events: what happened, in the order in which it was committed. Append-only.

They are written by the functions that keep the facts themselves (a line of a timeline, a
conflict, a dead letter), in the same transaction: there is no event of what was not kept,
and nothing is kept without its event. One connection writes, so a higher number was
committed later, and whoever has read up to a number has missed nothing before it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from sqlite3 import Row
from typing import Any, Final

from imsync.core.fields import Instant
from imsync.store.database import Connection

KEPT: Final = 100_000
"""How many events are kept at least; older ones are forgotten."""

_FORGET_EVERY: Final = 1_000

WINDOW: Final = 5_000
"""How many events one look goes through at most, however few of them pass the filters."""


class Type(StrEnum):
    """What happened. docs/events.md says what each carries."""

    DECLARED = "imsync.incident.declared"
    CHANGED = "imsync.incident.changed"
    NOTED = "imsync.incident.noted"
    ESCALATED = "imsync.incident.escalated"
    LINKED = "imsync.incident.linked"
    CONFIRMED = "imsync.write.confirmed"
    OPENED = "imsync.conflict.opened"
    UPDATED = "imsync.conflict.updated"
    DECIDED = "imsync.conflict.decided"
    BURIED = "imsync.dead_letter.created"
    RETRIED = "imsync.dead_letter.retried"
    DISCARDED = "imsync.dead_letter.discarded"
    CREATED = "imsync.integration.created"
    CONFIGURED = "imsync.integration.changed"
    DELETED = "imsync.integration.deleted"
    SUSPENDED = "imsync.integration.suspended"
    RESUMED = "imsync.integration.resumed"
    SUBSCRIBED = "imsync.subscription.installed"
    DISABLED = "imsync.subscription.disabled"
    ENABLED = "imsync.subscription.enabled"
    UNSUBSCRIBED = "imsync.subscription.deleted"
    REFUSED = "imsync.delivery.refused"
    HEALED = "imsync.drift.healed"
    STOPPED = "imsync.drift.stopped"
    RELEASED = "imsync.drift.released"


@dataclass(frozen=True, slots=True)
class Event:
    """`integration` is the slug of where it came from, or of whose it is; None: it was here."""

    id: int
    at: Instant
    type: str
    incident_id: int | None
    integration: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """Events that pass the filters. `read_to`: nothing up to that number has been left out.

    `missed`: but for what was forgotten before anybody had looked at it.
    """

    events: list[Event]
    read_to: int
    missed: bool


def append(
    conn: Connection,
    type_: Type,
    data: Mapping[str, object],
    *,
    at: Instant,
    incident_id: int | None = None,
    integration_id: str | None = None,
) -> None:
    """Add an event about an incident, an integration or both."""
    row = conn.execute(
        "INSERT INTO events (at, type, incident_id, integration_id, integration, data)"
        " VALUES (?, ?, ?, ?, (SELECT slug FROM integrations WHERE id = ?), ?) RETURNING id",
        (at, type_, incident_id, integration_id, integration_id, json.dumps(data)),
    ).fetchone()
    if row["id"] % _FORGET_EVERY == 0:
        conn.execute("DELETE FROM events WHERE id <= ?", (row["id"] - KEPT,))


def append_of_link(
    conn: Connection, type_: Type, data: Mapping[str, object], *, at: Instant, link_id: int
) -> None:
    """Add an event about both ends of a link."""
    link = conn.execute(
        "SELECT incident_id, integration_id FROM links WHERE id = ?", (link_id,)
    ).fetchone()
    append(
        conn,
        type_,
        data,
        at=at,
        incident_id=link["incident_id"],
        integration_id=link["integration_id"],
    )


def append_setting(
    conn: Connection,
    integration_id: str,
    setting: str,
    old: object,
    new: object,
    *,
    at: Instant,
    by: str | None,
    secret: bool = False,
) -> None:
    """Add that an integration is configured otherwise, if it is. Of a `secret`, only that it is."""
    if old != new:
        old, new = (None, None) if secret else (old, new)
        told = {"by": by, "setting": setting, "old": old, "new": new}
        append(conn, Type.CONFIGURED, told, at=at, integration_id=integration_id)


def settings_after(conn: Connection, number: int) -> list[Mapping[str, Any]]:
    """What was configured otherwise after the event with that number, as it was appended."""
    rows = conn.execute(
        "SELECT data FROM events WHERE id > ? AND type = ? ORDER BY id", (number, Type.CONFIGURED)
    )
    return [json.loads(row["data"]) for row in rows]


def span(conn: Connection) -> tuple[int, int]:
    """The number before the oldest event that is kept, and that of the newest."""
    # Two questions: asked as one, SQLite would go through all of them.
    row = conn.execute(
        "SELECT COALESCE((SELECT MIN(id) FROM events) - 1, 0),"
        " COALESCE((SELECT MAX(id) FROM events), 0)"
    ).fetchone()
    return int(row[0]), int(row[1])


def after(
    conn: Connection,
    number: int,
    *,
    integration_id: str | None = None,
    incident_id: int | None = None,
    limit: int,
) -> Look:
    """The events after that number, oldest first, that pass every filter given.

    `integration_id`: what came from it or is its own, and what happens to an incident that
    is linked there. At most `limit` events, found among the next WINDOW.
    """
    before, newest = span(conn)
    end = min(number + WINDOW, newest)
    where, values = ["e.id > ?", "e.id <= ?"], list[object]([number, end])
    if integration_id is not None:
        where.append(
            "(e.integration_id = ? OR e.type LIKE 'imsync.incident.%' AND EXISTS"
            " (SELECT 1 FROM links l WHERE l.incident_id = e.incident_id AND l.integration_id = ?"
            " AND l.state != 'unlinked'))"
        )
        values += [integration_id, integration_id]
    if incident_id is not None:
        where.append("e.incident_id = ?")
        values.append(incident_id)
    rows = conn.execute(
        f"SELECT * FROM events e WHERE {' AND '.join(where)} ORDER BY e.id LIMIT ?",
        (*values, limit),
    ).fetchall()
    found = [_event(row) for row in rows]
    read_to = found[-1].id if len(found) == limit else max(number, end)
    return Look(found, read_to, missed=number < before)


def _event(row: Row) -> Event:
    return Event(
        id=row["id"],
        at=row["at"],
        type=row["type"],
        incident_id=row["incident_id"],
        integration=row["integration"],
        data=json.loads(row["data"]),
    )
