"""The inbox: what the outside told us, kept before we answered.

    pending --mark--> done | dead
       ^---put_off---'

Nothing is applied twice: a delivery is marked in the transaction that applies it.
"""

from dataclasses import dataclass

from imsync.core.fields import Instant
from imsync.store.database import Connection


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    integration_id: str
    event_type: str | None
    external_id: str | None
    incident_key: str | None
    body: bytes
    received_at: Instant
    attempt: int


@dataclass(frozen=True, slots=True)
class Kept:
    body: bytes
    received_at: Instant


def put(
    conn: Connection,
    *,
    integration_id: str,
    delivery_id: str,
    event_id: str | None,
    event_type: str | None,
    external_id: str | None,
    incident_key: str | None,
    body: bytes,
    now: Instant,
) -> bool:
    """Keep a delivery. False if it was kept before, under this delivery id or this event id."""
    row = conn.execute(
        "INSERT INTO inbox (integration_id, delivery_id, event_id, event_type, external_id,"
        " incident_key, body, received_at, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING id",
        (
            integration_id,
            delivery_id,
            event_id,
            event_type,
            external_id,
            incident_key,
            body,
            now,
            now,
        ),
    ).fetchone()
    return row is not None


def take(conn: Connection, integration_id: str, *, now: Instant) -> Delivery | None:
    """The oldest delivery that may be applied now, counting the attempt.

    In order per incident: a delivery waits for earlier ones of its incident, and, while
    a write to that incident (or the creation that its key names) is under way or its
    outcome unknown, for what comes of it. Other incidents go on.
    """
    row = conn.execute(
        """
        UPDATE inbox SET attempt = attempt + 1
         WHERE id = (
            SELECT i.id FROM inbox i
             WHERE i.integration_id = :integration AND i.state = 'pending' AND i.due_at <= :now
               AND NOT EXISTS (
                   SELECT 1 FROM inbox e
                    WHERE e.integration_id = i.integration_id AND e.state = 'pending'
                      AND e.external_id = i.external_id AND e.id < i.id)
               AND NOT EXISTS (
                   SELECT 1 FROM links l
                    WHERE l.integration_id = i.integration_id
                      AND (l.external_id = i.external_id
                           OR l.state = 'creating'
                              AND (i.incident_key = 'imsync:INC-' || l.incident_id
                                   OR i.incident_key LIKE 'imsync:INC-' || l.incident_id || '@%'))
                      AND (EXISTS (SELECT 1 FROM outbox o
                                    WHERE o.link_id = l.id AND o.state = 'sending')
                           OR EXISTS (SELECT 1 FROM writes w
                                       WHERE w.link_id = l.id
                                         AND w.state IN ('sending', 'unknown'))))
             ORDER BY i.id LIMIT 1)
        RETURNING id, integration_id, event_type, external_id, incident_key, body, received_at,
                  attempt
        """,
        {"integration": integration_id, "now": now},
    ).fetchone()
    return Delivery(*row) if row else None


def last(conn: Connection) -> int:
    """The newest delivery's number; 0 before the first."""
    return int(conn.execute("SELECT COALESCE(MAX(id), 0) FROM inbox").fetchone()[0])


def about_nothing(conn: Connection, integration_id: str, *, after: int) -> list[Kept]:
    """The deliveries since that one which are about no incident, applied or not."""
    rows = conn.execute(
        "SELECT body, received_at FROM inbox"
        " WHERE integration_id = ? AND id > ? AND external_id IS NULL ORDER BY id",
        (integration_id, after),
    )
    return [Kept(*row) for row in rows]


def latest(conn: Connection, integration_id: str, *, last: int) -> list[Kept]:
    """The last so many deliveries, the newest first."""
    rows = conn.execute(
        "SELECT body, received_at FROM inbox WHERE integration_id = ? ORDER BY id DESC LIMIT ?",
        (integration_id, last),
    )
    return [Kept(*row) for row in rows]


def mark_done(conn: Connection, id_: int, outcome: str) -> None:
    conn.execute(
        "UPDATE inbox SET state = 'done', outcome = ? WHERE id = ? AND state = 'pending'",
        (outcome, id_),
    )


def mark_dead(conn: Connection, id_: int, outcome: str) -> None:
    conn.execute(
        "UPDATE inbox SET state = 'dead', outcome = ? WHERE id = ? AND state = 'pending'",
        (outcome, id_),
    )


def revive(conn: Connection, id_: int, *, now: Instant) -> None:
    """Let a dead delivery be tried anew."""
    conn.execute(
        "UPDATE inbox SET state = 'pending', outcome = NULL, attempt = 0, due_at = ?"
        " WHERE id = ? AND state = 'dead'",
        (now, id_),
    )


NOT_LINKED = "not linked"
"""What became of deliveries about an incident that was none of ours then."""


def tell_again(conn: Connection, integration_id: str, external_id: str, *, now: Instant) -> None:
    """The incident is ours by now: let what was told of it before be applied."""
    conn.execute(
        "UPDATE inbox SET state = 'pending', outcome = NULL, attempt = 0, due_at = ?"
        " WHERE integration_id = ? AND external_id = ?"
        f"   AND state = 'done' AND outcome = '{NOT_LINKED}'",
        (now, integration_id, external_id),
    )


def put_off(conn: Connection, id_: int, *, until: Instant) -> None:
    conn.execute("UPDATE inbox SET due_at = ? WHERE id = ? AND state = 'pending'", (until, id_))


def give_back(conn: Connection, id_: int, *, until: Instant) -> None:
    """As if it had not been tried: it is not what failed."""
    conn.execute(
        "UPDATE inbox SET due_at = ?, attempt = attempt - 1 WHERE id = ? AND state = 'pending'",
        (until, id_),
    )


def hurry(conn: Connection, integration_id: str, *, now: Instant) -> None:
    """What waits because it failed need not wait any longer."""
    conn.execute(
        "UPDATE inbox SET due_at = ?1"
        " WHERE integration_id = ?2 AND state = 'pending' AND due_at > ?1",
        (now, integration_id),
    )


def any_pending(conn: Connection, integration_id: str) -> bool:
    """Whether there are, however many: nobody counts a long backlog once for each of it."""
    row = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM inbox WHERE integration_id = ? AND state = 'pending')",
        (integration_id,),
    ).fetchone()
    return bool(row[0])


def count_pending(conn: Connection, integration_id: str) -> int:
    row = conn.execute(
        "SELECT COUNT(*) FROM inbox WHERE integration_id = ? AND state = 'pending'",
        (integration_id,),
    ).fetchone()
    return int(row[0])
