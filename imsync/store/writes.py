"""Our own writes, remembered: what we believed was there, what we wrote, what came of it.

    sending --> done
       '------> unknown --> done | failed
       '------> failed

A row is kept before its request leaves, so that after a crash there is something to
settle: the external log says whether the write landed, and when.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Row

from imsync.core.covered import Written
from imsync.core.fields import NEVER, Edit, Field, Instant, Known, Value
from imsync.store.database import Connection
from imsync.store.values import known_of, known_text, text_of, value_of


@dataclass(frozen=True, slots=True)
class Write:
    id: int
    link_id: int
    field: Field
    before: Known  # what was believed to be there; NEVER: nobody had looked
    as_of: Instant
    value: Value  # what was written, in external form
    edit: Edit  # the platform edit it stands for
    sent_at: Instant


def remember(
    conn: Connection,
    link_id: int,
    field: Field,
    *,
    before: Known = NEVER,
    as_of: Instant,
    value: Value,
    edit: Edit,
    now: Instant,
) -> Write:
    row = conn.execute(
        "INSERT INTO writes (link_id, field, before, as_of, value, platform, edit_at, edit_by,"
        " sent_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'sending') RETURNING id",
        (
            link_id,
            field,
            known_text(before),
            as_of,
            text_of(value),
            text_of(edit.value),
            edit.at,
            edit.by,
            now,
        ),
    ).fetchone()
    return Write(row["id"], link_id, field, before, as_of, value, edit, now)


def unsettled(conn: Connection, link_id: int) -> list[Write]:
    """The writes of a link whose outcome nobody knows, oldest first."""
    rows = conn.execute(
        "SELECT * FROM writes WHERE link_id = ? AND state IN ('sending', 'unknown') ORDER BY id",
        (link_id,),
    )
    return [_write(row) for row in rows]


def abandoned(conn: Connection, integration_id: str) -> list[int]:
    """The links with a write in doubt, of which no field is owed: nobody else will ask."""
    rows = conn.execute(
        "SELECT DISTINCT w.link_id FROM writes w JOIN links l ON l.id = w.link_id"
        " WHERE l.integration_id = ? AND l.state = 'linked' AND w.state = 'unknown'"
        " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.link_id = w.link_id"
        "                  AND o.what NOT LIKE 'note:%')"
        " ORDER BY w.link_id",
        (integration_id,),
    )
    return [row["link_id"] for row in rows]


def attempts(conn: Connection, link_id: int) -> list[Write]:
    """What was sent to create a link's incident, oldest first, also what was given up since."""
    rows = conn.execute(
        "SELECT * FROM writes WHERE link_id = ? AND state <> 'done' ORDER BY id", (link_id,)
    )
    return [_write(row) for row in rows]


def _write(row: Row) -> Write:
    return Write(
        id=row["id"],
        link_id=row["link_id"],
        field=Field(row["field"]),
        before=known_of(row["before"]),
        as_of=row["as_of"],
        value=value_of(row["value"]),
        edit=Edit(value_of(row["platform"]), row["edit_at"], row["edit_by"]),
        sent_at=row["sent_at"],
    )


@dataclass(frozen=True, slots=True)
class Landed:
    """A write that was carried out there, and the platform edit it stands for.

    That was between `sent_at` and `written.at`, when we were told.
    """

    id: int
    field: Field
    written: Written
    edit: Edit
    sent_at: Instant


def of_link(conn: Connection, link_id: int) -> list[Landed]:
    """The writes of a link that landed, oldest first."""
    rows = conn.execute(
        "SELECT * FROM writes WHERE link_id = ? AND state = 'done' ORDER BY id", (link_id,)
    )
    return [_landed(row) for row in rows]


def strays(conn: Connection, link_id: int, *, within: int) -> list[Landed]:
    """The writes of a link that were in doubt and taken not to have landed, oldest first.

    Each as if it had landed at the last moment that it could: so many ms after it was sent.
    """
    rows = conn.execute(
        "SELECT * FROM writes WHERE link_id = ? AND state = 'failed' AND doubted ORDER BY id",
        (link_id,),
    )
    return [_landed(row, at=Instant(row["sent_at"] + within)) for row in rows]


def _landed(row: Row, at: Instant | None = None) -> Landed:
    return Landed(
        id=row["id"],
        field=Field(row["field"]),
        written=Written(
            before=known_of(row["before"]),
            as_of=row["as_of"],
            value=value_of(row["value"]),
            at=row["at"] if at is None else at,
            covered=json.loads(row["covered"]),
        ),
        edit=Edit(value_of(row["platform"]), row["edit_at"], row["edit_by"]),
        sent_at=row["sent_at"],
    )


def note_covered(conn: Connection, id_: int, values: Sequence[Value]) -> None:
    conn.execute("UPDATE writes SET covered = ? WHERE id = ?", (json.dumps(values), id_))


def of_field_since(conn: Connection, link_id: int, field: Field, since: Instant) -> list[Landed]:
    """The writes of a link's field that landed since then, oldest first, and the one before."""
    rows = conn.execute(
        "SELECT * FROM writes WHERE link_id = :link AND field = :field AND state = 'done'"
        " AND id >= COALESCE((SELECT MAX(id) FROM writes WHERE link_id = :link"
        "                      AND field = :field AND state = 'done' AND at < :since), 0)"
        " ORDER BY id",
        {"link": link_id, "field": field, "since": since},
    )
    return [_landed(row) for row in rows]


def last_landed(conn: Connection, link_id: int) -> dict[Field, tuple[Instant, Instant]]:
    """Per field that we have written: between when the latest write of it was carried out there."""
    rows = conn.execute(
        "SELECT w.field, w.sent_at, w.at FROM writes w WHERE w.link_id = ? AND w.state = 'done'"
        " AND NOT EXISTS (SELECT 1 FROM writes n WHERE n.link_id = w.link_id"
        "                  AND n.field = w.field AND n.state = 'done' AND n.at > w.at)",
        (link_id,),
    )
    return {Field(row["field"]): (row["sent_at"], row["at"]) for row in rows}


def landed(conn: Connection, id_: int, at: Instant) -> None:
    conn.execute("UPDATE writes SET state = 'done', at = ? WHERE id = ?", (at, id_))


def failed(conn: Connection, link_id: int) -> None:
    """What was being sent was not carried out, and never will be."""
    conn.execute(
        "UPDATE writes SET state = 'failed' WHERE link_id = ? AND state = 'sending'", (link_id,)
    )


def doubt(conn: Connection, link_id: int) -> None:
    """No answer came to what was being sent on this link: it may have landed."""
    conn.execute(
        "UPDATE writes SET state = 'unknown', doubted = 1 WHERE state = 'sending' AND link_id = ?",
        (link_id,),
    )


def doubt_all(conn: Connection, integration_id: str | None = None) -> None:
    """The same on all links, or on an integration's: whoever was sending was cut short."""
    conn.execute(
        "UPDATE writes SET state = 'unknown', doubted = 1 WHERE state = 'sending'"
        " AND link_id IN (SELECT id FROM links WHERE integration_id = COALESCE(?, integration_id))",
        (integration_id,),
    )


def stray(
    conn: Connection, link_id: int, field: Field, value: Value, *, as_of: Instant, within: int
) -> Instant | None:
    """The edit (when it was made) that this value may be a late arrival of, if any.

    Its write was taken not to have landed, for the log told nothing of it; but the request had
    left within the last so many ms, and may have been on its way.
    """
    row = conn.execute(
        "SELECT MAX(edit_at) FROM writes WHERE link_id = ? AND field = ? AND value = ?"
        " AND state = 'failed' AND doubted AND sent_at BETWEEN ? AND ?",
        (link_id, field, text_of(value), as_of - within, as_of),
    ).fetchone()
    return row[0] if row[0] is None else Instant(row[0])


def give_up(conn: Connection, link_id: int, ids: list[int] | None = None) -> None:
    """These (or all unsettled) writes of a link are taken not to have landed."""
    for write in unsettled(conn, link_id):
        if ids is None or write.id in ids:
            conn.execute("UPDATE writes SET state = 'failed' WHERE id = ?", (write.id,))
