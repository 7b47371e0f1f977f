"""Sweeps that were stopped because they would have changed very much at once."""

from dataclasses import dataclass

from imsync.core.fields import Instant
from imsync.store import events
from imsync.store.database import Connection


@dataclass(frozen=True, slots=True)
class Brake:
    """A sweep that was stopped: when, and how many of so many incidents it would have changed."""

    at: Instant
    would_change: int
    met: int


def brake(
    conn: Connection, integration_id: str, *, would_change: int, met: int, now: Instant
) -> None:
    """Remember a sweep that was stopped; one that goes on being stopped is told of once."""
    if braked(conn, integration_id) is None:
        told = {"would_change": would_change, "met": met}
        events.append(conn, events.Type.STOPPED, told, at=now, integration_id=integration_id)
    conn.execute(
        "INSERT INTO brakes (integration_id, at, would_change, met) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (integration_id) DO UPDATE SET at = excluded.at,"
        " would_change = excluded.would_change, met = excluded.met",
        (integration_id, now, would_change, met),
    )


def release(conn: Connection, integration_id: str, *, now: Instant) -> None:
    """A sweep went ahead."""
    if braked(conn, integration_id) is not None:
        events.append(conn, events.Type.RELEASED, {}, at=now, integration_id=integration_id)
    conn.execute("DELETE FROM brakes WHERE integration_id = ?", (integration_id,))


def braked(conn: Connection, integration_id: str) -> Brake | None:
    row = conn.execute(
        "SELECT * FROM brakes WHERE integration_id = ?", (integration_id,)
    ).fetchone()
    return Brake(row["at"], row["would_change"], row["met"]) if row else None
