"""The schema: one and the same however it came about, and refusing what cannot be."""

import re
import sqlite3

import pytest

from imsync.core.fields import Field, Instant
from imsync.store import integrations, links, outbox, schema
from imsync.store.sealing import Keyed
from tests.store.rows import an_integration, some_incidents

NOW = Instant(1_000)


def shape(conn: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Every table and index, without comments, white space, and the quotes of a renamed table."""
    rows = conn.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return sorted((row[0], row[1], bare(row[2])) for row in rows)


def bare(sql: str) -> str:
    words = " ".join(word for line in sql.splitlines() for word in line.split("--")[0].split())
    words = words.replace('"', "")
    return re.sub(r" ?([(),]) ?", r"\1", words)  # ALTER TABLE breaks lines where nobody would


def test_migrations_one_by_one_equal_the_schema_from_scratch() -> None:
    climbing = sqlite3.connect(":memory:", isolation_level=None)
    for number, script in schema.migrations():
        schema.run_script(climbing, script, to=number)
    scratch = sqlite3.connect(":memory:", isolation_level=None)
    schema.upgrade(scratch)

    assert shape(climbing) == shape(scratch)
    assert schema.version(climbing) == schema.version(scratch) == schema.latest()
    assert len(shape(scratch)) > 15
    climbing.close()
    scratch.close()


def at_version(number: int) -> sqlite3.Connection:
    """A database as an imsync of then left it, and as the daemon opens it."""
    conn = sqlite3.connect(":memory:", isolation_level=None, factory=Keyed)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA foreign_keys = ON")
    for version, script in schema.migrations()[:number]:
        schema.run_script(conn, script, to=version)
    return conn


def test_a_table_that_is_made_anew_takes_nothing_along_that_refers_to_it() -> None:
    conn = at_version(3)
    an_integration(conn)
    some_incidents(conn, 1)
    link = links.create(conn, integration_id="int_1", incident_id=1, external_id="PX", now=NOW)
    outbox.owe(conn, link, "title", handicap=0, now=NOW)

    schema.upgrade(conn)

    assert schema.version(conn) == schema.latest()
    assert links.get(conn, link).external_id == "PX"
    assert len(links.fields(conn, link)) == len(Field)
    assert outbox.owed(conn, link) == {"title": "pending"}
    assert conn.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    conn.execute("DELETE FROM links")
    assert outbox.owed(conn, link) == {}, "they refer to the table that took its place"
    conn.close()


@pytest.mark.parametrize("table", ["conflicts", "dead_letters", "service_mappings"])
def test_a_number_that_people_know_is_given_out_once(conn: sqlite3.Connection, table: str) -> None:
    """Else what is done to dlq_7 a second time is done to another."""
    an_integration(conn)
    some_incidents(conn, 1)
    link = links.create(conn, integration_id="int_1", incident_id=1, external_id="PX", now=NOW)
    rows = {
        "conflicts": f"(link_id, field, status, strategy, platform, platform_at, external,"
        f" external_at, because, created_at) VALUES ({link}, 'title', 'pending', 's', '', 1, '', 1,"
        " '', 1)",
        "dead_letters": "(integration_id, direction, code, message, attempts, created_at)"
        " VALUES ('int_1', 'inbound', '', '', 1, 1)",
        "service_mappings": "(integration_id, service_id, incident_type, created_at)"
        " VALUES ('int_1', 'P', 'x', 1)",
    }
    insert = f"INSERT INTO {table} {rows[table]} RETURNING id"
    (first,) = conn.execute(insert).fetchone()
    conn.execute(f"DELETE FROM {table}")
    (second,) = conn.execute(insert).fetchone()
    assert second > first


@pytest.mark.parametrize("version", [0, 5, 99, -1])
def test_nothing_is_put_into_another_programs_database(version: int) -> None:
    conn = sqlite3.connect(":memory:", isolation_level=None)
    conn.execute("CREATE TABLE songs (title TEXT)")
    conn.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(sqlite3.DatabaseError, match="it is no database of imsync's"):
        schema.upgrade(conn)
    assert [name for _, name, _ in shape(conn)] == ["songs"]
    conn.close()


def test_a_migration_that_breaks_a_reference_is_undone() -> None:
    conn = at_version(3)
    an_integration(conn)
    some_incidents(conn, 1)
    links.create(conn, integration_id="int_1", incident_id=1, external_id="PX", now=NOW)
    with pytest.raises(sqlite3.IntegrityError, match="refers to what is not in links"):
        schema.run_script(conn, "DELETE FROM links;\n", to=99)
    assert (schema.version(conn), links.count(conn, "int_1")) == (3, 1)
    assert conn.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    conn.close()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _ in schema.migrations()] == list(range(1, schema.latest() + 1))


def test_upgrading_twice_changes_nothing(conn: sqlite3.Connection) -> None:
    before = shape(conn)
    schema.upgrade(conn)
    assert shape(conn) == before


def test_a_database_of_a_newer_imsync_is_left_alone(conn: sqlite3.Connection) -> None:
    conn.execute(f"PRAGMA user_version = {schema.latest() + 1}")
    with pytest.raises(schema.TooNew, match="knows") as caught:
        schema.upgrade(conn)
    assert "run the imsync" in caught.value.hint


def test_a_migration_that_fails_leaves_nothing_behind(conn: sqlite3.Connection) -> None:
    before = shape(conn)
    with pytest.raises(sqlite3.OperationalError):
        schema.run_script(conn, "CREATE TABLE t (a);\nCREATE TABLE t (a);\n", to=99)
    assert shape(conn) == before
    assert schema.version(conn) == schema.latest()


ILLEGAL = {
    "a severity that is none": "INSERT INTO incident_fields VALUES (1, 'severity', 'SEV-9', 1, '')",
    "an incident without a status": "INSERT INTO incident_fields VALUES (1, 'status', NULL, 1, '')",
    "an empty title": "INSERT INTO incident_fields VALUES (1, 'title', '', 1, '')",
    "a field that is none": "INSERT INTO incident_fields VALUES (1, 'colour', 'red', 1, '')",
    "a linked link that leads nowhere": "UPDATE links SET state = 'linked' WHERE id = 1",
    "a gone link that never led anywhere": ("UPDATE links SET state = 'gone' WHERE id = 1"),
    "a second link of an incident in one integration": (
        "INSERT INTO links (integration_id, incident_id, state, created_at)"
        " VALUES ('int_1', 1, 'creating', 1)"
    ),
    "two incidents linked to one": (
        "INSERT INTO links (integration_id, incident_id, state, external_id, created_at)"
        " VALUES ('int_1', 2, 'linked', 'PX', 1), ('int_1', 3, 'linked', 'PX', 1)"
    ),
    "an observation without its time": "UPDATE link_fields SET external = '\"x\"'",
    "work being sent without a lease": (
        "INSERT INTO outbox (link_id, what, state, owed_at, due_at)"
        " VALUES (1, 'title', 'sending', 1, 1)"
    ),
    "a lease on work that is not being sent": (
        "INSERT INTO outbox (link_id, what, owed_at, due_at, leased_until)"
        " VALUES (1, 'title', 1, 1, 1)"
    ),
    "a delivery that is done without an outcome": (
        "INSERT INTO inbox (integration_id, delivery_id, body, received_at, due_at, state)"
        " VALUES ('int_1', 'd', x'00', 1, 1, 'done')"
    ),
    "a write that landed at no time": (
        "INSERT INTO writes (link_id, field, as_of, value, platform, edit_at, sent_at, state)"
        " VALUES (1, 'title', 1, '', '', 1, 1, 'done')"
    ),
    "a conflict that is decided but still pending": (
        "INSERT INTO conflicts (link_id, field, status, strategy, platform, platform_at, external,"
        " external_at, because, created_at, resolved_at)"
        " VALUES (1, 'title', 'pending', 'manual-review', '', 1, '', 1, '', 1, 1)"
    ),
    "an outbound dead letter of no link": (
        "INSERT INTO dead_letters (integration_id, direction, code, message, attempts, created_at)"
        " VALUES ('int_1', 'outbound', 'x', 'x', 1, 1)"
    ),
    "a change of no field in a timeline": (
        "INSERT INTO timeline (incident_id, at, kind) VALUES (1, 1, 'changed')"
    ),
    "a strategy that is none": "UPDATE integrations SET conflict_strategy = 'coin'",
    "a direction that is none": "UPDATE integrations SET sync_direction = 'sideways'",
    "a limit of no requests": "UPDATE integrations SET rate_limit = 0",
    "an owner who is neither": "INSERT INTO field_rules VALUES ('int_1', 'title', 'me', 1, 0)",
    "a subscription that is active but not known": (
        "INSERT INTO subscriptions VALUES"
        " ('int_1', NULL, NULL, 'active', '', NULL, 1, 0, 0, 0, NULL, NULL)"
    ),
    "a subscription that leads nowhere": (
        "INSERT INTO subscriptions VALUES"
        " ('int_1', 'PHOOK', NULL, 'unknown', '', NULL, 1, 0, 0, 0, NULL, NULL)"
    ),
    "people on call for what is neither": (
        "INSERT INTO oncall_cache VALUES ('int_1', 'team', 'P1', '[]', 1)"
    ),
    "a link of no incident": (
        "INSERT INTO links (integration_id, incident_id, state, created_at)"
        " VALUES ('int_1', 99, 'creating', 1)"
    ),
}


@pytest.mark.parametrize("statement", ILLEGAL.values(), ids=list(ILLEGAL))
def test_the_schema_refuses(conn: sqlite3.Connection, statement: str) -> None:
    an_integration(conn)
    some_incidents(conn, 3)
    links.create(conn, integration_id="int_1", incident_id=1, external_id=None, now=NOW)
    with pytest.raises(sqlite3.IntegrityError):
        conn.execute(statement)


def test_deleting_an_integration_takes_its_own_along_and_no_incident(
    conn: sqlite3.Connection,
) -> None:
    an_integration(conn)
    some_incidents(conn, 1)
    link = links.create(conn, integration_id="int_1", incident_id=1, external_id="PX", now=NOW)
    outbox.owe(conn, link, "title", handicap=0, now=NOW)

    integrations.delete(conn, "int_1", now=NOW)

    left = {
        table: conn.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        for table in ("links", "link_fields", "outbox", "incidents")
    }
    assert left == {"links": 0, "link_fields": 0, "outbox": 0, "incidents": 1}
