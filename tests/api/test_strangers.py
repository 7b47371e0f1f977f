"""Deliveries that nobody signed: the log tells of their peer, seldom, and of nothing they say."""

import logging
import sqlite3
from collections.abc import Callable, Sequence

import pytest

from imsync.api import webhooks
from imsync.api.context import CONTEXT
from imsync.api.strangers import LIMIT, MINUTE, NOBODY, Strangers
from imsync.connectors import TRANSLATIONS
from imsync.core.fields import Instant
from imsync.store import events
from imsync.store.sealing import Keyring

from .door import Door, event


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "rightly signed" in one.getMessage()]


async def test_a_peer_is_told_of_once_a_minute_and_how_often_it_knocked(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for at in ("int_test", "int_gone", "int_test"):
        await door.knock(event(data="a secret of theirs"), at=at, by="another secret")
    door.town.clock.at += MINUTE
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


def test_peers_are_told_apart_and_memory_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    strangers = Strangers()
    for number in range(5_000):
        strangers.knocked(f"peer {number}", now=Instant(number * MINUTE))
    assert len(lines(caplog)) == 5_000
    assert len(strangers._peers) == 1_000


def test_however_many_peers_there_are_the_log_has_few_lines_of_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strangers = Strangers()
    for number in range(500):
        strangers.knocked(f"peer {number}", now=Instant(1))
    assert len(lines(caplog)) == 10
    strangers.knocked("peer 499", now=Instant(1 + MINUTE))
    assert "peer 499 was not rightly signed, 2 times" in lines(caplog)[-1]


def test_who_has_a_whole_network_is_one_peer(caplog: pytest.LogCaptureFixture) -> None:
    strangers = Strangers()
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:192.0.2.1"):
        strangers.knocked(address, now=Instant(1))
    told = [line.split()[3] for line in lines(caplog)]
    assert told == ["2001:db8::/64", "2001:db8:0:1::/64", "::ffff:192.0.2.1"]


async def test_whoever_knocks_very_often_is_held_off_until_the_minute_is_over(door: Door) -> None:
    for _ in range(LIMIT):
        (await door.knock(event(), by="another secret")).problem(401, "bad_signature")
    for at in ("int_test", "int_gone", "int_test/test", "int_gone/test"):
        answer = await door.knock(event(), at=at, by="another secret")
        answer.problem(429, "held_off")
        assert int(answer.headers["Retry-After"]) == 60
    door.town.clock.at += MINUTE
    (await door.knock(event(), by="another secret")).problem(401, "bad_signature")


async def test_whoever_only_tries_secrets_is_held_off_as_well(door: Door) -> None:
    """And what they try is no delivery, and counts as none."""
    for _ in range(LIMIT):
        answer = await door.knock(event(), at="int_test/test", by="another secret")
        assert (answer.status, answer.json["valid"]) == (401, False)
    answer = await door.knock(event(), at="int_test/test", by="another secret")
    answer.problem(429, "held_off")
    assert (await door.knock(event(), at="int_test/test")).json == {"valid": True}
    await door.town.counted()
    assert (await door.town.integration()).refused_signatures == 0


async def test_a_good_signature_is_let_in_whoever_else_knocks_from_there(door: Door) -> None:
    """Behind a reverse proxy everybody comes from one address."""
    for _ in range(LIMIT + 1):
        await door.knock(event(), by="another secret")
    assert (await door.knock(event())).status == 202


async def test_refused_deliveries_are_an_event_once_a_minute(door: Door) -> None:
    async def told() -> list[int]:
        await door.town.counted()
        look = await door.town.db.read(
            events.after, 0, integration_id="int_test", incident_id=None, limit=100
        )
        return [one.data["deliveries"] for one in look.events if one.type == events.Type.REFUSED]

    await door.knock(event(), by="another secret")
    assert await told() == [1]
    for _ in range(3):
        await door.knock(event(), by="another secret")
        await door.knock(event(), at="int_gone", by="another secret")
    assert await told() == [1]
    door.town.clock.at += MINUTE
    assert await told() == [1, 3]
    assert (await door.town.integration()).refused_signatures == 4


async def test_an_answer_to_a_stranger_waits_for_no_disk(
    held: tuple[Door, sqlite3.Connection],
) -> None:
    """Somebody else holds the file, so that nothing can be written; nobody notices from outside."""
    door, other = held
    for at in ("int_test", "int_gone"):
        (await door.knock(event(), at=at, by="another secret")).problem(401, "bad_signature")
    other.execute("ROLLBACK")
    assert (await door.town.integration()).refused_signatures == 1


async def test_an_unknown_id_costs_what_a_wrong_signature_does(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret is opened or sealed, a signature is worked out over all of the body, and a count
    is kept, whatever there is."""
    ciphered: list[str] = []
    for name in ("open", "seal"):
        monkeypatch.setattr(Keyring, name, _noting(ciphered, getattr(Keyring, name)))
    tried: list[int] = []
    proves = TRANSLATIONS["pagerduty"].proves

    def proving(secrets: Sequence[str], signature: str | None, body: bytes) -> bool:
        tried.append(len([one for one in secrets if one]))
        return proves(secrets, signature, body)

    monkeypatch.setattr(TRANSLATIONS["pagerduty"], "proves", proving)
    refusals = door.town.server.app[CONTEXT].refusals
    counted: list[str] = []
    monkeypatch.setattr(refusals, "count", counted.append)
    await door.knock(event(), by="another secret")
    await door.knock(event(), at="int_gone", by="another secret")
    await door.town.db.run(lambda conn: conn.execute("DELETE FROM webhook_secrets").rowcount)
    await door.knock(event(), by="another secret")
    assert tried == [1, 1, 1]
    assert counted == ["int_test", NOBODY, "int_test"]
    assert ciphered == ["open", "seal", "seal"], "of 60 µs in 300 anybody can make out an id"


def _noting(noted: list[str], method: Callable[..., str]) -> Callable[..., str]:
    """The same, and it notes its name."""

    def called(*given: object) -> str:
        noted.append(method.__name__)
        return method(*given)

    return called


async def test_what_signs_for_nobody_opens_no_door(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_NOBODYS", "guessed")
    await door.town.db.run(lambda conn: conn.execute("DELETE FROM webhook_secrets").rowcount)
    for at in ("int_gone", "int_test"):
        (await door.knock(event(), at=at, by="guessed")).problem(401, "bad_signature")
