"""The loops of all integrations: what is in hand when they are dismissed."""

import asyncio
import sqlite3
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from imsync.core.fields import Field
from imsync.engine import configure, edits, fleet
from imsync.engine.fleet import Fleet
from imsync.engine.status import sync_status
from imsync.errors import Unavailable
from imsync.store import integrations, outbox, writes
from imsync.store.database import Database
from tests.conftest import Clock


class Silent:
    """A neighbour that takes what is to be created and never answers, and is down for the rest."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        async def request(*_: object, **__: object) -> None:
            if name != "create":
                raise Unavailable("503")
            self.asked.set()
            await asyncio.Future()

        return request

    async def list_priorities(self) -> list[Any]:
        return []


def fleet_of(db: Database, clock: Clock, there: Silent, **others: Silent) -> Fleet:
    """`others`: who is there instead for which integration."""
    return Fleet(
        db=db,
        connects=lambda one, **_: others.get(one.id, there),  # type: ignore[arg-type]
        now=clock,
        rng=Random(1),
        drift_interval=60,
        sweep_interval=300,
        rate_limit_share=0.5,
        max_attempts=5,
    )


async def integrated(db: Database, clock: Clock, id_: str) -> None:
    settings = {"name": id_, "token": "t", "default_service": "S", "base_url": "https://p.example"}
    await db.run(
        configure.create,
        id_,
        settings,
        integration_type="pagerduty",
        webhook_secret=None,
        now=clock(),
    )


async def until(db: Database, happened: Callable[[], bool]) -> None:
    """Let the loops go on until that has happened."""
    for _ in range(1_000):
        if happened():
            return
        await db.read(lambda _: None)
    raise AssertionError("it never happens")


class Garbled(Silent):
    """One whose connector has a bug: it answers what nobody can read."""

    asked_for = 0

    async def list_priorities(self) -> list[Any]:
        self.asked_for += 1
        return [None]


async def test_a_bug_costs_its_integration_a_pause_and_the_others_nothing(
    db: Database, clock: Clock
) -> None:
    """It ended the daemon, which was started again, and came upon it again."""
    garbled = Garbled()
    made = fleet_of(db, clock, Silent(), int_g=garbled)
    for id_ in ("int_g", "int_w"):
        await integrated(db, clock, id_)
    await made.start()
    running = asyncio.create_task(made.run())
    await until(db, lambda: "int_g" in made.bugs)
    crew, integration = made.crew("int_g"), await db.read(integrations.get, "int_g")
    assert crew is not None

    async def problems() -> str:
        bug = made.bugs.get("int_g")
        found = await db.read(sync_status, integration, trouble=None, bug=bug, now=clock())
        return str(found["problems"])

    assert "a bug in imsync (AttributeError in drift) holds it up" in await problems()
    crew.drift.bell.ring()
    for _ in range(20):
        await db.read(lambda _: None)
    assert garbled.asked_for == 1, "it would come upon the same"
    clock.at += fleet.PAUSE
    crew.drift.bell.ring()
    await until(db, lambda: garbled.asked_for == 2)
    assert list(made.bugs) == ["int_g"]
    assert not running.done()
    clock.at += 3_600_000
    assert "a bug" not in await problems()
    running.cancel()
    await made.stop()


async def test_what_one_account_tells_is_at_once_owed_to_the_others(
    db: Database, clock: Clock
) -> None:
    """Their loops would look again only half a minute later."""
    made = fleet_of(db, clock, Silent())
    for id_ in ("int_p", "int_q"):
        await integrated(db, clock, id_)
    await made.start()
    one, other = made.crew("int_p"), made.crew("int_q")
    assert one is not None
    assert other is not None
    for tell in (one.inbound.owed, one.drift.owed):
        while await other.outbound.bell.wait(0):
            pass
        tell()
        assert await other.outbound.bell.wait(0)
    await made.stop()


async def test_what_is_cut_short_when_an_integration_is_disabled_is_owed_again(
    db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its lease would be nobody's, and nothing of its link would move until a restart."""
    monkeypatch.setattr(fleet, "SOON", 0.01)
    there = Silent()
    made = fleet_of(db, clock, there)
    await integrated(db, clock, "int_p")
    await db.run(
        edits.declare,
        {Field.TITLE: "Start"},
        integration=None,
        organization_id=None,
        incident_type=None,
        by=None,
        now=clock(),
    )
    await made.start()
    await there.asked.wait()

    await db.run(configure.change, "int_p", {"enabled": False}, webhook_secret=None, now=clock())
    await made.refresh("int_p")

    assert await db.read(outbox.owed, 1) == {outbox.CREATE: "pending"}
    assert await db.read(states) == {"unknown"}
    assert await db.read(writes.unsettled, 1), "it may have been carried out"
    await made.stop()


def states(conn: sqlite3.Connection) -> set[str]:
    return {row["state"] for row in conn.execute("SELECT state FROM writes")}
