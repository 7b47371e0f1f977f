"""What is owed: claimed once, fenced, counted by the claim, forgotten by nobody."""

import sqlite3

import pytest

from imsync.core.fields import Instant
from imsync.store import links, outbox
from tests.store.rows import an_integration, some_incidents

T0 = Instant(10_000)


@pytest.fixture
def link(conn: sqlite3.Connection) -> int:
    an_integration(conn)
    some_incidents(conn, 3)
    for number in (2, 3):
        a_link(conn, number)
    return a_link(conn, 1)


def a_link(conn: sqlite3.Connection, incident: int) -> int:
    return links.create(
        conn,
        integration_id="int_1",
        incident_id=incident,
        external_id=f"P{incident}",
        now=Instant(1),
    )


def owe(conn: sqlite3.Connection, link: int, what: str, handicap: int = 0, at: int = T0) -> None:
    outbox.owe(conn, link, what, handicap=handicap, now=Instant(at))


def claim(conn: sqlite3.Connection, at: int = T0) -> outbox.Claim | None:
    return outbox.claim(conn, "int_1", now=Instant(at), lease=100)


def test_a_claim_takes_all_that_is_due_on_one_link(conn: sqlite3.Connection, link: int) -> None:
    owe(conn, link, "title")
    owe(conn, link, "status")
    owe(conn, 1, "title", at=T0 + 5)

    first = claim(conn, T0 + 5)
    second = claim(conn, T0 + 5)

    assert first == outbox.Claim(link, {"title": 1, "status": 1})
    assert second == outbox.Claim(1, {"title": 1})
    assert claim(conn, T0 + 5) is None


def test_what_is_owed_twice_is_owed_once(conn: sqlite3.Connection, link: int) -> None:
    owe(conn, link, "title")
    owe(conn, link, "title", at=T0 + 1)
    assert outbox.pending(conn, "int_1") == (1, T0)


def test_the_severe_overtake_and_nothing_starves(conn: sqlite3.Connection, link: int) -> None:
    owe(conn, link, "title", handicap=20_000)
    owe(conn, 1, "status", handicap=0, at=T0 + 5_000)
    owe(conn, 2, "status", handicap=0, at=T0 + 25_000)

    order = [claim(conn, T0 + 30_000) for _ in range(3)]

    assert [one.link_id if one else None for one in order] == [1, link, 2]


def test_whoever_lost_the_lease_has_no_say(conn: sqlite3.Connection, link: int) -> None:
    owe(conn, link, "title")
    slow = claim(conn)
    assert slow is not None
    outbox.end_leases(conn)
    fast = claim(conn)
    assert fast is not None
    assert fast.attempt == 2

    outbox.settle(conn, slow)
    outbox.put_off(conn, slow, until=Instant(T0 + 99), because="too slow")

    assert not outbox.holds(conn, slow, ["title"])
    assert outbox.holds(conn, fast, ["title"])
    assert outbox.owed(conn, link) == {"title": "sending"}


def test_put_off_waits_and_keeps_counting(conn: sqlite3.Connection, link: int) -> None:
    owe(conn, link, "title")
    first = claim(conn)
    assert first is not None
    outbox.put_off(conn, first, until=Instant(T0 + 1_000), because="503")

    assert claim(conn, T0 + 999) is None
    assert outbox.next_due(conn, "int_1") == T0 + 1_000
    again = claim(conn, T0 + 1_000)
    assert again is not None
    assert again.attempt == 2


def test_given_back_it_was_never_tried(conn: sqlite3.Connection, link: int) -> None:
    owe(conn, link, "title")
    first = claim(conn)
    assert first is not None
    outbox.give_back(conn, first)
    again = claim(conn)
    assert again is not None
    assert again.attempt == 1


def test_an_edit_in_mid_send_cannot_take_the_lease_away(
    conn: sqlite3.Connection, link: int
) -> None:
    owe(conn, link, "title")
    sending = claim(conn)
    assert sending is not None
    owe(conn, link, "title", at=T0 + 1)
    outbox.disown(conn, link, "title")
    assert outbox.holds(conn, sending, ["title"])


def test_while_a_link_is_being_written_nobody_else_writes_to_it(
    conn: sqlite3.Connection, link: int
) -> None:
    owe(conn, link, "title")
    assert claim(conn) is not None
    owe(conn, link, "status")
    assert claim(conn) is None
