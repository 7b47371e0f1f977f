"""Platform incidents: their fields, each with its last edit, and their timeline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Row

from imsync.core.fields import Edit, Field, Instant, Side, Value
from imsync.errors import NotFound
from imsync.store import events
from imsync.store.database import Connection


@dataclass(frozen=True, slots=True)
class Incident:
    id: int
    organization_id: str | None
    incident_type: str | None
    version: int  # counts changes; the ETag
    created_at: Instant
    updated_at: Instant
    edits: Mapping[Field, Edit]

    def __getitem__(self, field: Field) -> Value:
        return self.edits[field].value


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of an incident's story. `integration` is the slug of where it came from."""

    id: int
    at: Instant
    kind: str
    by: str | None
    text: str | None
    field: str | None
    old: Value
    new: Value
    integration: str | None


def public_id(number: int) -> str:
    return f"INC-{number}"


def number_of(id_: str) -> int:
    """`INC-7` -> 7, whatever its case. Raises NotFound for what is not an incident id at all."""
    head, _, tail = id_.partition("-")
    if head.upper() == "INC" and tail.isascii() and tail.isdigit() and len(tail) < 16:
        return int(tail)
    digits = id_.strip(" #").upper().removeprefix("INC").strip(" -_#")
    meant = digits.isascii() and digits.isdigit() and len(digits) < 16
    hint = f"did you mean {public_id(int(digits))}?" if meant else "they look like INC-1."
    raise NotFound(f"{id_!r} is not an incident id", hint=f"{hint} See `im incident list`")


def create(
    conn: Connection,
    values: Mapping[Field, Edit],
    *,
    organization_id: str | None,
    incident_type: str | None,
    now: Instant,
) -> int:
    """Keep a new incident with these fields; those not given are empty. Its number."""
    row = conn.execute(
        "INSERT INTO incidents (organization_id, incident_type, created_at, updated_at)"
        " VALUES (?, ?, ?, ?) RETURNING id",
        (organization_id, incident_type, now, now),
    ).fetchone()
    for field in Field:
        edit = values.get(field, Edit(None, now))
        conn.execute(
            "INSERT INTO incident_fields (incident_id, field, value, at, by)"
            " VALUES (?, ?, ?, ?, ?)",
            (row["id"], field, edit.value, edit.at, edit.by),
        )
    return int(row["id"])


def get(conn: Connection, number: int) -> Incident:
    """Raises NotFound."""
    found = _load(conn, [number])
    if not found:
        (last,) = conn.execute("SELECT MAX(id) FROM incidents").fetchone()
        newest = f"the newest is {public_id(last)}; " if last else "there are none yet; "
        hint = f"{newest}see `im incident list`"
        raise NotFound(f"there is no incident {public_id(number)}", hint=hint)
    return found[0]


def set_field(conn: Connection, number: int, field: Field, edit: Edit, *, now: Instant) -> None:
    conn.execute(
        "UPDATE incident_fields SET value = ?, at = ?, by = ? WHERE incident_id = ? AND field = ?",
        (edit.value, edit.at, edit.by, number, field),
    )
    touch(conn, number, now=now)


def set_type(conn: Connection, number: int, incident_type: str | None, *, now: Instant) -> None:
    conn.execute("UPDATE incidents SET incident_type = ? WHERE id = ?", (incident_type, number))
    touch(conn, number, now=now)


def touch(conn: Connection, number: int, *, now: Instant) -> None:
    conn.execute(
        "UPDATE incidents SET version = version + 1, updated_at = ? WHERE id = ?", (now, number)
    )


def page(
    conn: Connection,
    *,
    limit: int,
    before: int | None = None,
    status: Sequence[str] = (),
    severity: Sequence[str] = (),
    integration_id: str | None = None,
    organization_id: str | None = None,
) -> list[Incident]:
    """The newest incidents, older than number `before`, that pass every filter given."""
    where, values = ["TRUE"], list[object]()
    if before is not None:
        where.append("i.id < ?")
        values.append(before)
    for field, wanted in ((Field.STATUS, status), (Field.SEVERITY, severity)):
        if wanted:
            marks = ", ".join("?" * len(wanted))
            where.append(
                "EXISTS (SELECT 1 FROM incident_fields f WHERE f.incident_id = i.id"
                f" AND f.field = ? AND f.value IN ({marks}))"
            )
            values += [field, *wanted]
    if integration_id is not None:
        where.append(
            "EXISTS (SELECT 1 FROM links l WHERE l.incident_id = i.id AND l.integration_id = ?"
            " AND l.state <> 'unlinked')"
        )
        values.append(integration_id)
    if organization_id is not None:
        where.append("i.organization_id = ?")
        values.append(organization_id)
    rows = conn.execute(
        f"SELECT i.id FROM incidents i WHERE {' AND '.join(where)} ORDER BY i.id DESC LIMIT ?",
        (*values, limit),
    ).fetchall()
    return _load(conn, [row["id"] for row in rows])


def _load(conn: Connection, numbers: Sequence[int]) -> list[Incident]:
    marks = ", ".join("?" * len(numbers))
    heads = {
        row["id"]: row
        for row in conn.execute(f"SELECT * FROM incidents WHERE id IN ({marks})", numbers)
    }
    edits: dict[int, dict[Field, Edit]] = {number: {} for number in heads}
    for row in conn.execute(
        f"SELECT * FROM incident_fields WHERE incident_id IN ({marks})", numbers
    ):
        edits[row["incident_id"]][Field(row["field"])] = Edit(row["value"], row["at"], row["by"])
    return [_incident(heads[number], edits[number]) for number in numbers if number in heads]


def _incident(row: Row, edits: Mapping[Field, Edit]) -> Incident:
    return Incident(
        id=row["id"],
        organization_id=row["organization_id"],
        incident_type=row["incident_type"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        edits=edits,
    )


def tell(
    conn: Connection,
    number: int,
    *,
    at: Instant,
    kind: str,
    by: str | None = None,
    text: str | None = None,
    integration_id: str | None = None,
    external_id: str | None = None,
) -> int:
    """Add a line to the incident's timeline."""
    row = conn.execute(
        "INSERT INTO timeline (incident_id, at, kind, by, text, integration_id, external_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (number, at, kind, by, text, integration_id, external_id),
    ).fetchone()
    events.append(
        conn,
        _EVENTS[kind],
        {"by": by, **_told(conn, number, kind, text, integration_id, external_id)},
        at=at,
        incident_id=number,
        integration_id=integration_id,
    )
    return int(row["id"])


_EVENTS = {
    "declared": events.Type.DECLARED,
    "note": events.Type.NOTED,
    "escalated": events.Type.ESCALATED,
    "linked": events.Type.LINKED,
}


def _told(
    conn: Connection,
    number: int,
    kind: str,
    text: str | None,
    integration_id: str | None,
    external_id: str | None,
) -> dict[str, Value]:
    """What the event of a line tells beside who it was."""
    if kind == "declared":
        fields = get(conn, number)
        return {
            "title": fields[Field.TITLE],
            "severity": fields[Field.SEVERITY],
            "status": fields[Field.STATUS],
        }
    if kind == "linked":
        link = conn.execute(
            "SELECT external_url FROM links WHERE integration_id = ? AND external_id = ?",
            (integration_id, external_id),
        ).fetchone()
        return {"external_id": external_id, "external_url": link["external_url"] if link else None}
    return {"text": text}


def tell_change(
    conn: Connection,
    number: int,
    *,
    field: Field,
    old: Value,
    edit: Edit,
    integration_id: str | None,
) -> None:
    """Add a field's change to the timeline; `integration_id` None means that it was made here."""
    conn.execute(
        "INSERT INTO timeline (incident_id, at, kind, by, field, old, new, integration_id)"
        " VALUES (?, ?, 'changed', ?, ?, ?, ?, ?)",
        (number, edit.at, edit.by, field, old, edit.value, integration_id),
    )
    side = Side.PLATFORM if integration_id is None else Side.EXTERNAL
    events.append(
        conn,
        events.Type.CHANGED,
        {"by": edit.by, "side": side, "field": field, "old": old, "new": edit.value},
        at=edit.at,
        incident_id=number,
        integration_id=integration_id,
    )


def timeline(conn: Connection, number: int, *, limit: int, after: int = 0) -> list[TimelineEntry]:
    """The story in the order in which we learnt it, after entry number `after`."""
    rows: Iterable[Row] = conn.execute(
        "SELECT t.*, g.slug FROM timeline t LEFT JOIN integrations g ON g.id = t.integration_id"
        " WHERE t.incident_id = ? AND t.id > ? ORDER BY t.id LIMIT ?",
        (number, after, limit),
    )
    return [_entry(row) for row in rows]


def _entry(row: Row) -> TimelineEntry:
    return TimelineEntry(
        id=row["id"],
        at=row["at"],
        kind=row["kind"],
        by=row["by"],
        text=row["text"],
        field=row["field"],
        old=row["old"],
        new=row["new"],
        integration=row["slug"],
    )


def last_entry(conn: Connection) -> int:
    """The number of the newest line of all timelines; 0 if there is none."""
    return int(conn.execute("SELECT COALESCE(MAX(id), 0) FROM timeline").fetchone()[0])


def changes_after(conn: Connection, number: int) -> list[tuple[int, TimelineEntry]]:
    """The changes of fields after that line of all timelines, each with its incident's number."""
    rows = conn.execute(
        "SELECT t.*, g.slug FROM timeline t LEFT JOIN integrations g ON g.id = t.integration_id"
        " WHERE t.id > ? AND t.kind = 'changed' ORDER BY t.id",
        (number,),
    )
    return [(row["incident_id"], _entry(row)) for row in rows]


def entry(conn: Connection, number: int, id_: int) -> TimelineEntry:
    return timeline(conn, number, limit=1, after=id_ - 1)[0]


def has_note(conn: Connection, integration_id: str, external_id: str) -> bool:
    """Whether a note of the other side is in a timeline already: theirs, or one of ours."""
    row = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM timeline WHERE integration_id = ? AND external_id = ?)"
        "    OR EXISTS (SELECT 1 FROM notes_sent n JOIN links l ON l.id = n.link_id"
        "                WHERE l.integration_id = ? AND n.external_id = ?)",
        (integration_id, external_id, integration_id, external_id),
    ).fetchone()
    return bool(row[0])


def sent_as(conn: Connection, link_id: int, entry: int) -> str | None:
    """The id that a note of the timeline has on that link's other side, if it stands there."""
    row = conn.execute(
        "SELECT external_id FROM notes_sent WHERE link_id = ? AND entry_id = ?", (link_id, entry)
    ).fetchone()
    return row and str(row["external_id"])


def note_sent(
    conn: Connection, link_id: int, entry: int, external_id: str, *, now: Instant
) -> None:
    """A note of the timeline stands on that link's other side too, under this id."""
    note = conn.execute(
        "SELECT t.text, t.by, t.at, n.entry_id FROM timeline t"
        " LEFT JOIN notes_sent n ON n.entry_id = t.id AND n.link_id = ? WHERE t.id = ?",
        (link_id, entry),
    ).fetchone()
    if note["entry_id"] is None:
        lag = max(0, now - note["at"])
        told = {"by": note["by"], "field": "note", "value": note["text"], "lag_ms": lag}
        events.append_of_link(conn, events.Type.CONFIRMED, told, at=now, link_id=link_id)
    conn.execute(
        "INSERT INTO notes_sent (link_id, entry_id, external_id) VALUES (?, ?, ?)"
        " ON CONFLICT (link_id, entry_id) DO UPDATE SET external_id = excluded.external_id",
        (link_id, entry, external_id),
    )


def notes_but_from(conn: Connection, number: int, integration_id: str) -> list[int]:
    """The notes that did not come from there, by the number of their line, oldest first."""
    rows = conn.execute(
        "SELECT id FROM timeline WHERE incident_id = ? AND kind = 'note'"
        " AND integration_id IS NOT ? ORDER BY id",
        (number, integration_id),
    )
    return [row["id"] for row in rows]


def declared_with(conn: Connection, key: str) -> tuple[int, str] | None:
    """The incident that was declared with this idempotency key, and what was asked then."""
    row = conn.execute(
        "SELECT incident_id, fingerprint FROM idempotency_keys WHERE key = ?", (key,)
    ).fetchone()
    return (row["incident_id"], row["fingerprint"]) if row else None


def remember_key(
    conn: Connection, key: str, *, fingerprint: str, number: int, now: Instant
) -> None:
    conn.execute(
        "INSERT INTO idempotency_keys (key, fingerprint, incident_id, created_at)"
        " VALUES (?, ?, ?, ?)",
        (key, fingerprint, number, now),
    )
