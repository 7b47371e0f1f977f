"""The loops of all integrations: what is in hand when they are dismissed."""

import asyncio
import sqlite3
from random import Random
from typing import Any

import pytest

from imsync.core.fields import Field
from imsync.engine import configure, edits, fleet
from imsync.engine.fleet import Fleet
from imsync.errors import Unavailable
from imsync.store import outbox, writes
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


def fleet_of(db: Database, clock: Clock, there: Silent) -> Fleet:
    return Fleet(
        db=db,
        connects=lambda *_, **__: there,
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
