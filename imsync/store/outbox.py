"""The outbox: what we owe the outside. Link and field, not values: those are read when sent.
Notes are owed beside them, one by one, and so is an incident that is to be created.

    (nothing owed) --owe--> pending --claim--> sending --settle--> (nothing owed)
                               ^---put_off--------'

A claim is a lease. If the process dies in mid-send the lease ends and the work is
claimed again, so it is never forgotten. Attempts are counted by the claim, so even
a crash counts. Whoever lost the lease has no say: `settle` and `put_off` ask for the
attempt that they belong to.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from imsync.core.fields import Field, Instant
from imsync.store.database import Connection

CREATE = "create"
"""Owed instead of a field: the incident itself is not there yet."""

_NOTE = "note:"


def note(entry: int) -> str:
    """Owed as well: a note, by the number of its line in the timeline."""
    return f"{_NOTE}{entry}"


def note_of(what: str) -> int | None:
    """Which note this is, if it is one."""
    return int(what.removeprefix(_NOTE)) if what.startswith(_NOTE) else None


_HELD = "link_id = ? AND what = ? AND attempt = ? AND state = 'sending'"


@dataclass(frozen=True, slots=True)
class Claim:
    """The lease on everything that is due on one link: what is owed -> attempt."""

    link_id: int
    attempts: dict[str, int]

    @property
    def attempt(self) -> int:
        return max(self.attempts.values())

    def only(self, whats: Iterable[str]) -> "Claim":
        """The lease on these alone."""
        return Claim(self.link_id, {what: self.attempts[what] for what in whats})

    @property
    def creates(self) -> bool:
        return CREATE in self.attempts

    @property
    def fields(self) -> list[Field]:
        return [Field(what) for what in self.attempts if what in list(Field)]

    @property
    def notes(self) -> list[int]:
        """The notes' numbers, oldest first."""
        return sorted(n for what in self.attempts if (n := note_of(what)) is not None)


def owe(conn: Connection, link_id: int, what: str, *, handicap: int, now: Instant) -> None:
    """Owe a field (or CREATE). What is owed already is joined, and keeps its place and its wait."""
    conn.execute(
        "INSERT INTO outbox (link_id, what, owed_at, due_at, handicap) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (link_id, what) DO UPDATE SET handicap = excluded.handicap",
        (link_id, what, now, now, handicap),
    )


def disown(conn: Connection, link_id: int, what: str) -> None:
    """Nothing is owed after all. What is being sent or in doubt stays: its outcome decides anew.

    Everything else of the link waits for that outcome, and nobody asks for it but who owes.
    """
    conn.execute(
        "DELETE FROM outbox AS o WHERE o.link_id = ? AND o.what = ? AND o.state = 'pending'"
        " AND NOT EXISTS (SELECT 1 FROM writes w WHERE w.link_id = o.link_id"
        "                  AND w.field = o.what AND w.state IN ('sending', 'unknown'))",
        (link_id, what),
    )


def next_due(conn: Connection, integration_id: str, *, creates: bool = True) -> Instant | None:
    """When the earliest pending work of the integration is due; None if there is none.

    `creates` False leaves creations out.
    """
    row = conn.execute(
        "SELECT MIN(o.due_at) FROM outbox o JOIN links l ON l.id = o.link_id"
        " WHERE l.integration_id = ? AND o.state = 'pending' AND (? OR o.what <> 'create')",
        (integration_id, creates),
    ).fetchone()
    return row[0] if row[0] is None else Instant(row[0])


def claim(
    conn: Connection, integration_id: str, *, creates: bool = True, now: Instant, lease: int
) -> Claim | None:
    """Lease all that is due on the link that comes first, for `lease` ms.

    First is what was owed earliest, each with its handicap (core.schedule). `creates` False
    leaves creations for later.
    """
    first = conn.execute(
        "SELECT o.link_id FROM outbox o JOIN links l ON l.id = o.link_id"
        " WHERE l.integration_id = ? AND o.state = 'pending' AND o.due_at <= ?"
        "   AND (? OR o.what <> 'create')"
        "   AND NOT EXISTS (SELECT 1 FROM outbox s WHERE s.link_id = o.link_id"
        "                    AND s.state = 'sending')"
        " ORDER BY o.owed_at + o.handicap, o.link_id LIMIT 1",
        (integration_id, now, creates),
    ).fetchone()
    if first is None:
        return None
    return lease_all(conn, first["link_id"], now=now, lease=lease)


def in_order(conn: Connection, integration_id: str) -> list[int]:
    """The links that owe something which nobody is sending, in the order of `claim`."""
    rows = conn.execute(
        "SELECT o.link_id FROM outbox o JOIN links l ON l.id = o.link_id"
        " WHERE l.integration_id = ? AND NOT EXISTS"
        "   (SELECT 1 FROM outbox s WHERE s.link_id = o.link_id AND s.state = 'sending')"
        " GROUP BY o.link_id ORDER BY MIN(o.owed_at + o.handicap), o.link_id",
        (integration_id,),
    )
    return [row["link_id"] for row in rows]


_PLAIN = """
    FROM outbox o JOIN links l ON l.id = o.link_id
   WHERE l.integration_id = :integration AND o.state = 'pending' AND o.due_at <= :now
     AND NOT EXISTS (SELECT 1 FROM outbox s WHERE s.link_id = o.link_id
                      AND (s.state = 'sending' OR s.what IN ('create', 'description')
                           OR s.what LIKE 'note:%'))
     AND NOT EXISTS (SELECT 1 FROM writes w WHERE w.link_id = o.link_id
                      AND w.state IN ('sending', 'unknown'))
"""
"""Owed on links that owe plain fields alone, and have nothing in doubt."""


def count_plain(conn: Connection, integration_id: str, *, now: Instant) -> int:
    """On how many links nothing but plain fields is due."""
    row = conn.execute(
        f"SELECT COUNT(DISTINCT o.link_id) {_PLAIN}", {"integration": integration_id, "now": now}
    ).fetchone()
    return int(row[0])


def claim_plain(
    conn: Connection, integration_id: str, *, most: int, now: Instant, lease: int
) -> list[Claim]:
    """Lease what is due on the first so many of those links, in the order of `claim`."""
    rows = conn.execute(
        f"SELECT o.link_id {_PLAIN} GROUP BY o.link_id"
        " ORDER BY MIN(o.owed_at + o.handicap), o.link_id LIMIT :most",
        {"integration": integration_id, "now": now, "most": most},
    ).fetchall()
    return [lease_all(conn, row["link_id"], now=now, lease=lease) for row in rows]


def lease_all(conn: Connection, link_id: int, *, now: Instant, lease: int) -> Claim:
    """Lease all that is due on one link."""
    rows = conn.execute(
        "UPDATE outbox SET state = 'sending', attempt = attempt + 1, leased_until = :until"
        " WHERE link_id = :link AND state = 'pending' AND due_at <= :now"
        " RETURNING what, attempt",
        {"link": link_id, "now": now, "until": now + lease},
    ).fetchall()
    return Claim(link_id, {row["what"]: row["attempt"] for row in rows})


def join(conn: Connection, claim: Claim, what: str, *, now: Instant) -> None:
    """Owe this as well, and let the claim hold it as long as it holds the rest."""
    conn.execute(
        "INSERT INTO outbox (link_id, what, state, owed_at, due_at, attempt, leased_until)"
        " SELECT link_id, ?, 'sending', ?, ?, 1, leased_until FROM outbox"
        "  WHERE link_id = ? AND state = 'sending' LIMIT 1"
        " ON CONFLICT (link_id, what) DO UPDATE SET state = 'sending',"
        "   attempt = outbox.attempt + 1, leased_until = excluded.leased_until",
        (what, now, now, claim.link_id),
    )
    attempt = conn.execute(
        "SELECT attempt FROM outbox WHERE link_id = ? AND what = ?", (claim.link_id, what)
    ).fetchone()
    if attempt is not None:  # the claim's own lease may have been lost meanwhile
        claim.attempts[what] = attempt["attempt"]


def holds(conn: Connection, claim: Claim, whats: Iterable[str]) -> bool:
    """Whether the lease on these is still this claim's."""
    return all(
        conn.execute(
            f"SELECT 1 FROM outbox WHERE {_HELD}", (claim.link_id, what, claim.attempts[what])
        ).fetchone()
        for what in whats
    )


def held(conn: Connection, claim: Claim) -> list[str]:
    """What of the claim is not done with, and not another's by now."""
    return [what for what in claim.attempts if holds(conn, claim, [what])]


def settle(conn: Connection, claim: Claim, whats: Iterable[str] | None = None) -> None:
    """These (or all) of the claim are done with: delivered, or found to be no longer owed."""
    for what in claim.attempts if whats is None else whats:
        conn.execute(
            f"DELETE FROM outbox WHERE {_HELD}", (claim.link_id, what, claim.attempts[what])
        )


def put_off(conn: Connection, claim: Claim, *, until: Instant, because: str) -> None:
    for what, attempt in claim.attempts.items():
        conn.execute(
            "UPDATE outbox SET state = 'pending', leased_until = NULL, due_at = ?, last_error = ?"
            f" WHERE {_HELD}",
            (until, because, claim.link_id, what, attempt),
        )


def hurry(conn: Connection, integration_id: str, *, now: Instant) -> None:
    """What waits because it failed need not wait any longer."""
    conn.execute(
        "UPDATE outbox SET due_at = ? WHERE state = 'pending' AND due_at > ?"
        " AND last_error IS NOT NULL"
        " AND link_id IN (SELECT id FROM links WHERE integration_id = ?)",
        (now, now, integration_id),
    )


def give_back(conn: Connection, claim: Claim, whats: Iterable[str] | None = None) -> None:
    """Return the lease on these (or all) as if it had never been taken: nothing of it failed."""
    for what in claim.attempts if whats is None else whats:
        conn.execute(
            "UPDATE outbox SET state = 'pending', leased_until = NULL, attempt = attempt - 1"
            f" WHERE {_HELD}",
            (claim.link_id, what, claim.attempts[what]),
        )


def expired(conn: Connection, integration_id: str, *, now: Instant) -> list[int]:
    """The links with a lease that has run out: whoever held it is gone."""
    rows = conn.execute(
        "SELECT DISTINCT o.link_id FROM outbox o JOIN links l ON l.id = o.link_id"
        " WHERE l.integration_id = ? AND o.state = 'sending' AND o.leased_until <= ?",
        (integration_id, now),
    )
    return [row["link_id"] for row in rows]


def end_leases(
    conn: Connection, *, integration_id: str | None = None, link_id: int | None = None
) -> None:
    """End the leases of a link or an integration, or all: nobody who held one is at work."""
    conn.execute(
        "UPDATE outbox SET state = 'pending', leased_until = NULL WHERE state = 'sending'"
        " AND (?1 IS NULL OR link_id = ?1) AND (?2 IS NULL OR link_id IN"
        " (SELECT id FROM links WHERE integration_id = ?2))",
        (link_id, integration_id),
    )


def owed(conn: Connection, link_id: int) -> dict[str, str]:
    """What is owed on a link -> its state."""
    rows = conn.execute("SELECT what, state FROM outbox WHERE link_id = ?", (link_id,))
    return {row["what"]: row["state"] for row in rows}


def attempted(conn: Connection, link_id: int) -> list[str]:
    """What is owed on a link and was tried before, also if it is being tried again just now."""
    rows = conn.execute(
        "SELECT what FROM outbox WHERE link_id = ? AND attempt > (state = 'sending')"
        " ORDER BY owed_at",
        (link_id,),
    )
    return [row["what"] for row in rows]


def everything(conn: Connection) -> set[tuple[int, str]]:
    """All that is owed: (link, what)."""
    rows = conn.execute("SELECT link_id, what FROM outbox")
    return {(row["link_id"], row["what"]) for row in rows}


def forget(conn: Connection, link_id: int) -> None:
    """Nothing at all is owed on the link any more."""
    conn.execute("DELETE FROM outbox WHERE link_id = ?", (link_id,))


def pending(conn: Connection, integration_id: str) -> tuple[int, Instant | None]:
    """How much an integration owes, and since when the oldest of it."""
    row = conn.execute(
        "SELECT COUNT(*), MIN(o.owed_at) FROM outbox o JOIN links l ON l.id = o.link_id"
        " WHERE l.integration_id = ?",
        (integration_id,),
    ).fetchone()
    return row[0], row[1]
