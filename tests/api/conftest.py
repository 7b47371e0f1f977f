from collections.abc import AsyncIterator

import pytest

from tests.town import Town, town_of

from .asking import Api, House, house_of


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
