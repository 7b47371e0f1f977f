"""Value maps as people set them: only what differs from the connector's own."""

from imsync.core.fields import Instant
from imsync.core.maps import Custom, Pairs
from imsync.store import events
from imsync.store.database import Connection


def custom(conn: Connection, integration_id: str) -> Custom:
    """What people changed, by the map's name."""
    rows = conn.execute("SELECT * FROM value_maps WHERE integration_id = ?", (integration_id,))
    found = dict[str, tuple[dict[str, str], dict[str, str]]]()
    for row in rows:
        out, back = found.setdefault(row["map"], ({}, {}))
        (out if row["way"] == "out" else back)[row["value"]] = row["becomes"]
    return Custom({name: Pairs(out, back) for name, (out, back) in found.items()})


def replace(
    conn: Connection,
    integration_id: str,
    name: str,
    pairs: Pairs,
    *,
    now: Instant,
    by: str | None = None,
) -> None:
    """Let a map be the connector's own but for these pairs."""
    old, new = _told(custom(conn, integration_id)[name]), _told(pairs)
    events.append_setting(conn, integration_id, f"map/{name}", old, new, at=now, by=by)
    conn.execute(
        "DELETE FROM value_maps WHERE integration_id = ? AND map = ?", (integration_id, name)
    )
    conn.executemany(
        "INSERT INTO value_maps (integration_id, map, way, value, becomes) VALUES (?, ?, ?, ?, ?)",
        [
            (integration_id, name, way, value, becomes)
            for way, several in (("out", pairs.out), ("in", pairs.back))
            for value, becomes in several.items()
        ],
    )


def _told(pairs: Pairs) -> dict[str, dict[str, str]]:
    return {"out": dict(pairs.out), "in": dict(pairs.back)}
