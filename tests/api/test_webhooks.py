"""The door: who is let in, what is kept before we say yes, and that it is kept once."""

import json
import sqlite3
from pathlib import Path

import pytest

from imsync.engine import configure
from imsync.store import integrations
from imsync.store.database import Connection
from tests.town import Town, town_of

from .asking import signed
from .door import FIRST, HOOKS, SAMPLES, Door, acknowledged, door_of, event

# Who is let in.


async def test_what_is_rightly_signed_is_on_the_disk_before_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "imsync.db"
    async with town_of(path) as town:
        await town.connect()
        door = await door_of(town)
        body = event()
        answer = await door.knock(body, id_=FIRST)
        assert (answer.status, answer.json) == (202, {"delivery": FIRST, "fresh": True})

        other = sqlite3.connect(path)
        rows = other.execute("SELECT body, event_type, state FROM inbox").fetchall()
        other.close()
        assert rows == [(body, "pagey.ping", "pending")]


STRANGERS = {
    "no header": "",
    "another's signature": signed(event(), "another secret"),
    "the signature of another body": signed(b"{}", "whatever"),
    "an unknown version": signed(event(), "x").replace("v1=", "v2="),
    "junk": "v1=,,v1=zz,é",
}


@pytest.mark.parametrize("signature", STRANGERS.values(), ids=STRANGERS)
async def test_strangers_are_turned_away_alike_and_learn_nothing(
    door: Door, signature: str
) -> None:
    """An id that is none, one that is, and one without a secret: nobody can tell which is which."""

    def another(conn: Connection) -> None:
        given = {"name": "Without a secret"}
        made = configure.create(
            conn,
            "int_none",
            given,
            integration_type="pagerduty",
            webhook_secret=None,
            now=door.town.clock(),
        )
        assert integrations.secrets(conn, made.id) == []

    await door.town.db.run(another)
    answers = []
    for id_ in ("int_test", "int_none", "int_gone"):
        headers = {"X-PagerDuty-Signature": signature} if signature else {}
        answer = await door.api("POST", f"{HOOKS}/{id_}", data=event(), **headers)
        answer.problem(401, "bad_signature")
        answers.append((answer.text.replace(id_, "…"), sorted(answer.headers)))
    assert answers[0] == answers[1] == answers[2]
    assert await door.kept() == []
    assert (await door.town.integration()).refused_signatures == 1


@pytest.mark.parametrize("name", ["prod-pd", "Production%20PagerDuty", "INT_TEST"])
async def test_the_door_is_known_by_the_id_alone(door: Door, name: str) -> None:
    (await door.knock(event(), at=name)).problem(401, "bad_signature")
    assert await door.kept() == []


async def test_refused_signatures_are_counted_in_the_sync_status(door: Door) -> None:
    path = "/api/v1/integrations/prod-pd/sync-status"
    assert (await door.api.found(path))["refused_signatures"] == 0
    for _ in range(3):
        await door.knock(event(), by="another secret")
    await door.town.counted()
    assert (await door.api.found(path))["refused_signatures"] == 3


async def test_every_secret_in_force_lets_in_and_no_other(door: Door) -> None:
    def rotate(conn: Connection) -> None:
        integrations.add_secret(
            conn, "int_test", "the next one", subscription_id="PNEXT", now=door.town.clock()
        )

    await door.town.db.run(rotate)
    for number, by in enumerate([door.secret, "the next one"]):
        assert (await door.knock(event(id=f"01{number}"), by=by)).status == 202
    assert (await door.knock(event(id="012"), by="neither")).status == 401
    assert len(await door.kept()) == 2


async def test_one_good_signature_among_several_is_enough(door: Door) -> None:
    body = event()
    header = signed(body, "an old one", door.secret) + ",v2=ff"
    assert (await door.knock(body, signature=header)).status == 202


async def test_the_very_bytes_are_signed(door: Door) -> None:
    body = event()
    assert (await door.knock(body + b"\n", signature=signed(body, door.secret))).status == 401


async def test_the_official_signature_is_let_in(door: Door) -> None:
    path = SAMPLES / "signature_test_vector.json"
    if not path.exists():
        pytest.skip("the official test vector is not beside this repository")
    vector = json.loads(path.read_text())
    await door.town.db.run(
        integrations.set_secret, "int_test", vector["secret"], now=door.town.clock()
    )
    body = vector["body"].encode()
    assert (await door.knock(body, signature=vector["signature"])).status == 202
    (row,) = await door.kept()
    assert (row["body"], row["event_type"]) == (body, "incident.priority_updated")


# Once.


async def test_a_delivery_sent_again_is_kept_once(door: Door) -> None:
    body = b"not even JSON"
    first = await door.knock(body, id_=FIRST)
    again = await door.knock(body, id_=FIRST)
    assert (first.status, first.json["fresh"]) == (202, True)
    assert (again.status, again.json["fresh"]) == (202, False)
    assert len(await door.kept()) == 1


async def test_an_event_by_two_subscriptions_is_kept_once(door: Door) -> None:
    first, again = await door.knock(event()), await door.knock(event())
    assert first.json["delivery"] != again.json["delivery"]
    assert (again.status, again.json["fresh"]) == (202, False)
    assert len(await door.kept()) == 1


async def test_a_delivery_sent_again_after_it_was_applied_changes_nothing(
    town: Town, door: Door, linked: str
) -> None:
    body = await acknowledged(town, linked)
    await door.knock(body, id_=FIRST)
    await door.step()
    story = await town.timeline()
    assert (await door.knock(body, id_=FIRST)).json["fresh"] is False
    await door.step()
    assert await town.timeline() == story


async def test_a_delivery_without_an_id_is_known_by_its_body(door: Door) -> None:
    body = b"not even JSON"
    path, signature = f"{HOOKS}/int_test", signed(body, door.secret)
    answers = [
        await door.api("POST", path, data=body, X_PagerDuty_Signature=signature) for _ in range(2)
    ]
    assert [answer.json["fresh"] for answer in answers] == [True, False]


async def test_an_id_that_is_no_text_is_kept_all_the_same(door: Door) -> None:
    body = event()
    signature = b"X-PagerDuty-Signature: " + signed(body, door.secret).encode()
    for fresh in (True, False):
        answer = await door.api.raw(
            "POST", f"{HOOKS}/int_test", body, signature, b"X-Webhook-Id: \xff"
        )
        assert (answer.status, answer.json["fresh"]) == (202, fresh)


# The test of the path.


async def test_the_test_route_says_whether_it_is_signed_and_keeps_nothing(door: Door) -> None:
    body = event()
    answer = await door.knock(body, at="int_test/test")
    assert (answer.status, answer.json) == (200, {"valid": True})
    for id_ in ("int_test", "int_gone"):
        answer = await door.knock(body, at=f"{id_}/test", by="another secret")
        assert answer.status == 401
        assert answer.json["valid"] is False
        assert answer.json["reason"]
    assert await door.kept() == []
    assert (await door.town.integration()).refused_signatures == 0


async def test_the_test_route_tells_strangers_alike_too(door: Door) -> None:
    for signature in STRANGERS.values():
        answers = set()
        for id_ in ("int_test", "int_gone"):
            headers = {"X-PagerDuty-Signature": signature} if signature else {}
            answer = await door.api("POST", f"{HOOKS}/{id_}/test", data=event(), **headers)
            answers.add((answer.status, answer.text.replace(id_, "…")))
        assert len(answers) == 1
