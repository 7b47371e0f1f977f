"""Subscriptions: what is known of the one that sends an integration its deliveries.

    unknown --look--> none | active | disabled | deleted

At most one of an integration is looked after. Those it has replaced are remembered until
they are deleted there, so that a crash in between leaves none behind.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from imsync.core.fields import Instant
from imsync.store import events
from imsync.store.database import Connection


class State(StrEnum):
    UNKNOWN = "unknown"  # not looked at yet, or not ours to see
    NONE = "none"  # none leads here
    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Watched:
    """A subscription as it was last seen."""

    integration_id: str
    external_id: str | None = None
    url: str | None = None
    state: State = State.UNKNOWN
    because: str = ""  # why it is not active, or not known
    installed_at: Instant | None = None  # None: made by hand
    checked_at: Instant | None = None
    times_disabled: int = 0
    times_enabled: int = 0
    times_deleted: int = 0
    disabled_at: Instant | None = None
    enabled_at: Instant | None = None


_NAMES = [field.name for field in fields(Watched)]


def get(conn: Connection, integration_id: str) -> Watched:
    """What is known; of nothing, that it is unknown."""
    row = conn.execute(
        f"SELECT {', '.join(_NAMES)} FROM subscriptions WHERE integration_id = ?",
        (integration_id,),
    ).fetchone()
    if row is None:
        return Watched(integration_id)
    return Watched(**{**dict(row), "state": State(row["state"])})


def installed(
    conn: Connection, integration_id: str, external_id: str, url: str, *, now: Instant
) -> None:
    """We have made this one: it is the one to look after."""
    _put(
        conn,
        replace(
            get(conn, integration_id),
            external_id=external_id,
            url=url,
            state=State.ACTIVE,
            because="",
            installed_at=now,
            checked_at=now,
        ),
    )
    _tell(conn, events.Type.SUBSCRIBED, integration_id, external_id, "", now=now)


def seen(
    conn: Connection,
    integration_id: str,
    external_id: str,
    url: str,
    *,
    active: bool,
    because: str,
    now: Instant,
) -> Watched:
    """It stands there, delivering or not. What is newly disabled is counted.

    Its address cannot change, but may be spelled otherwise there: ours is kept.
    """
    before = get(conn, integration_id)
    same = before.external_id == external_id
    after = replace(
        before,
        external_id=external_id,
        url=before.url if same else url,
        state=State.ACTIVE if active else State.DISABLED,
        because=because,
        checked_at=now,
    )
    if not same:
        after = replace(after, installed_at=None)  # another one, which is not of our making
    if not active and not (same and before.state is State.DISABLED):
        after = replace(after, times_disabled=after.times_disabled + 1, disabled_at=now)
        _tell(conn, events.Type.DISABLED, integration_id, external_id, because, now=now)
    if active and same and before.state is State.DISABLED:
        _tell(conn, events.Type.ENABLED, integration_id, external_id, "", now=now)
    _put(conn, after)
    return after


def enabled(conn: Connection, integration_id: str, external_id: str, *, now: Instant) -> None:
    """We have enabled it again, if it is still the one to look after."""
    before = get(conn, integration_id)
    if before.external_id != external_id:
        return
    _put(
        conn,
        replace(
            before,
            state=State.ACTIVE,
            because="",
            times_enabled=before.times_enabled + 1,
            enabled_at=now,
        ),
    )
    _tell(conn, events.Type.ENABLED, integration_id, external_id, "", now=now)


def missed(conn: Connection, integration_id: str, *, now: Instant) -> None:
    """None leads here: there never was one, or it was deleted, which is counted."""
    before = get(conn, integration_id)
    after = replace(before, because="", checked_at=now)
    if before.external_id is None:
        after = replace(after, state=State.NONE)
    elif before.state is not State.DELETED:
        after = replace(after, state=State.DELETED, times_deleted=before.times_deleted + 1)
        _tell(conn, events.Type.UNSUBSCRIBED, integration_id, before.external_id, "", now=now)
    _put(conn, after)


def hidden(conn: Connection, integration_id: str, because: str, *, now: Instant) -> None:
    """We may not look."""
    before = get(conn, integration_id)
    _put(conn, replace(before, state=State.UNKNOWN, because=because, checked_at=now))


def forget(conn: Connection, integration_id: str) -> None:
    """It need not be the one any more; what was counted stays."""
    _put(
        conn,
        replace(
            get(conn, integration_id),
            external_id=None,
            url=None,
            state=State.UNKNOWN,
            because="",
            installed_at=None,
            checked_at=None,
        ),
    )


def _tell(
    conn: Connection,
    type_: events.Type,
    integration_id: str,
    external_id: str,
    because: str,
    *,
    now: Instant,
) -> None:
    told = {"subscription": external_id, "because": because}
    events.append(conn, type_, told, at=now, integration_id=integration_id)


def _put(conn: Connection, row: Watched) -> None:
    """Keep the row, unless its integration was deleted meanwhile."""
    names, marks = ", ".join(_NAMES), ", ".join(f":{name}" for name in _NAMES)
    sets = ", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])
    conn.execute(
        f"INSERT INTO subscriptions ({names}) SELECT {marks}"
        " WHERE EXISTS (SELECT 1 FROM integrations WHERE id = :integration_id)"
        f" ON CONFLICT (integration_id) DO UPDATE SET {sets}",
        {name: getattr(row, name) for name in _NAMES},
    )


def replaced(conn: Connection, integration_id: str) -> list[str]:
    """Those that are still to be deleted there."""
    rows = conn.execute(
        "SELECT external_id FROM replaced_subscriptions WHERE integration_id = ?"
        " ORDER BY replaced_at, external_id",
        (integration_id,),
    )
    return [row["external_id"] for row in rows]


def note_replaced(
    conn: Connection, integration_id: str, external_ids: Iterable[str], *, now: Instant
) -> None:
    conn.executemany(
        "INSERT INTO replaced_subscriptions (integration_id, external_id, replaced_at)"
        " VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(integration_id, external_id, now) for external_id in external_ids],
    )


def gone(conn: Connection, integration_id: str, external_id: str) -> None:
    """A replaced one has been deleted there."""
    conn.execute(
        "DELETE FROM replaced_subscriptions WHERE integration_id = ? AND external_id = ?",
        (integration_id, external_id),
    )
