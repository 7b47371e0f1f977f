"""Deliveries that nobody signed: the log tells of their peer, seldom, and of nothing they say."""

import logging

import pytest

from imsync.api.strangers import QUIET, Strangers
from imsync.core.fields import Instant
from tests.town import Town

from .test_webhooks import Door, door_of, event


@pytest.fixture
async def door(town: Town) -> Door:
    return await door_of(town)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "rightly signed" in one.getMessage()]


async def test_a_peer_is_told_of_once_a_minute_and_how_often_it_knocked(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for at in ("int_test", "int_gone", "int_test"):
        await door.knock(event(data="a secret of theirs"), at=at, by="another secret")
    door.town.clock.at += QUIET
    await door.knock(event(), by="another secret")
    first, second = lines(caplog)
    assert "from 127.0.0.1 was not rightly signed: " in first
    assert "3 times since the last such line" in second
    for word in ("a secret of theirs", "another secret", "v1="):
        assert word not in caplog.text


async def test_what_is_rightly_signed_is_no_alarm(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert (await door.knock(event())).status == 202
    assert lines(caplog) == []


def test_peers_are_told_apart_and_memory_is_bounded() -> None:
    strangers = Strangers()
    told = [strangers.knocked(f"peer {number}", now=Instant(1)) for number in range(5_000)]
    assert set(told) == {1}
    assert strangers.knocked("peer 4999", now=Instant(2)) == 0
    assert strangers.knocked("peer 0", now=Instant(2)) == 1, "it was forgotten"
