"""Links: "this platform incident is that external incident", and what each field stands at.

What a person has unlinked is no link any more. Its row is kept for its conflicts and its
journal, and is found by `get` and `is_unlinked` alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Row
from typing import Final

from imsync.core.fields import Base, Field, Instant, Seen
from imsync.store.database import Connection
from imsync.store.values import known_of, known_text, text_of, value_of

_LIVE = "state <> 'unlinked'"


@dataclass(frozen=True, slots=True)
class Link:
    id: int
    integration_id: str
    incident_id: int
    state: str  # creating | linked | gone | unlinked
    external_id: str | None
    external_url: str | None
    description_note: str | None
    created_at: Instant
    last_observed_at: Instant | None
    last_confirmed_at: Instant | None
    service_id: str | None  # where it was last asked to be created


@dataclass(frozen=True, slots=True)
class FieldState:
    """What one field of a link stands at. `seen` None: nobody has looked."""

    field: Field
    base: Base
    seen: Seen | None
    blocked: str | None
    because: str
    their_at: Instant  # the latest edit of theirs that is known of; 0 if none is


def create(
    conn: Connection,
    *,
    integration_id: str,
    incident_id: int,
    external_id: str | None,
    external_url: str | None = None,
    now: Instant,
) -> int:
    """A new link: *creating* when there is no external incident yet, else *linked*.

    The schema refuses a second one for either side (sqlite3.IntegrityError).
    """
    row = conn.execute(
        "INSERT INTO links (integration_id, incident_id, state, external_id, external_url,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (
            integration_id,
            incident_id,
            "linked" if external_id else "creating",
            external_id,
            external_url,
            now,
        ),
    ).fetchone()
    for field in Field:
        conn.execute("INSERT INTO link_fields (link_id, field) VALUES (?, ?)", (row["id"], field))
    return int(row["id"])


def get(conn: Connection, id_: int) -> Link:
    """Raises KeyError: links are addressed by people through their incident."""
    row = conn.execute("SELECT * FROM links WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise KeyError(f"no link {id_}")
    return _link(row)


def of_incident(conn: Connection, incident_id: int) -> list[Link]:
    rows = conn.execute(
        f"SELECT * FROM links WHERE incident_id = ? AND {_LIVE} ORDER BY id", (incident_id,)
    )
    return [_link(row) for row in rows]


def to(conn: Connection, integration_id: str, external_id: str) -> Link | None:
    row = conn.execute(
        f"SELECT * FROM links WHERE integration_id = ? AND external_id = ? AND {_LIVE}",
        (integration_id, external_id),
    ).fetchone()
    return _link(row) if row else None


def between(conn: Connection, integration_id: str, incident_id: int) -> Link | None:
    row = conn.execute(
        f"SELECT * FROM links WHERE integration_id = ? AND incident_id = ? AND {_LIVE}",
        (integration_id, incident_id),
    ).fetchone()
    return _link(row) if row else None


FIELD_STATES: Final[Mapping[str, str]] = {
    "pending": "EXISTS (SELECT 1 FROM outbox o WHERE o.link_id = l.id)",
    "held": "EXISTS (SELECT 1 FROM conflicts c WHERE c.link_id = l.id AND c.status = 'pending')",
    "blocked": "EXISTS (SELECT 1 FROM link_fields f WHERE f.link_id = l.id"
    " AND f.blocked IS NOT NULL) OR (l.state = 'creating'"
    " AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.link_id = l.id AND o.what = 'create'))",
}
"""How a field of a link may stand that somebody looks for, and which links have one."""


def page(
    conn: Connection,
    integration_id: str,
    *,
    limit: int,
    before: int | None,
    incident_id: int | None = None,
    external_id: str | None = None,
    state: Sequence[str] = (),
    field_state: Sequence[str] = (),
) -> list[Link]:
    """The newest links of an integration, older than link `before`, that pass every filter given.

    `field_state`: any of FIELD_STATES.
    """
    where = ["l.integration_id = ?", "l.id < ?", _LIVE]
    values: list[object] = [integration_id, 2**62 if before is None else before]
    for column, wanted in (("incident_id", incident_id), ("external_id", external_id)):
        if wanted is not None:
            where.append(f"l.{column} = ?")
            values.append(wanted)
    if state:
        where.append(f"l.state IN ({', '.join('?' * len(state))})")
        values += state
    if field_state:
        where.append(f"({' OR '.join(FIELD_STATES[one] for one in field_state)})")
    rows = conn.execute(
        f"SELECT l.* FROM links l WHERE {' AND '.join(where)} ORDER BY l.id DESC LIMIT ?",
        (*values, limit),
    )
    return [_link(row) for row in rows]


def every(conn: Connection, integration_id: str) -> list[Link]:
    rows = conn.execute(
        f"SELECT * FROM links WHERE integration_id = ? AND {_LIVE} ORDER BY id", (integration_id,)
    )
    return [_link(row) for row in rows]


def off_base(conn: Connection, integration_id: str) -> list[Link]:
    """The links with a field that does not stand as both sides last agreed on, or is owed.

    No two edits of a field share a moment, so that of the base tells which edit it stands for.
    """
    rows = conn.execute(
        f"SELECT * FROM links l WHERE l.integration_id = ? AND {_LIVE} AND ("
        "  EXISTS (SELECT 1 FROM outbox o WHERE o.link_id = l.id)"
        "  OR EXISTS (SELECT 1 FROM link_fields f JOIN incident_fields i"
        "               ON i.incident_id = l.incident_id AND i.field = f.field"
        "             WHERE f.link_id = l.id AND (f.base_platform IS NULL"
        "               OR i.at <> f.base_at"
        "               OR f.external <> COALESCE(f.base_external, ''))))"
        " ORDER BY l.id",
        (integration_id,),
    )
    return [_link(row) for row in rows]


def count(conn: Connection, integration_id: str) -> int:
    row = conn.execute(
        f"SELECT COUNT(*) FROM links WHERE integration_id = ? AND {_LIVE}", (integration_id,)
    ).fetchone()
    return int(row[0])


def believed_open(conn: Connection, integration_id: str) -> list[Link]:
    """The links whose external incident was last seen in another status than resolved."""
    rows = conn.execute(
        "SELECT l.* FROM links l JOIN link_fields f ON f.link_id = l.id AND f.field = 'status'"
        " WHERE l.integration_id = ? AND l.state = 'linked'"
        " AND f.external IS NOT NULL AND f.external <> '\"resolved\"' ORDER BY l.id",
        (integration_id,),
    )
    return [_link(row) for row in rows]


def linked_late(conn: Connection, integration_id: str) -> list[str]:
    """The external ids of what was linked since the log was read, as it was before that.

    The log was read past whatever was edited there meanwhile, and tells it no more.
    """
    rows = conn.execute(
        "SELECT l.external_id FROM links l JOIN integrations i ON i.id = l.integration_id"
        " WHERE i.id = ? AND l.state = 'linked' AND l.created_at >= i.log_read_to"
        " AND EXISTS (SELECT 1 FROM link_fields f"
        "              WHERE f.link_id = l.id AND f.as_of < i.log_read_to)",
        (integration_id,),
    )
    return [row["external_id"] for row in rows]


def creating(conn: Connection, integration_id: str) -> list[int]:
    """The ids of the links whose external incident is yet to be created."""
    rows = conn.execute(
        "SELECT id FROM links WHERE integration_id = ? AND state = 'creating' ORDER BY id",
        (integration_id,),
    )
    return [row["id"] for row in rows]


def waiting(conn: Connection, integration_id: str) -> list[Link]:
    """The links to be created, of incidents still open, whose creation is neither owed nor
    given up on: there was no service to create them in, or nothing goes out any more."""
    rows = conn.execute(
        "SELECT l.* FROM links l JOIN incident_fields f"
        "    ON f.incident_id = l.incident_id AND f.field = 'status'"
        " WHERE l.integration_id = ? AND l.state = 'creating'"
        "   AND f.value IN ('open', 'mitigated')"
        "   AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.link_id = l.id)"
        "   AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.link_id = l.id) ORDER BY l.id",
        (integration_id,),
    )
    return [_link(row) for row in rows]


def unnamed(conn: Connection, integration_id: str, field: Field, kind: str) -> dict[int, str]:
    """Per link: the id last seen in this field that nothing was decided on, and nobody can name."""
    rows = conn.execute(
        "SELECT s.link_id, s.id FROM ("
        "  SELECT f.link_id, SUBSTR(f.external, 2, LENGTH(f.external) - 2) AS id"
        "    FROM link_fields f JOIN links l ON l.id = f.link_id"
        "   WHERE l.integration_id = :integration AND l.state = 'linked' AND f.field = :field"
        "     AND f.external <> 'null' AND f.external <> COALESCE(f.base_external, '')) s"
        " WHERE NOT EXISTS (SELECT 1 FROM directory d WHERE d.integration_id = :integration"
        "                    AND d.kind = :kind AND d.external_id = s.id)"
        " ORDER BY s.link_id",
        {"integration": integration_id, "field": field, "kind": kind},
    )
    return {row["link_id"]: row["id"] for row in rows}


def connect(conn: Connection, id_: int, *, external_id: str, external_url: str | None) -> None:
    """Say which external incident the link leads to."""
    conn.execute(
        "UPDATE links SET state = 'linked', external_id = ?, external_url = ? WHERE id = ?",
        (external_id, external_url, id_),
    )


def set_service(conn: Connection, id_: int, service_id: str) -> None:
    """Remember where the incident is asked to be created, before the request leaves."""
    conn.execute("UPDATE links SET service_id = ? WHERE id = ?", (service_id, id_))


def set_gone(conn: Connection, id_: int) -> None:
    """The external incident is not there any more: nothing is synced over this link."""
    conn.execute("UPDATE links SET state = 'gone' WHERE id = ? AND state = 'linked'", (id_,))


def set_unlinked(conn: Connection, id_: int) -> None:
    """A person has undone the link: neither side is in the way of another one."""
    conn.execute("UPDATE links SET state = 'unlinked' WHERE id = ?", (id_,))


def is_unlinked(conn: Connection, integration_id: str, external_id: str) -> bool:
    """Whether a person took this external incident out of the sync, and nobody linked it since."""
    row = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM links WHERE integration_id = ? AND external_id = ?"
        "                AND state = 'unlinked')",
        (integration_id, external_id),
    ).fetchone()
    return bool(row[0]) and to(conn, integration_id, external_id) is None


def note_observed(conn: Connection, id_: int, at: Instant) -> None:
    conn.execute("UPDATE links SET last_observed_at = ? WHERE id = ?", (at, id_))


def note_confirmed(conn: Connection, id_: int, at: Instant) -> None:
    conn.execute("UPDATE links SET last_confirmed_at = ? WHERE id = ?", (at, id_))


def set_description_note(conn: Connection, id_: int, note_id: str) -> None:
    conn.execute("UPDATE links SET description_note = ? WHERE id = ?", (note_id, id_))


def fields(conn: Connection, id_: int) -> Mapping[Field, FieldState]:
    rows = conn.execute("SELECT * FROM link_fields WHERE link_id = ?", (id_,))
    return {Field(row["field"]): _field(row) for row in rows}


def set_base(conn: Connection, id_: int, field: Field, base: Base) -> None:
    conn.execute(
        "UPDATE link_fields SET base_platform = ?, base_external = ?, base_at = ?"
        " WHERE link_id = ? AND field = ?",
        (known_text(base.platform), known_text(base.external), base.at, id_, field),
    )


def set_seen(conn: Connection, id_: int, field: Field, seen: Seen) -> None:
    conn.execute(
        "UPDATE link_fields SET external = ?, external_at = ?, external_by = ?, as_of = ?"
        " WHERE link_id = ? AND field = ?",
        (text_of(seen.value), seen.at, seen.by, seen.as_of, id_, field),
    )


def note_theirs(conn: Connection, id_: int, field: Field, at: Instant) -> None:
    """They have edited the field, then."""
    conn.execute(
        "UPDATE link_fields SET their_at = ? WHERE link_id = ? AND field = ? AND their_at < ?",
        (at, id_, field, at),
    )


def set_blocked(conn: Connection, id_: int, field: Field, because: str | None) -> None:
    conn.execute(
        "UPDATE link_fields SET blocked = ? WHERE link_id = ? AND field = ?", (because, id_, field)
    )


def set_because(conn: Connection, id_: int, field: Field, because: str) -> None:
    conn.execute(
        "UPDATE link_fields SET because = ? WHERE link_id = ? AND field = ?", (because, id_, field)
    )


def unblock(conn: Connection, integration_id: str, field: Field) -> None:
    """Let the field be tried again on all links of the integration."""
    conn.execute(
        "UPDATE link_fields SET blocked = NULL WHERE field = ? AND blocked IS NOT NULL"
        " AND link_id IN (SELECT id FROM links WHERE integration_id = ?)",
        (field, integration_id),
    )


def blocked(conn: Connection) -> dict[tuple[int, Field], str]:
    """Why the fields of links that stand still do."""
    rows = conn.execute("SELECT link_id, field, blocked FROM link_fields WHERE blocked IS NOT NULL")
    return {(row["link_id"], Field(row["field"])): row["blocked"] for row in rows}


def count_blocked(conn: Connection, integration_id: str) -> int:
    row = conn.execute(
        "SELECT COUNT(*) FROM link_fields f JOIN links l ON l.id = f.link_id"
        " WHERE l.integration_id = ? AND l.state <> 'unlinked' AND f.blocked IS NOT NULL",
        (integration_id,),
    ).fetchone()
    return int(row[0])


def _field(row: Row) -> FieldState:
    seen = None
    if row["external"] is not None:
        seen = Seen(value_of(row["external"]), row["external_at"], row["as_of"], row["external_by"])
    return FieldState(
        field=Field(row["field"]),
        base=Base(known_of(row["base_platform"]), known_of(row["base_external"]), row["base_at"]),
        seen=seen,
        blocked=row["blocked"],
        because=row["because"],
        their_at=row["their_at"],
    )


def _link(row: Row) -> Link:
    return Link(**{name: row[name] for name in Link.__slots__})
