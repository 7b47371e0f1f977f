"""Who is on call, as it was last asked."""

import sqlite3

from imsync.core.fields import Instant
from imsync.store import oncall
from imsync.store.oncall import Of, Roster, Shift
from tests.store.rows import an_integration

BOB = Shift("Bob", "bob@acme.example", 1, "Platform", "Weeks", Instant(1), Instant(2))
ANN = Shift("Ann", None, 2, "Platform", None, None, None)


def test_an_answer_is_kept_replaced_and_dropped(conn: sqlite3.Connection) -> None:
    an_integration(conn)
    assert oncall.get(conn, "int_1", Of.SCHEDULE, "P1") is None
    first, second = Roster([BOB, ANN], Instant(5)), Roster([], Instant(6))
    oncall.put(conn, "int_1", Of.SCHEDULE, "P1", first)
    oncall.put(conn, "int_1", Of.ESCALATION_POLICY, "P1", second)
    assert oncall.get(conn, "int_1", Of.SCHEDULE, "P1") == first
    oncall.put(conn, "int_1", Of.SCHEDULE, "P1", second)
    assert oncall.get(conn, "int_1", Of.SCHEDULE, "P1") == second
    oncall.drop(conn, "int_1", Of.SCHEDULE, "P1")
    assert oncall.get(conn, "int_1", Of.SCHEDULE, "P1") is None
    oncall.clear(conn, "int_1")
    assert oncall.get(conn, "int_1", Of.ESCALATION_POLICY, "P1") is None


def test_an_integration_that_was_deleted_meanwhile_is_no_failure(conn: sqlite3.Connection) -> None:
    oncall.put(conn, "int_9", Of.SCHEDULE, "P1", Roster([], Instant(1)))
    assert oncall.get(conn, "int_9", Of.SCHEDULE, "P1") is None
