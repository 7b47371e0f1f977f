"""Dead letters: what we gave up on, with the reason and what may mend it."""

from dataclasses import dataclass
from sqlite3 import Row

from imsync.core.fields import Instant
from imsync.errors import NotFound, Unavailable, Unknown
from imsync.store import events
from imsync.store.database import Connection


@dataclass(frozen=True, slots=True)
class DeadLetter:
    id: int
    integration_id: str
    integration: str  # its slug
    link_id: int | None
    inbox_id: int | None
    incident_id: int | None
    direction: str  # inbound | outbound
    field: str | None
    code: str
    message: str
    hint: str
    attempts: int
    body: str | None
    created_at: Instant

    @property
    def field_name(self) -> str | None:
        """The field, without which of the notes it was."""
        return self.field and self.field.partition(":")[0]


def public_id(id_: int) -> str:
    return f"dlq_{id_}"


def number_of(id_: str) -> int:
    """Raises NotFound for what is not the id of a dead letter."""
    head, _, tail = id_.partition("_")
    if head == "dlq" and tail.isascii() and tail.isdigit() and len(tail) < 16:
        return int(tail)
    raise NotFound(f"{id_!r} is not the id of a dead letter", hint="they look like dlq_1")


def bury(
    conn: Connection,
    *,
    integration_id: str,
    link_id: int | None = None,
    inbox_id: int | None = None,
    direction: str,
    field: str | None,
    code: str,
    message: str,
    hint: str,
    attempts: int,
    body: str | None,
    now: Instant,
) -> None:
    row = conn.execute(
        "INSERT INTO dead_letters (integration_id, link_id, inbox_id, direction, field, code,"
        " message, hint, attempts, body, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " RETURNING id",
        (
            integration_id,
            link_id,
            inbox_id,
            direction,
            field,
            code,
            message,
            hint,
            attempts,
            body,
            now,
        ),
    ).fetchone()
    letter = get(conn, row["id"])
    events.append(
        conn,
        events.Type.BURIED,
        {
            "dead_letter": public_id(letter.id),
            "direction": direction,
            "field": letter.field_name,
            "code": code,
            "message": message,
            "hint": hint,
            "attempts": attempts,
        },
        at=now,
        incident_id=letter.incident_id,
        integration_id=integration_id,
    )


def page(
    conn: Connection, integration_id: str, *, limit: int, before: int | None = None
) -> list[DeadLetter]:
    """The newest dead letters of an integration, older than number `before`."""
    rows = conn.execute(
        f"{_SELECT} WHERE d.integration_id = ? AND d.id < ? ORDER BY d.id DESC LIMIT ?",
        (integration_id, 2**62 if before is None else before, limit),
    )
    return [_dead_letter(row) for row in rows]


def of_creation(conn: Connection, link_id: int) -> DeadLetter | None:
    """The attempt to create the link's incident there, if that was given up on."""
    row = conn.execute(
        f"{_SELECT} WHERE d.link_id = ? AND d.direction = 'outbound' AND d.field IS NULL"
        " ORDER BY d.id DESC LIMIT 1",
        (link_id,),
    ).fetchone()
    return _dead_letter(row) if row else None


def unreached(conn: Connection, integration_id: str, *, since: Instant) -> list[int]:
    """What was given up on since then only because nobody answered."""
    rows = conn.execute(
        "SELECT id FROM dead_letters"
        " WHERE integration_id = ? AND code IN (?, ?) AND created_at >= ? ORDER BY id",
        (integration_id, Unavailable.code, Unknown.code, since),
    )
    return [row["id"] for row in rows]


def get(conn: Connection, id_: int) -> DeadLetter:
    """Raises NotFound."""
    row = conn.execute(f"{_SELECT} WHERE d.id = ?", (id_,)).fetchone()
    if row is None:
        raise NotFound(f"there is no dead letter {public_id(id_)}")
    return _dead_letter(row)


def discard(conn: Connection, id_: int, *, now: Instant, by: str | None = None) -> DeadLetter:
    """Let go of one; what it was. Raises NotFound."""
    return _end(conn, id_, events.Type.DISCARDED, now=now, by=by)


def retry(conn: Connection, id_: int, *, now: Instant, by: str | None = None) -> DeadLetter:
    """It is about to be tried again, and is dead no more; what it was. Raises NotFound."""
    return _end(conn, id_, events.Type.RETRIED, now=now, by=by)


def discard_outbound(
    conn: Connection, link_id: int, field: str | None = None, *, now: Instant
) -> None:
    """Let go of whatever (or of this field alone) was to be written over this link."""
    rows = conn.execute(
        "SELECT id FROM dead_letters WHERE link_id = ?1 AND direction = 'outbound'"
        " AND (?2 IS NULL OR field = ?2) ORDER BY id",
        (link_id, field),
    ).fetchall()
    for row in rows:
        discard(conn, row["id"], now=now)


def _end(
    conn: Connection, id_: int, how: events.Type, *, now: Instant, by: str | None
) -> DeadLetter:
    letter = get(conn, id_)
    conn.execute("DELETE FROM dead_letters WHERE id = ?", (id_,))
    events.append(
        conn,
        how,
        {
            "by": by,
            "dead_letter": public_id(id_),
            "direction": letter.direction,
            "field": letter.field_name,
        },
        at=now,
        incident_id=letter.incident_id,
        integration_id=letter.integration_id,
    )
    return letter


_SELECT = (
    "SELECT d.*, l.incident_id, g.slug FROM dead_letters d"
    " JOIN integrations g ON g.id = d.integration_id LEFT JOIN links l ON l.id = d.link_id"
)


def _dead_letter(row: Row) -> DeadLetter:
    return DeadLetter(
        id=row["id"],
        integration_id=row["integration_id"],
        integration=row["slug"],
        link_id=row["link_id"],
        inbox_id=row["inbox_id"],
        incident_id=row["incident_id"],
        direction=row["direction"],
        field=row["field"],
        code=row["code"],
        message=row["message"],
        hint=row["hint"],
        attempts=row["attempts"],
        body=row["body"],
        created_at=row["created_at"],
    )


def count(conn: Connection, integration_id: str) -> int:
    row = conn.execute(
        "SELECT COUNT(*) FROM dead_letters WHERE integration_id = ?", (integration_id,)
    ).fetchone()
    return int(row[0])
