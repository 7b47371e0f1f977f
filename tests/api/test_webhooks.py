"""The door: who is let in, what is kept before we say yes, and that junk stops only itself."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from imsync.api import webhooks
from imsync.api.context import CONTEXT
from imsync.core.fields import Field
from imsync.engine import configure
from imsync.store import integrations
from imsync.store.database import Connection
from tests.town import Town, town_of

from .asking import Answer, Api, signed, until

SAMPLES = Path(__file__).parents[3] / "shared" / "pagerduty" / "samples"
HOOKS = "/api/v1/webhooks"
FIRST = str(UUID(int=1))


class Door:
    """Knocks at the webhook route of a town's integration, as PagerDuty does."""

    def __init__(self, town: Town, secret: str) -> None:
        self.town, self.secret = town, secret
        self.api = Api(town.session, town.server)
        self._knocks = 0

    async def knock(
        self,
        body: bytes,
        *,
        at: str = "int_test",
        signature: str | None = None,
        id_: str | None = None,
        by: str | None = None,
    ) -> Answer:
        """Rightly signed, and under an id of its own, unless it says otherwise."""
        self._knocks += 1
        signature = signed(body, by or self.secret) if signature is None else signature
        headers = {"X-PagerDuty-Signature": signature} if signature else {}
        headers["X-Webhook-Id"] = id_ or str(UUID(int=self._knocks))
        return await self.api("POST", f"{HOOKS}/{at}", data=body, **headers)

    async def kept(self) -> list[dict[str, Any]]:
        def look(conn: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in conn.execute("SELECT * FROM inbox ORDER BY id")]

        return await self.town.db.read(look)

    async def outcomes(self) -> list[tuple[str, str | None]]:
        return [(row["state"], row["outcome"]) for row in await self.kept()]

    async def step(self) -> None:
        """Apply all that was kept."""
        while await self.town.crew.inbound.step():
            pass


@pytest.fixture
async def door(town: Town) -> Door:
    return await door_of(town)


async def door_of(town: Town) -> Door:
    (secret,) = await town.db.read(integrations.secrets, "int_test")
    return Door(town, secret)


@pytest.fixture
async def linked(town: Town, door: Door) -> str:
    """The external id of an incident that stands on both sides."""
    await town.declare("Start")
    await town.settle()
    return await town.external_id()


def event(type_: str = "pagey.ping", data: object = None, **more: object) -> bytes:
    return orjson.dumps(
        {
            "event": {
                "id": "01EVENT",
                "event_type": type_,
                "occurred_at": "2027-01-15T08:30:00.000Z",
                "data": data,
                **more,
            }
        }
    )


async def acknowledged(town: Town, external_id: str, **more: object) -> bytes:
    """The delivery that says so, an hour after whatever went before."""
    town.clock.at += 3_600_000
    incident = await town.there()
    data = {
        "id": external_id,
        "type": "incident",
        "status": "acknowledged",
        "title": incident["title"],
        "urgency": incident["urgency"],
        "incident_key": incident["incident_key"],
        "service": incident["service"],
        "assignees": [],
        "priority": incident["priority"],
        "escalation_policy": incident["escalation_policy"],
    }
    return event("incident.acknowledged", data, **more)


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


# What cannot be used.

UNUSABLE = {
    "nothing": b"",
    "no JSON": b"not even JSON",
    "no text": b"\xff\xfe\x00",
    "deep": b"[" * 50_000,
    "a number": b"5",
    "a list": b"[]",
    "an empty object": b"{}",
    "an event that is none": b'{"event": 5}',
    "no event type": b'{"event": {"id": "01X"}}',
    "a type that is no text": b'{"event": {"event_type": 5}}',
    "no data": event("incident.acknowledged"),
    "data of another shape": event("incident.acknowledged", [1, 2]),
    "an incident without an id": event("incident.triggered", {"type": "incident"}),
    "an incident without a status": event("incident.resolved", {"type": "incident", "id": "Q1"}),
    "no time": event("incident.triggered", {"type": "incident", "id": "Q1"}, occurred_at=None),
    "a time that is none": event("incident.triggered", {"id": "Q1"}, occurred_at="yesterday"),
    "a note without its incident": event("incident.annotated", {"id": "N1", "content": "x"}),
    "a note without text": event("incident.annotated", {"id": "N1", "incident": {"id": "Q1"}}),
    "half a surrogate": b'{"event": {"event_type": "\\ud800"}}',
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
async def test_what_cannot_be_used_becomes_a_dead_letter_and_the_next_goes_on(
    town: Town, door: Door, linked: str, body: bytes
) -> None:
    assert (await door.knock(body)).status == 202
    assert (await door.knock(await acknowledged(town, linked, id="01NEXT"))).status == 202
    await door.step()

    (letter,) = await town.dead_letters()
    assert (letter.direction, letter.code) == ("inbound", "unusable_delivery")
    assert letter.body == body.decode(errors="replace")
    assert letter.message
    assert (await town.here())[Field.STATUS] == "mitigated"


USABLE = {
    "a ping": event(),
    "a type that nobody knows": event("incident.from_the_future", {"x": 1}),
    "a kind that nobody knows": event("planet.exploded", {"id": "P1", "type": "planet"}),
    "a type that nobody knows, of a foreign incident": event(
        "incident.from_the_future", {"type": "incident", "id": "Q404"}
    ),
    "a note on a foreign incident": event(
        "incident.annotated", {"id": "N1", "content": "x", "incident": {"id": "Q404"}}
    ),
    "a service": event("service.updated", {"id": "P1", "type": "service"}),
    "an id that is no text": event(id=5),
    "an id with a NUL": event(id="a\0b"),
}


@pytest.mark.parametrize("body", USABLE.values(), ids=USABLE)
async def test_what_is_none_of_our_business_is_taken_and_done_with(
    town: Town, door: Door, linked: str, body: bytes
) -> None:
    before = await town.here()
    count = len(await door.kept())
    assert (await door.knock(body)).status == 202
    await door.step()
    ((state, outcome),) = (await door.outcomes())[count:]
    assert state == "done"
    assert outcome
    assert await town.dead_letters() == []
    assert await town.here() == before


async def test_a_type_that_nobody_knows_makes_us_look_at_its_incident(
    town: Town, door: Door, linked: str
) -> None:
    await town.act(title="Renamed over there")
    body = event("incident.from_the_future", {"incident": {"id": linked}, "type": "new"})
    assert (await door.knock(body)).status == 202
    await door.step()
    assert (await town.here())[Field.TITLE] == "Renamed over there"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
async def test_every_recorded_body_is_taken(town: Town, door: Door, path: Path) -> None:
    """Deliveries are applied; what is none, as a REST answer, becomes a dead letter."""
    found = json.loads(path.read_text())
    body = orjson.dumps(found.get("payload", found))
    assert (await door.knock(body)).status == 202
    await door.step()
    is_delivery = isinstance(found.get("payload"), dict) and "event" in found["payload"]
    assert [state for state, _ in await door.outcomes()] == ["done" if is_delivery else "dead"]
    assert len(await town.dead_letters()) == (0 if is_delivery else 1)


def test_the_recorded_bodies_are_at_hand() -> None:
    if not SAMPLES.is_dir():
        pytest.skip("PagerDuty's recorded deliveries are not beside this repository")
    assert len(list(SAMPLES.glob("*incident.*.json"))) >= 10


# What cannot be taken.


async def test_what_is_larger_than_pagerduty_sends_is_refused(door: Door) -> None:
    """Twice its own limit of 256 KB, which may be counted otherwise: what we refuse is lost."""
    largest = b"x" * 524_288
    assert (await door.knock(largest)).status == 202
    (await door.knock(largest + b"x")).problem(413, "too_large")
    assert len(await door.kept()) == 1


async def test_a_delivery_whose_body_does_not_come_gives_way_to_one_whose_does(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it hold its place for longer than PagerDuty would wait for an answer."""
    monkeypatch.setattr(webhooks, "_AT_ONCE", 3)
    url = door.town.server.make_url(f"{HOOKS}/int_test")
    slow = [await asyncio.open_connection(url.host, url.port) for _ in range(3)]
    head = f"POST {url.path} HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: 9\r\n\r\n"
    context = door.town.server.app[CONTEXT]
    for number, (_, writer) in enumerate(slow, start=1):
        writer.write(head.encode())
        await until(lambda number=number: context.receiving == number)  # type: ignore[misc]
    assert (await door.knock(event("incident.acknowledged"))).status == 202
    reader, _ = slow[0]
    assert b" 503 " in await reader.readline()
    monkeypatch.setattr(webhooks, "_ARRIVES", 0.01)
    await until(lambda: context.receiving == 2)
    late = await door.api("POST", url.path, data=b"", Content_Length="9")
    assert "did not arrive in time" in late.problem(503, "overloaded")
    for _, writer in slow:
        writer.close()
        await writer.wait_closed()


async def test_a_full_disk_is_not_now_and_the_next_try_is_kept(door: Door) -> None:
    body = b"x" * 200_000
    await door.town.db.run(lambda conn: conn.execute("PRAGMA max_page_count = 1").fetchone())
    answer = await door.knock(body, id_=FIRST)
    answer.problem(503, "database_failed")
    assert int(answer.headers["Retry-After"]) > 0

    await door.town.db.run(lambda conn: conn.execute("PRAGMA max_page_count = 9999").fetchone())
    assert await door.kept() == []
    answer = await door.knock(body, id_=FIRST)
    assert (answer.status, answer.json["fresh"]) == (202, True)


async def test_a_database_that_refuses_is_not_now_either(door: Door) -> None:
    def refuse(conn: Connection) -> None:
        conn.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'no'); END"
        )

    await door.town.db.run(refuse)
    (await door.knock(event())).problem(503, "database_failed")
    await door.town.db.run(lambda conn: conn.execute("DROP TRIGGER refuse").fetchone())
    assert (await door.knock(event())).json["fresh"] is True


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


async def test_more_deliveries_at_once_than_memory_is_for_are_sent_away_for_now(
    held: tuple[Door, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_AT_ONCE", 3)
    door, other = held
    bodies = [event(id=f"01{number}") for number in range(4)]
    waiting = [asyncio.create_task(door.knock(body)) for body in bodies[:3]]
    context = door.town.server.app[CONTEXT]
    await until(lambda: context.receiving == 3 and not context.arriving)
    answer = await door.knock(bodies[3])
    assert "3 deliveries are in hand already" in answer.problem(503, "overloaded")
    assert answer.headers["Retry-After"] == "1"
    (await door.knock(bodies[3], at="int_test/test")).problem(503, "overloaded")
    other.execute("ROLLBACK")
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {202}
    assert (await door.knock(bodies[3])).status == 202


async def test_a_locked_database_is_not_now(
    held: tuple[Door, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the lock is held: PagerDuty waits five seconds and no more."""
    monkeypatch.setattr("imsync.api.webhooks._IN_TIME", 0.05)
    door, other = held
    answer = await door.knock(event(), id_=FIRST)
    answer.problem(503, "overloaded")
    assert int(answer.headers["Retry-After"]) > 0

    monkeypatch.undo()
    other.execute("ROLLBACK")
    assert (await door.knock(event(), id_=FIRST)).status == 202
    assert len(await door.kept()) == 1


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
