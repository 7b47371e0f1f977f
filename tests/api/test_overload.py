"""Deliveries that cannot be kept just now: PagerDuty is told to send them again."""

import asyncio
import sqlite3

import pytest

from imsync.api import webhooks
from imsync.api.context import CONTEXT
from imsync.store.database import Connection

from .asking import until
from .door import FIRST, HOOKS, Door, event


async def test_what_is_larger_than_pagerduty_sends_is_refused(door: Door) -> None:
    """Twice its own limit of 256 KB, which may be counted otherwise: what we refuse is lost."""
    largest = b"x" * 524_288
    assert (await door.knock(largest)).status == 202
    (await door.knock(largest + b"x")).problem(413, "too_large")
    assert len(await door.kept()) == 1


async def test_a_delivery_whose_body_does_not_come_gives_way_to_one_whose_does(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it hold its place for longer than PagerDuty would wait for an answer."""
    monkeypatch.setattr(webhooks, "_AT_ONCE", 3)
    url = door.town.server.make_url(f"{HOOKS}/int_test")
    slow = [await asyncio.open_connection(url.host, url.port) for _ in range(3)]
    head = f"POST {url.path} HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: 9\r\n\r\n"
    context = door.town.server.app[CONTEXT]
    for number, (_, writer) in enumerate(slow, start=1):
        writer.write(head.encode())
        await until(lambda number=number: context.receiving == number)  # type: ignore[misc]
    assert (await door.knock(event("incident.acknowledged"))).status == 202
    reader, _ = slow[0]
    assert b" 503 " in await reader.readline()
    monkeypatch.setattr(webhooks, "_ARRIVES", 0.01)
    await until(lambda: context.receiving == 2)
    late = await door.api("POST", url.path, data=b"", Content_Length="9")
    assert "did not arrive in time" in late.problem(503, "overloaded")
    for _, writer in slow:
        writer.close()
        await writer.wait_closed()


async def test_a_full_disk_is_not_now_and_the_next_try_is_kept(door: Door) -> None:
    body = b"x" * 200_000
    await door.town.db.run(lambda conn: conn.execute("PRAGMA max_page_count = 1").fetchone())
    answer = await door.knock(body, id_=FIRST)
    answer.problem(503, "database_failed")
    assert int(answer.headers["Retry-After"]) > 0

    await door.town.db.run(lambda conn: conn.execute("PRAGMA max_page_count = 9999").fetchone())
    assert await door.kept() == []
    answer = await door.knock(body, id_=FIRST)
    assert (answer.status, answer.json["fresh"]) == (202, True)


async def test_a_database_that_refuses_is_not_now_either(door: Door) -> None:
    def refuse(conn: Connection) -> None:
        conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )

    await door.town.db.run(refuse)
    (await door.knock(event())).problem(503, "database_failed")
    await door.town.db.run(lambda conn: conn.execute("DROP TRIGGER refuse").fetchone())
    assert (await door.knock(event())).json["fresh"] is True


async def test_more_deliveries_at_once_than_memory_is_for_are_sent_away_for_now(
    held: tuple[Door, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_AT_ONCE", 3)
    door, other = held
    bodies = [event(id=f"01{number}") for number in range(4)]
    waiting = [asyncio.create_task(door.knock(body)) for body in bodies[:3]]
    context = door.town.server.app[CONTEXT]
    await until(lambda: context.receiving == 3 and not context.arriving)
    answer = await door.knock(bodies[3])
    assert "3 deliveries are in hand already" in answer.problem(503, "overloaded")
    assert answer.headers["Retry-After"] == "1"
    (await door.knock(bodies[3], at="int_test/test")).problem(503, "overloaded")
    other.execute("ROLLBACK")
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {202}
    assert (await door.knock(bodies[3])).status == 202


async def test_a_locked_database_is_not_now(
    held: tuple[Door, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the lock is held: PagerDuty waits five seconds and no more."""
    monkeypatch.setattr("imsync.api.webhooks._IN_TIME", 0.05)
    door, other = held
    answer = await door.knock(event(), id_=FIRST)
    answer.problem(503, "overloaded")
    assert int(answer.headers["Retry-After"]) > 0

    monkeypatch.undo()
    other.execute("ROLLBACK")
    assert (await door.knock(event(), id_=FIRST)).status == 202
    assert len(await door.kept()) == 1
