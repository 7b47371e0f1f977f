"""The journal: what was decided, when, from which edits, and why. Append-only."""

from dataclasses import dataclass
from sqlite3 import Row

from imsync.core.fields import Base, Edit, Field, Instant, Known, Seen
from imsync.store import events
from imsync.store.database import Connection
from imsync.store.values import known_of, known_text, text_of, value_of

CONFIRMED = "confirmed"
"""What is journalled beside the verdicts: a push has arrived."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision about one field of a link, or (CONFIRMED) that a push has arrived."""

    at: Instant
    verdict: str
    because: str  # of CONFIRMED: a remark, mostly none
    base: Known  # the platform's half
    platform: Edit
    external: Edit | None  # None: nobody had looked


def write(
    conn: Connection,
    link_id: int,
    field: Field,
    verdict: str,
    because: str,
    *,
    base: Base,
    platform: Edit,
    seen: Seen | None,
    lag: int | None,
    now: Instant,
) -> None:
    """Note a decision, or that a push is `confirmed`.

    `lag` is how many ms the edit took to arrive on the other side, where it did.
    """
    conn.execute(
        "INSERT INTO journal (at, link_id, field, verdict, because, base_platform, base_external,"
        " platform, platform_at, platform_by, external, external_at, external_by, lag)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            now,
            link_id,
            field,
            verdict,
            because,
            known_text(base.platform),
            known_text(base.external),
            text_of(platform.value),
            platform.at,
            platform.by,
            text_of(seen.value) if seen else None,
            seen.at if seen else None,
            seen.by if seen else None,
            lag,
        ),
    )


def confirmed(
    conn: Connection, link_id: int, field: Field, edit: Edit, *, remark: str, now: Instant
) -> None:
    """The external side has this edit. `remark`: what more people should know of it, or ""."""
    lag = max(0, now - max(edit.at, _owed_since(conn, link_id, field)))
    write(
        conn,
        link_id,
        field,
        CONFIRMED,
        remark,
        base=Base(),
        platform=edit,
        seen=None,
        lag=lag,
        now=now,
    )
    told = {"by": edit.by, "field": field, "value": edit.value, "lag_ms": lag}
    events.append_of_link(conn, events.Type.CONFIRMED, told, at=now, link_id=link_id)


def _owed_since(conn: Connection, link_id: int, field: Field) -> Instant:
    """Since when what has arrived was owed: it may be an old edit that was put back just now."""
    row = conn.execute(
        "SELECT l.created_at, (SELECT MIN(at) FROM journal WHERE link_id = l.id"
        "   AND field = :field AND verdict = 'push' AND id > COALESCE((SELECT MAX(id) FROM journal"
        "     WHERE link_id = l.id AND field = :field AND verdict <> 'push'), 0)) AS pushed_at"
        "  FROM links l WHERE l.id = :link",
        {"link": link_id, "field": field},
    ).fetchone()
    return Instant(max(row["created_at"], row["pushed_at"] or 0))


def of_field(conn: Connection, link_id: int, field: Field, *, last: int = 50) -> list[Entry]:
    """The last so many entries about a field of a link, oldest first."""
    rows = conn.execute(
        "SELECT * FROM journal WHERE link_id = ? AND field = ? ORDER BY id DESC LIMIT ?",
        (link_id, field, last),
    ).fetchall()
    return [_entry(row) for row in reversed(rows)]


def _entry(row: Row) -> Entry:
    external = None
    if row["external"] is not None:
        external = Edit(value_of(row["external"]), row["external_at"], row["external_by"])
    return Entry(
        at=row["at"],
        verdict=row["verdict"],
        because=row["because"],
        base=known_of(row["base_platform"]),
        platform=Edit(value_of(row["platform"]), row["platform_at"], row["platform_by"]),
        external=external,
    )


def lags(conn: Connection, integration_id: str, *, verdict: str, last: int) -> list[int]:
    """The lags (ms, sorted) of the last so many edits that arrived with this verdict."""
    rows = conn.execute(
        "SELECT j.lag FROM journal j JOIN links l ON l.id = j.link_id"
        " WHERE l.integration_id = ? AND j.verdict = ? AND j.lag IS NOT NULL"
        " ORDER BY j.id DESC LIMIT ?",
        (integration_id, verdict, last),
    )
    return sorted(row["lag"] for row in rows)
