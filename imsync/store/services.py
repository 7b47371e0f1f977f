"""Service mappings: which services there come in, as which type, and where a type goes."""

from dataclasses import dataclass
from sqlite3 import Row
from typing import Final

from imsync.core.fields import Instant
from imsync.errors import NotFound
from imsync.store import events
from imsync.store.database import Connection


@dataclass(frozen=True, slots=True)
class Mapping:
    """A service is one type; a type may stand for several services, and goes to the first."""

    id: int
    service_id: str
    service_name: str | None  # as it was when somebody looked
    incident_type: str
    created_at: Instant


_SELECT: Final = (
    "SELECT m.*, d.name FROM service_mappings m LEFT JOIN directory d"
    " ON d.integration_id = m.integration_id AND d.kind = 'service'"
    " AND d.external_id = m.service_id"
)


def public_id(id_: int) -> str:
    return f"map_{id_}"


def number_of(id_: str) -> int:
    """Raises NotFound for what is no mapping's id."""
    head, _, tail = id_.partition("_")
    if head == "map" and tail.isascii() and tail.isdigit() and len(tail) < 16:
        return int(tail)
    raise NotFound(f"{id_!r} is not the id of a service mapping", hint="they look like map_1")


def every(conn: Connection, integration_id: str) -> list[Mapping]:
    rows = conn.execute(f"{_SELECT} WHERE m.integration_id = ? ORDER BY m.id", (integration_id,))
    return [_mapping(row) for row in rows]


def put(
    conn: Connection,
    integration_id: str,
    service_id: str,
    incident_type: str,
    *,
    now: Instant,
    by: str | None = None,
) -> Mapping:
    """Let the service be of this type, whatever it was before."""
    _tell(conn, integration_id, service_id, incident_type, now=now, by=by)
    row = conn.execute(
        "INSERT INTO service_mappings (integration_id, service_id, incident_type, created_at)"
        " VALUES (?, ?, ?, ?) ON CONFLICT (integration_id, service_id) DO UPDATE"
        " SET incident_type = excluded.incident_type RETURNING id",
        (integration_id, service_id, incident_type, now),
    ).fetchone()
    return _mapping(conn.execute(f"{_SELECT} WHERE m.id = ?", (row["id"],)).fetchone())


def remove(
    conn: Connection, integration_id: str, id_: int, *, now: Instant, by: str | None = None
) -> None:
    for mapping in every(conn, integration_id):
        if mapping.id == id_:
            _tell(conn, integration_id, mapping.service_id, None, now=now, by=by)
    conn.execute(
        "DELETE FROM service_mappings WHERE integration_id = ? AND id = ?", (integration_id, id_)
    )


def _tell(
    conn: Connection,
    integration_id: str,
    service_id: str,
    new: str | None,
    *,
    now: Instant,
    by: str | None,
) -> None:
    """What a service is to be from now on, as an event."""
    mapped = {one.service_id: one.incident_type for one in every(conn, integration_id)}
    setting = f"service-mapping/{service_id}"
    events.append_setting(conn, integration_id, setting, mapped.get(service_id), new, at=now, by=by)


def leave_alone(
    conn: Connection,
    integration_id: str,
    external_id: str,
    service_id: str | None,
    *,
    now: Instant,
) -> None:
    """Note an incident that fits no mapping; one that was noted before counts once."""
    conn.execute(
        "INSERT INTO left_alone (integration_id, external_id, service_id, seen_at)"
        " VALUES (?, ?, ?, ?) ON CONFLICT (integration_id, external_id) DO UPDATE"
        " SET service_id = excluded.service_id, seen_at = excluded.seen_at",
        (integration_id, external_id, service_id, now),
    )


def take_up(conn: Connection, integration_id: str, external_id: str) -> None:
    """It is left alone no longer."""
    conn.execute(
        "DELETE FROM left_alone WHERE integration_id = ? AND external_id = ?",
        (integration_id, external_id),
    )


def count_left_alone(conn: Connection, integration_id: str) -> int:
    row = conn.execute(
        "SELECT COUNT(*) FROM left_alone WHERE integration_id = ?", (integration_id,)
    ).fetchone()
    return int(row[0])


def _mapping(row: Row) -> Mapping:
    return Mapping(
        id=row["id"],
        service_id=row["service_id"],
        service_name=row["name"],
        incident_type=row["incident_type"],
        created_at=row["created_at"],
    )
