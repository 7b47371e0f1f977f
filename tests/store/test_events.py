"""The feed: in the order of the commits, resumed by number, and bounded."""

import sqlite3

import pytest

from imsync.core.fields import Edit, Field, Instant
from imsync.store import dead_letters, events, incidents, integrations, links
from imsync.store.database import Database, undone
from imsync.store.events import Type
from tests.store.rows import an_integration, some_incidents

NOW = Instant(1_000)


@pytest.fixture
def told(conn: sqlite3.Connection) -> sqlite3.Connection:
    """Two incidents, the second linked in prod-pd, and an event about each."""
    an_integration(conn)
    some_incidents(conn, 2)
    links.create(conn, integration_id="int_1", incident_id=2, external_id="P2", now=NOW)
    for number in (1, 2):
        incidents.tell(conn, number, at=NOW, kind="note", text=f"note {number}")
    return conn


def texts(conn: sqlite3.Connection, after: int = 0, **filters: object) -> list[str]:
    look = events.after(conn, after, limit=100, **filters)  # type: ignore[arg-type]
    return [event.data["text"] for event in look.events]


def test_they_come_in_order_after_the_number_that_was_read_last(told: sqlite3.Connection) -> None:
    assert texts(told) == ["note 1", "note 2"]
    assert texts(told, after=1) == ["note 2"]
    assert texts(told, after=2) == []
    assert events.span(told) == (0, 2)


def test_no_event_of_what_was_not_kept(told: sqlite3.Connection) -> None:
    with undone(told):
        incidents.tell(told, 1, at=NOW, kind="note", text="taken back")
    assert texts(told) == ["note 1", "note 2"]
    incidents.tell(told, 1, at=NOW, kind="note", text="kept")
    assert events.span(told) == (0, 3), "and no number is left out for it"


def test_an_integrations_events_are_its_own_and_those_of_what_is_linked_there(
    told: sqlite3.Connection,
) -> None:
    an_integration(told, "int_2", "other-pd")
    integrations.suspend(told, "int_1", "because", now=NOW)
    integrations.suspend(told, "int_2", "because", now=NOW)
    bury(told, "int_2")
    look = events.after(told, 0, integration_id="int_1", limit=100)
    assert [(one.type, one.integration) for one in look.events] == [
        (Type.NOTED, None),
        (Type.SUSPENDED, "prod-pd"),
    ]


def test_an_incidents_events_are_about_it(told: sqlite3.Connection) -> None:
    assert texts(told, incident_id=1) == ["note 1"]
    assert texts(told, incident_id=1, integration_id="int_1") == []
    assert texts(told, incident_id=2, integration_id="int_1") == ["note 2"]


def test_a_look_is_bounded_and_says_how_far_it_went(conn: sqlite3.Connection) -> None:
    an_integration(conn)
    some_incidents(conn, 2)
    for _ in range(events.WINDOW + 10):
        incidents.tell(conn, 1, at=NOW, kind="note", text="1")
    incidents.tell(conn, 2, at=NOW, kind="note", text="2")

    first = events.after(conn, 0, incident_id=2, limit=10)
    assert (first.events, first.read_to) == ([], events.WINDOW)
    second = events.after(conn, first.read_to, incident_id=2, limit=10)
    assert [event.data["text"] for event in second.events] == ["2"]
    assert second.read_to == events.WINDOW + 11
    full = events.after(conn, 0, limit=10)
    assert (len(full.events), full.read_to) == (10, 10)
    assert events.after(conn, second.read_to, limit=10).read_to == second.read_to


def test_only_the_last_are_kept_and_no_number_comes_twice(told: sqlite3.Connection) -> None:
    told.execute("UPDATE events SET id = ? WHERE id = 2", (events.KEPT + 1_999,))
    incidents.tell(told, 1, at=NOW, kind="note", text="new")
    look = events.after(told, events.KEPT + 1_998, limit=9)
    assert ([event.data["text"] for event in look.events], look.missed) == (
        ["note 2", "new"],
        False,
    )
    assert events.after(told, events.KEPT + 1_997, limit=9).missed
    assert events.span(told) == (events.KEPT + 1_998, events.KEPT + 2_000)


def test_an_event_outlives_what_it_tells_of(told: sqlite3.Connection) -> None:
    integrations.suspend(told, "int_1", "because", now=NOW)
    integrations.delete(told, "int_1", now=NOW)
    event = events.after(told, 2, limit=1).events[0]
    assert (event.type, event.integration) == (Type.SUSPENDED, "prod-pd")


def test_only_what_changes_is_told(told: sqlite3.Connection) -> None:
    for because in (None, "one", "another", None, None):
        integrations.suspend(told, "int_1", because, now=NOW)
    integrations.note_healed(told, "int_1", 0, now=NOW)
    found = [event.type for event in events.after(told, 2, limit=9).events]
    assert found == [Type.SUSPENDED, Type.RESUMED]


def test_a_note_that_arrives_is_told_once(told: sqlite3.Connection) -> None:
    for external_id in ("PN1", "PN1"):
        incidents.note_sent(told, 1, 2, external_id, now=Instant(NOW + 5))
    (event,) = events.after(told, 2, limit=9).events
    assert event.data == {"by": None, "field": "note", "value": "note 2", "lag_ms": 5}


def test_a_change_says_on_which_side(told: sqlite3.Connection) -> None:
    edit = Edit("b", Instant(500), "ada@acme.example")
    for where in (None, "int_1"):
        incidents.tell_change(told, 2, field=Field.TITLE, old="a", edit=edit, integration_id=where)
    here, there = events.after(told, 2, limit=9).events
    assert (here.at, here.integration, here.data["side"]) == (500, None, "platform")
    assert (there.at, there.integration, there.data["side"]) == (500, "prod-pd", "external")
    assert here.data == {
        "by": "ada@acme.example",
        "side": "platform",
        "field": "title",
        "old": "a",
        "new": "b",
    }


async def test_whoever_waits_hears_of_what_was_written_and_of_nothing_else(db: Database) -> None:
    count = await db.written(since=-1)
    await db.read(lambda conn: conn.execute("SELECT 1").fetchone())
    assert await db.written(since=count - 1) == count, "looking writes nothing"
    await db.run(some_incidents, 1)
    assert await db.written(since=count) == count + 1


def bury(conn: sqlite3.Connection, integration_id: str) -> None:
    dead_letters.bury(
        conn,
        integration_id=integration_id,
        direction="inbound",
        field=None,
        code="x",
        message="x",
        hint="",
        attempts=1,
        body=None,
        now=NOW,
    )
