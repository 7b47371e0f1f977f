"""The directory: what has been looked up of the other side's names, and when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from imsync.core.fields import Instant, in_words
from imsync.core.maps import NotLookedUp, NoTranslation
from imsync.store.database import Connection

_DOUBTED: Final = 0
"""When a name was checked whose owner may be another by now."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One integration's directory, as it is inside one unit of work."""

    conn: Connection
    integration_id: str

    def id_of(self, kind: str, name: str) -> str:
        """Raises NotLookedUp when nobody asked yet or of late, NoTranslation when there is none."""
        row = self.conn.execute(
            "SELECT external_id, checked_at FROM directory"
            " WHERE integration_id = ? AND kind = ? AND name_key = ?",
            (self.integration_id, kind, name.casefold()),
        ).fetchone()
        if row is None or row["checked_at"] == _DOUBTED:
            raise NotLookedUp(f"the {in_words(kind)} {name!r} has not been looked up yet")
        if row["external_id"] is None:
            raise NoTranslation(f"there is no {in_words(kind)} {name!r} there")
        return str(row["external_id"])

    def name_of(self, kind: str, id_: str) -> str:
        """Raises NotLookedUp when nobody asked yet."""
        row = self.conn.execute(
            "SELECT name FROM directory WHERE integration_id = ? AND kind = ? AND external_id = ?",
            (self.integration_id, kind, id_),
        ).fetchone()
        if row is None:
            raise NotLookedUp(f"the {in_words(kind)} {id_} has not been looked up yet")
        return str(row["name"])

    def names(self, kind: str) -> Sequence[str]:
        rows = self.conn.execute(
            "SELECT name FROM directory"
            " WHERE integration_id = ? AND kind = ? AND external_id IS NOT NULL ORDER BY name",
            (self.integration_id, kind),
        )
        return [row["name"] for row in rows]


def put(
    conn: Connection,
    integration_id: str,
    kind: str,
    name: str,
    external_id: str | None,
    *,
    now: Instant,
) -> None:
    """Keep what a lookup told; an id that had another name before is renamed."""
    if external_id is not None:
        conn.execute(
            "DELETE FROM directory WHERE integration_id = ? AND kind = ? AND external_id = ?"
            " AND name_key <> ?",
            (integration_id, kind, external_id, name.casefold()),
        )
    conn.execute(
        "INSERT INTO directory (integration_id, kind, name, name_key, external_id, checked_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (integration_id, kind, name_key) DO UPDATE"
        " SET name = excluded.name, external_id = excluded.external_id,"
        "     checked_at = excluded.checked_at",
        (integration_id, kind, name, name.casefold(), external_id, now),
    )


def is_known_since(
    conn: Connection, integration_id: str, kind: str, external_id: str | None, *, at: Instant
) -> bool:
    """Whether something later than that has told what this id is called."""
    row = conn.execute(
        "SELECT 1 FROM directory"
        " WHERE integration_id = ? AND kind = ? AND external_id = ? AND checked_at > ?",
        (integration_id, kind, external_id, at),
    ).fetchone()
    return row is not None


def forget_missing(conn: Connection, integration_id: str, *, before: Instant) -> None:
    """Drop what was not found before then: it may exist by now."""
    conn.execute(
        "DELETE FROM directory WHERE integration_id = ? AND external_id IS NULL AND checked_at < ?",
        (integration_id, before),
    )


def doubt(conn: Connection, integration_id: str, kinds: Iterable[str], *, before: Instant) -> None:
    """Have names of these kinds that nothing has confirmed since then asked for again.

    Somebody or something else may go by them now, and nobody tells of that. What an id is
    called is still answered meanwhile: it is for reading, and the next look puts it right.
    """
    conn.executemany(
        "UPDATE directory SET checked_at = ? WHERE integration_id = ? AND kind = ?"
        " AND external_id IS NOT NULL AND checked_at < ? AND checked_at <> ?",
        [(_DOUBTED, integration_id, kind, before, _DOUBTED) for kind in kinds],
    )


def forget_kind(conn: Connection, integration_id: str, kind: str) -> None:
    conn.execute(
        "DELETE FROM directory WHERE integration_id = ? AND kind = ?", (integration_id, kind)
    )


def clear(conn: Connection, integration_id: str) -> None:
    conn.execute("DELETE FROM directory WHERE integration_id = ?", (integration_id,))
