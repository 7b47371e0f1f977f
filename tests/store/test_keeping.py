"""What is forgotten, table by table, and what never is."""

import sqlite3

import pytest

from imsync.core.fields import Edit, Field, Instant
from imsync.store import dead_letters, events, inbox, incidents, journal, keeping, links
from tests.store.rows import an_integration, some_incidents

OLD, BEFORE, NEW = Instant(2_000), Instant(3_000), Instant(4_000)
RULES = {rule.table: rule for rule in keeping.RULES}


@pytest.fixture(autouse=True)
def link(conn: sqlite3.Connection) -> int:
    some_incidents(conn, 2)
    an_integration(conn)
    conn.execute("UPDATE integrations SET log_read_to = ?", (NEW,))
    conn.execute("DELETE FROM events")
    return links.create(conn, integration_id="int_1", incident_id=1, external_id="PX", now=OLD)


def left(conn: sqlite3.Connection, table: str, *, window: int = 2) -> list[int]:
    """The rows that stay, by their numbers, after one whole round in small steps."""
    after = 0
    while step := keeping.prune(conn, RULES[table], after=after, before=BEFORE, window=window):
        after = step.read_to
    return [row[0] for row in conn.execute(f"SELECT id FROM {table} ORDER BY id")]


def over(conn: sqlite3.Connection, at: int) -> None:
    conn.execute(
        "UPDATE incident_fields SET value = 'resolved', at = ? WHERE field = 'status'", (at,)
    )


def put(conn: sqlite3.Connection, name: str, at: Instant) -> None:
    assert inbox.put(
        conn,
        integration_id="int_1",
        delivery_id=name,
        event_id=name,
        event_type="incident.resolved",
        external_id="PX",
        incident_key=None,
        body=b"{}",
        now=at,
    )


def test_deliveries_that_wait_or_lie_with_a_dead_letter_stay(conn: sqlite3.Connection) -> None:
    for name in ("done", "pending", "dead", "discarded"):
        put(conn, name, OLD)
    put(conn, "new", NEW)
    put(conn, "newest", OLD)
    for id_ in (1, 5, 6):
        inbox.mark_done(conn, id_, "applied")
    for id_ in (3, 4):
        inbox.mark_dead(conn, id_, "no sense")
    dead_letters.bury(
        conn,
        integration_id="int_1",
        inbox_id=3,
        direction="inbound",
        field=None,
        code="x",
        message="x",
        hint="",
        attempts=1,
        body="{}",
        now=OLD,
    )
    assert left(conn, "inbox") == [2, 3, 5, 6]
    assert dead_letters.count(conn, "int_1") == 1, "nothing takes a dead letter along"
    dead_letters.discard(conn, 1, now=Instant(1))
    assert left(conn, "inbox") == [2, 5, 6]


def test_of_the_journal_the_last_of_every_verdict_stays(
    conn: sqlite3.Connection, link: int
) -> None:
    for verdict, field, at in (
        ("push", Field.TITLE, OLD),
        ("push", Field.TITLE, OLD),
        ("adopt", Field.TITLE, OLD),
        ("push", Field.STATUS, OLD),
        ("keep", Field.STATUS, NEW),
        ("keep", Field.STATUS, NEW),
    ):
        conn.execute(
            "INSERT INTO journal (at, link_id, field, verdict, because, platform, platform_at)"
            " VALUES (?, ?, ?, ?, '', '\"x\"', 1)",
            (at, link, field, verdict),
        )
    assert left(conn, "journal") == [2, 3, 4, 5, 6]
    assert len(journal.of_field(conn, link, Field.TITLE)) == 2


def test_of_a_timeline_only_followed_changes_go_and_none_of_an_open_incident(
    conn: sqlite3.Connection,
) -> None:
    conn.execute("DELETE FROM timeline")
    for kind, field, at in (
        ("declared", None, OLD),
        ("changed", "title", OLD),
        ("note", None, OLD),
        ("changed", "title", OLD),
        ("changed", "status", OLD),
        ("changed", "title", NEW),
    ):
        conn.execute(
            "INSERT INTO timeline (incident_id, at, kind, field) VALUES (1, ?, ?, ?)",
            (at, kind, field),
        )
    assert left(conn, "timeline") == [1, 2, 3, 4, 5, 6]
    over(conn, NEW)
    assert left(conn, "timeline") == [1, 2, 3, 4, 5, 6], "it is over for a short time only"
    over(conn, OLD)
    assert left(conn, "timeline") == [1, 3, 5, 6]


def test_events_go_without_a_hole(conn: sqlite3.Connection) -> None:
    """A late one among the newer ones stays: a stream that resumes must not miss one unsaid."""
    for at in (OLD, OLD, NEW, OLD, NEW):
        events.append(conn, events.Type.CHANGED, {}, at=at, incident_id=1)
    first = events.span(conn)[0] + 1
    assert left(conn, "events") == [first + 2, first + 3, first + 4]
    assert events.after(conn, first, limit=9).missed
    conn.execute("UPDATE events SET at = ?", (OLD,))
    assert left(conn, "events") == [first + 4], "the newest is never forgotten"


@pytest.mark.parametrize(
    ("why", "change"),
    {
        "the log has not been read that far": "UPDATE integrations SET log_read_to = 1",
        "the log was never read": "UPDATE integrations SET log_read_to = NULL",
        "the incident is open": "UPDATE incident_fields SET value = 'open' WHERE field = 'status'",
        "it is in doubt": "UPDATE writes SET state = 'unknown', at = NULL",
        "no other has landed": "DELETE FROM writes WHERE id = 2",
        "it may have created what is looked for": "UPDATE links SET state = 'creating'",
    }.items(),
)
def test_writes_that_are_still_asked_for_stay(
    conn: sqlite3.Connection, link: int, why: str, change: str
) -> None:
    over(conn, OLD)
    for at in (2_000, 2_001, 3_500):
        conn.execute(
            "INSERT INTO writes (link_id, field, as_of, value, platform, edit_at, sent_at, at,"
            " state) VALUES (?, ?, 1, '\"x\"', '\"x\"', 1, ?, ?, 'done')",
            (link, "title" if at < BEFORE else "status", at, at),
        )
    conn.execute("SAVEPOINT before")
    conn.execute(change)
    assert 1 in left(conn, "writes"), why
    conn.execute("ROLLBACK TO before")
    assert left(conn, "writes") == [2, 3]


def test_a_step_looks_at_so_many_rows_and_no_more(conn: sqlite3.Connection) -> None:
    for number in range(5):
        put(conn, str(number), OLD)
        inbox.mark_done(conn, number + 1, "applied")
    step = keeping.prune(conn, RULES["inbox"], after=0, before=BEFORE, window=3)
    assert step == keeping.Pruned(read_to=3, rows=3)
    put(conn, "next", NEW)
    assert inbox.last(conn) == 6, "no number is given out twice"


def test_what_is_left_tells_the_value_of_now(conn: sqlite3.Connection) -> None:
    value = incidents.get(conn, 1).edits[Field.TITLE]
    for table in RULES:
        left(conn, table)
    assert incidents.get(conn, 1).edits[Field.TITLE] == value == Edit("title 0", Instant(1_000))
