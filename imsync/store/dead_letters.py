"""Dead letters: what we gave up on, with the reason and what may mend it."""

from dataclasses import dataclass

from imsync.core.fields import Instant
from imsync.store.database import Connection


@dataclass(frozen=True, slots=True)
class DeadLetter:
    id: int
    integration: str  # its slug
    incident_id: int | None
    direction: str  # inbound | outbound
    field: str | None
    code: str
    message: str
    hint: str
    attempts: int
    body: str | None
    created_at: Instant


def public_id(id_: int) -> str:
    return f"dlq_{id_}"


def bury(
    conn: Connection,
    *,
    integration_id: str,
    link_id: int | None,
    direction: str,
    field: str | None,
    code: str,
    message: str,
    hint: str,
    attempts: int,
    body: str | None,
    now: Instant,
) -> None:
    conn.execute(
        "INSERT INTO dead_letters (integration_id, link_id, direction, field, code, message,"
        " hint, attempts, body, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            integration_id,
            link_id,
            direction,
            field,
            code,
            message,
            hint,
            attempts,
            body,
            now,
        ),
    )


def page(
    conn: Connection, integration_id: str, *, limit: int, before: int | None = None
) -> list[DeadLetter]:
    """The newest dead letters of an integration, older than number `before`."""
    rows = conn.execute(
        "SELECT d.*, l.incident_id, g.slug FROM dead_letters d"
        " JOIN integrations g ON g.id = d.integration_id LEFT JOIN links l ON l.id = d.link_id"
        " WHERE d.integration_id = ? AND d.id < ? ORDER BY d.id DESC LIMIT ?",
        (integration_id, 2**62 if before is None else before, limit),
    )
    return [
        DeadLetter(
            id=row["id"],
            integration=row["slug"],
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
        for row in rows
    ]


def count(conn: Connection, integration_id: str) -> int:
    row = conn.execute(
        "SELECT COUNT(*) FROM dead_letters WHERE integration_id = ?", (integration_id,)
    ).fetchone()
    return int(row[0])
