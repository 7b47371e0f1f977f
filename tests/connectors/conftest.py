"""A connector and the wire it speaks over, and the facts about PagerDuty where they are."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from imsync.connectors.pagerduty.client import PagerDuty
from tests.openapi.judge import ABSENT, FACTS, OpenApi, openapi

from .wire import Ear, Wire, pagerduty


@pytest.fixture
def wire() -> Iterator[Wire]:
    scripted = Wire()
    with scripted:
        yield scripted


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as open_:
        yield open_


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def pd(session: ClientSession, ear: Ear) -> PagerDuty:
    return pagerduty(session, heard=ear)


@pytest.fixture
def judge() -> OpenApi:
    """The official description of REST, where it is at hand."""
    found = openapi()
    if found is None:
        pytest.skip(ABSENT)
    return found


def recorded(names: str) -> list[Path]:
    """Real or official bodies; none where they are not at hand, which skips whoever asks."""
    return sorted((FACTS / "samples").glob(f"{names}.json"))
