import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.town import Town, town_of

from .asking import Api, House, house_of
from .door import Door, door_of


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with house_of() as house:
        yield house


@pytest.fixture
def api(house: House) -> Api:
    return house.api


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with town_of() as town:
        await town.connect()
        yield town


@pytest.fixture
async def door(town: Town) -> Door:
    return await door_of(town)


@pytest.fixture
async def linked(town: Town, door: Door) -> str:
    """The external id of an incident that stands on both sides."""
    await town.declare("Start")
    await town.settle()
    return await town.external_id()


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[tuple[Door, sqlite3.Connection]]:
    """A door whose database somebody else is writing to, until they say ROLLBACK."""
    path = tmp_path / "imsync.db"
    async with town_of(path) as town:
        await town.connect()
        door = await door_of(town)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield door, other
        other.close()
