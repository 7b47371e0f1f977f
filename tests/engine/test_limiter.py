"""Permits: within the limit in any minute, and closed for as long as the other side asks."""

import pytest

from imsync.connectors.base import Limits, Operation
from imsync.engine.limiter import Limiter
from tests.conftest import Clock

CREATE, OTHER = Operation.CREATE, Operation.OTHER


def limiter(clock: Clock) -> Limiter:
    return Limiter(900, now=clock, sleep=clock.sleep)


async def test_an_empty_budget_closes_until_it_resets(clock: Clock) -> None:
    permits = limiter(clock)
    permits.heed(Limits(960, 0, 20_000))
    before = clock.at
    await permits.acquire()
    assert clock.at - before >= 20_000
    assert permits.closed_for() == 0


async def test_an_operation_with_a_limit_of_its_own_waits_alone(clock: Clock) -> None:
    permits = limiter(clock)
    permits.heed(Limits(960, 900, 1_000))
    permits.heed(Limits(30, 0, 40_000, CREATE))
    assert permits.closed_for(CREATE) > 39_000
    assert permits.closed_for() == 0
    assert permits.heard == Limits(960, 900, 1_000), "what is shown is the limit on everything"


async def test_the_limit_on_everything_told_by_such_an_operation_closes_everything(
    clock: Clock,
) -> None:
    permits = limiter(clock)
    permits.heed(Limits(960, 900, 1_000))
    permits.heed(Limits(960, 0, 5_000, CREATE))
    assert permits.closed_for() > 4_000
    assert permits.closed_for(CREATE) > 4_000


@pytest.mark.parametrize("first", [10_000, 60_000])
async def test_it_opens_when_the_longest_wait_is_over(clock: Clock, first: int) -> None:
    permits = limiter(clock)
    permits.close(OTHER, for_ms=first)
    permits.close(OTHER, for_ms=30_000)
    assert permits.closed_for() == pytest.approx(max(first, 30_000), abs=10)


async def test_what_was_heard_of_the_limit_grows_old(clock: Clock) -> None:
    permits = limiter(clock)
    assert permits.full_in is None
    permits.heed(Limits(960, 955, 42_000))
    clock.at += 40_000
    assert permits.full_in == pytest.approx(2_000, abs=10)
    clock.at += 40_000
    assert permits.full_in == 0
