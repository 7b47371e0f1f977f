"""Incidents that were declared while nothing went out to an integration."""

from imsync.store.database import Connection


def put(conn: Connection, integration_id: str, incident_id: int) -> None:
    conn.execute(
        "INSERT INTO kept_back (integration_id, incident_id) VALUES (?, ?)",
        (integration_id, incident_id),
    )


def waiting(conn: Connection, integration_id: str) -> list[int]:
    """The numbers of those that are still open, and have not been linked by hand since."""
    rows = conn.execute(
        "SELECT k.incident_id FROM kept_back k JOIN incident_fields f"
        "    ON f.incident_id = k.incident_id AND f.field = 'status'"
        " WHERE k.integration_id = ? AND f.value IN ('open', 'mitigated')"
        "   AND NOT EXISTS (SELECT 1 FROM links l WHERE l.integration_id = k.integration_id"
        "                    AND l.incident_id = k.incident_id) ORDER BY k.incident_id",
        (integration_id,),
    )
    return [row["incident_id"] for row in rows]


def clear(conn: Connection, integration_id: str) -> None:
    conn.execute("DELETE FROM kept_back WHERE integration_id = ?", (integration_id,))
