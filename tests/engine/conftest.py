from collections.abc import AsyncIterator

import pytest

from tests.town import Town, town_of


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with town_of() as town:
        await town.connect()
        yield town
