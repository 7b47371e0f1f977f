"""What is kept, and what a crash may do to it."""

import os
import random
import shutil
import stat
from pathlib import Path

import orjson
import pytest

from imsync.sandbox import founding, ids
from imsync.sandbox.records import Damaged, InUse, Records
from imsync.sandbox.rows import Token, User
from tests.sandbox.conftest import Api, Clock, Make, Receiver


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.jsonl"


def crashed(path: Path) -> Path:
    """The file as a crash at this moment would leave it."""
    left = path.with_name(path.name + "-left")
    shutil.copy(path, left)
    return left


def user(id_: str) -> User:
    return User(id_, id_.title(), f"{id_}@acme.example", "")


async def test_another_life_knows_all_of_the_one_before(
    make: Make, receiver: Receiver, path: Path, clock: Clock
) -> None:
    """The first one is never told to stop."""
    first = await make(state=path)
    subscription = await first.subscribe(receiver.url)
    incident = await first.create("Überall", priority=first.priority(1))
    await first.change(incident, status="acknowledged")
    path_to_notes = f"/incidents/{incident['id']}/notes"
    await first.call("POST", path_to_notes, {"note": {"content": "n"}})
    await first.settle()
    receiver.otherwise = 500
    incident = await first.change(incident, title="New", priority="P2")
    await first.settle()
    await first.subscribe("https://gone.example", events=["incident.resolved"])

    second = await make(state=crashed(path))
    about = {**first.about, "url": ""}
    assert {**second.about, "url": ""} == about

    def moved(shown: object) -> object:
        there = orjson.dumps(shown).decode()
        return orjson.loads(there.replace(first.about["url"], second.about["url"]))

    assert (await second.get(f"/incidents/{incident['id']}"))["incident"] == moved(incident)
    assert len((await second.get(path_to_notes))["notes"]) == 1
    assert await second.log(incident) == moved(await first.log(incident))
    assert len((await second.get("/webhook_subscriptions"))["webhook_subscriptions"]) == 2
    assert (await second.create("next"))["incident_number"] == 2

    receiver.otherwise = 202
    failed = receiver.heard[-1]
    clock.pass_(seconds=100)
    await second.settle()
    retried = receiver.heard[-1]
    assert retried.raw == failed.raw
    assert retried.headers["X-Webhook-Id"] == failed.headers["X-Webhook-Id"]
    assert retried.headers["X-PagerDuty-Signature"] == failed.headers["X-PagerDuty-Signature"]
    assert retried.headers["X-Webhook-Subscription"] == subscription["id"]


async def test_ids_are_not_thrown_again_in_another_life(
    make: Make, receiver: Receiver, path: Path
) -> None:
    seen = list[str]()
    for _ in range(3):
        api = await make(state=path)
        if not seen:
            await api.subscribe(receiver.url)
        seen.append((await api.create())["id"])
        await api.settle()
        await api.sandbox.stop()
    assert len(set(seen)) == 3
    assert len({heard.headers["X-Webhook-Id"] for heard in receiver.heard}) == 3


async def test_the_same_dice_make_the_same_account(make: Make) -> None:
    first, second = await make(), await make()
    assert {**first.about, "url": ""} == {**second.about, "url": ""}
    assert (await first.create())["id"] == (await second.create())["id"]


async def test_a_token_that_is_given_replaces_the_one_that_was_kept(make: Make, path: Path) -> None:
    first = await make(state=path, token="one")
    await first.sandbox.stop()
    second = await make(state=path, token="two")
    assert second.about["token"] == "two"
    stranger = await second.call("GET", "/users", Authorization="Token token=one")
    assert stranger.status == 401


async def test_a_state_from_before_there_were_such_tokens_gets_them(make: Make, path: Path) -> None:
    records = Records(path)
    with records.unit():
        founding.found(records, random.Random(1))
        records.tokens.put(Token("kept", "full"))
    records.close()
    api = await make(state=path)
    assert api.sandbox.token == "kept"
    assert api.sandbox.app_token.startswith("pdus+")
    await api.get("/users/me", Authorization=f"Bearer {api.sandbox.user_token}")


def test_only_the_owner_may_read_it(path: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0o644)
    Records(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_cut_short_is_a_unit_that_never_was(path: Path) -> None:
    records = Records(path)
    with records.unit():
        records.users.put(user("alice"))
    with records.unit():
        records.users.put(user("bob"))
        records.users.put(user("carol"))
    records.close()
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        torn = Records(path)
        assert {row.id for row in torn.users} in (set(), {"alice"}), length
        torn.close()
    path.write_bytes(whole)
    again = Records(path)
    assert len(again.users) == 3
    again.close()


def test_what_the_sandbox_did_not_write_is_not_guessed_at(path: Path) -> None:
    for line in (b"hello\n", b"7\n", b'[["nothing","x",{}]]\n', b'[["user","x",{"a":1}]]\n'):
        path.write_bytes(line)
        with pytest.raises(Damaged, match="line 1"):
            Records(path)


def test_a_unit_that_fails_leaves_nothing_behind(path: Path) -> None:
    records = Records(path)
    with records.unit():
        records.users.put(user("alice"))
    size = path.stat().st_size

    def fail() -> None:
        with records.unit():
            records.users.put(user("bob"))
            records.users.drop("alice")
            with records.unit():
                records.count("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [row.id for row in records.users] == ["alice"]
    assert records.count("x") == 1
    assert path.stat().st_size == size


def test_a_unit_that_cannot_be_kept_is_undone(path: Path) -> None:
    records = Records(path)
    records.close()
    records._fd = os.open(path, os.O_RDONLY)  # nothing can be written there
    with pytest.raises(OSError, match=r"\w"), records.unit():
        records.users.put(user("alice"))
    records.close()
    assert len(records.users) == 0


def test_one_sandbox_at_a_time(path: Path) -> None:
    first = Records(path)
    with pytest.raises(InUse, match="in use"):
        Records(path)
    first.close()
    Records(path).close()


def test_opening_makes_it_short_again(path: Path) -> None:
    records = Records(path)
    for number in range(100):
        with records.unit():
            records.users.put(User("p", f"name {number}", "", ""))
    long = path.stat().st_size
    records.close()
    again = Records(path)
    assert [row.name for row in again.users] == ["name 99"]
    again.close()
    assert path.stat().st_size < long / 50


def test_an_account_is_small_and_believable() -> None:
    records = Records()
    founding.found(records, random.Random(3))
    every = [row.id for table in (records.users, records.services) for row in table]
    assert all(len(id_) == 7 and id_[0] == "P" and id_.isupper() for id_ in every)
    assert ids.incident(random.Random(1))[0] == "Q"
    assert len(ids.incident(random.Random(1))) == 14
    assert ids.from_text("2026-09-21T14:13:20.123Z") == 1_790_000_000_123
    assert ids.to_milliseconds(1_790_000_000_123) == "2026-09-21T14:13:20.123Z"


async def test_faults_do_not_outlive_it(make: Make, path: Path) -> None:
    first: Api = await make(state=path)
    first.sandbox.faults.api_error = 1.0
    second = await make(state=crashed(path))
    assert second.sandbox.faults.api_error == 0.0
