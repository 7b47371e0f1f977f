"""Forgetting changes nothing that anybody can still ask for, and brings nothing back."""

from imsync.core.fields import Field, Instant
from imsync.engine import explain, keeping
from imsync.engine.explain import Explanation
from imsync.store import inbox
from imsync.store.database import Connection
from tests.town import Town

DAY = 86_400


async def forget(town: Town) -> None:
    made = keeping.Keeping(town.db, town.clock, retention=30 * DAY)
    for _ in range(100):
        if not await made.step():
            return
    raise AssertionError("a round that does not end")


async def why(town: Town, now: Instant) -> list[Explanation]:
    found: list[Explanation] = []
    for field in Field:
        found += (await town.db.read(explain.explain, 1, field, integration=None, now=now))[1]
    return found


def counted(conn: Connection) -> dict[str, int]:
    tables = ("inbox", "journal", "timeline", "events", "writes", "conflicts", "notes_sent")
    return {one: conn.execute(f"SELECT COUNT(*) FROM {one}").fetchone()[0] for one in tables}


async def test_after_forgetting_all_is_told_as_before_and_nothing_is_written(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    for number in range(3):
        await town.edit(title=f"Ours {number}")
        await town.settle()
        await town.act(priority=f"P{number + 1}")
        await town.settle()
    await town.act(title="Theirs")
    town.clock.at += 1_000
    await town.edit(title="Ours, later")
    await town.sweep()
    await town.edit(status="resolved")
    await town.settle()
    town.clock.at += 100 * DAY * 1000
    await town.sweep()
    was, now = await town.db.read(counted), town.clock()
    told, conflicts = await why(town, now), await town.conflicts()

    await forget(town)

    left = await town.db.read(counted)
    shrunk = {table for table in was if left[table] < was[table]}
    assert shrunk == {"inbox", "journal", "timeline", "events", "writes"}
    assert (await why(town, now), await town.conflicts()) == (told, conflicts)
    await town.sweep()
    assert await why(town, now) == told
    assert await town.db.read(counted) == left, "nothing came back as news"


async def test_what_is_young_stays(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    was = await town.db.read(counted)
    await forget(town)
    assert await town.db.read(counted) == was
    assert await town.db.read(inbox.last) > 0
