"""Deliveries: kept once, applied in order per incident, held back while a write is under way."""

import sqlite3

import pytest

from imsync.core.fields import Edit, Field, Instant
from imsync.store import inbox, links, outbox, writes
from tests.store.rows import an_integration, some_incidents

T0 = Instant(10_000)


@pytest.fixture(autouse=True)
def integration(conn: sqlite3.Connection) -> str:
    some_incidents(conn, 2)
    return an_integration(conn)


def put(conn: sqlite3.Connection, delivery: str, **given: str | None) -> bool:
    values = {"event_id": f"event {delivery}", "external_id": "PX", "incident_key": None, **given}
    return inbox.put(
        conn,
        integration_id="int_1",
        delivery_id=delivery,
        event_type="incident.acknowledged",
        body=b"{}",
        now=T0,
        **values,
    )


def take(conn: sqlite3.Connection, at: int = T0) -> int | None:
    found = inbox.take(conn, "int_1", now=Instant(at))
    return found.id if found else None


def test_a_repeat_is_not_kept_twice(conn: sqlite3.Connection) -> None:
    assert put(conn, "a")
    assert not put(conn, "a")
    assert not put(conn, "b", event_id="event a"), "another subscription told us the same"
    assert inbox.count_pending(conn, "int_1") == 1
    assert inbox.any_pending(conn, "int_1")
    assert not inbox.any_pending(conn, "int_2")


def test_in_order_per_incident_and_no_further(conn: sqlite3.Connection) -> None:
    for delivery, incident in (("a", "PX"), ("b", "PX"), ("c", "PY")):
        put(conn, delivery, external_id=incident)
    assert take(conn) == 1
    inbox.put_off(conn, 1, until=Instant(T0 + 50))
    assert take(conn) == 3, "another incident goes on; PX waits for its first"
    inbox.mark_done(conn, 3, "applied")
    assert take(conn) is None
    assert take(conn, T0 + 50) == 1
    inbox.mark_done(conn, 1, "applied")
    assert take(conn) == 2


def test_every_taking_counts(conn: sqlite3.Connection) -> None:
    put(conn, "a")
    for attempt in (1, 2, 3):
        delivery = inbox.take(conn, "int_1", now=T0)
        assert delivery is not None
        assert delivery.attempt == attempt


def test_what_says_nothing_of_an_incident_waits_for_nobody(conn: sqlite3.Connection) -> None:
    put(conn, "a", external_id=None)
    put(conn, "b", external_id=None)
    inbox.put_off(conn, 1, until=Instant(T0 + 50))
    assert take(conn) == 2


def test_waits_for_a_write_and_for_its_outcome(conn: sqlite3.Connection) -> None:
    link = links.create(conn, integration_id="int_1", incident_id=1, external_id="PX", now=T0)
    put(conn, "a")
    outbox.owe(conn, link, "title", handicap=0, now=T0)
    claim = outbox.claim(conn, "int_1", now=T0, lease=100)
    assert claim is not None
    assert take(conn) is None, "a write is under way"

    writes.remember(conn, link, Field.TITLE, as_of=T0, value="x", edit=Edit("x", T0), now=T0)
    writes.doubt(conn, link)
    outbox.put_off(conn, claim, until=Instant(T0 + 99), because="no answer")
    assert take(conn) is None, "nobody knows whether it landed"

    writes.give_up(conn, link)
    assert take(conn) == 1


def test_news_of_what_we_are_creating_waits_until_it_is_linked(conn: sqlite3.Connection) -> None:
    link = links.create(conn, integration_id="int_1", incident_id=2, external_id=None, now=T0)
    outbox.owe(conn, link, outbox.CREATE, handicap=0, now=T0)
    put(conn, "a", external_id="PNEW", incident_key="imsync:INC-2")
    put(conn, "b", external_id="POTHER", incident_key="imsync:INC-1")
    claim = outbox.claim(conn, "int_1", now=T0, lease=100)
    assert claim is not None
    assert take(conn) == 2
    inbox.mark_done(conn, 2, "applied")
    assert take(conn) is None
    outbox.settle(conn, claim)
    assert take(conn) == 1


def test_a_dead_delivery_can_be_tried_anew(conn: sqlite3.Connection) -> None:
    put(conn, "a")
    take(conn)
    inbox.mark_dead(conn, 1, "not JSON")
    assert take(conn) is None
    inbox.revive(conn, 1, now=T0)
    assert take(conn) == 1
