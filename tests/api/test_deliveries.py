"""What a delivery may say: junk stops only itself, and what is news to us harms nothing."""

import json
from pathlib import Path

import orjson
import pytest

from imsync.core.fields import Field
from imsync.core.maps import Line
from imsync.store import links, outbox
from tests.town import Town

from .door import SAMPLES, Door, acknowledged, event

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


async def test_what_the_schema_refuses_stops_only_itself(
    town: Town, door: Door, linked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for a database that had failed: the daemon ended, at each start again."""
    with monkeypatch.context() as careless:
        careless.setattr(Line, "decode", lambda line, value, *, given: value)
        body = await acknowledged(town, linked, {"title": ""})
        assert (await door.knock(body)).status == 202
        await door.step()
    assert (await door.knock(await acknowledged(town, linked, id="01NEXT"))).status == 202
    await door.step()

    (letter,) = await town.dead_letters()
    assert letter.code == "bug"
    assert "CHECK" in letter.message
    assert (await town.here())[Field.STATUS] == "mitigated"


@pytest.mark.parametrize("title", ["", "  \n"])
async def test_a_blank_title_stands_still_and_the_rest_goes_on(
    town: Town, door: Door, linked: str, title: str
) -> None:
    assert (await door.knock(await acknowledged(town, linked, {"title": title}))).status == 202
    await door.step()
    assert await town.dead_letters() == []
    here = await town.here()
    assert (here[Field.STATUS], here[Field.TITLE]) == ("mitigated", "Start")
    assert "blank" in ((await town.field("title")).blocked or "")


async def test_a_status_of_a_later_year_stands_still_until_somebody_here_sets_one(
    town: Town, door: Door, linked: str
) -> None:
    """It stood still for good: what was resolved here went on paging there."""
    body = await acknowledged(town, linked, {"status": "snoozed"})
    assert (await door.knock(body)).status == 202
    await door.step()
    assert (await town.here())[Field.STATUS] == "open"
    assert "snoozed" in ((await town.field("status")).blocked or "")

    town.clock.at += 1_000
    await town.edit(status="resolved")
    assert (await town.field("status")).blocked is None
    link = await town.db.read(links.to, "int_test", linked)
    assert link is not None
    assert await town.db.read(outbox.owed, link.id) == {Field.STATUS: "pending"}


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
    "half a surrogate": b'{"event": {"event_type": "\\ud800"}}',
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
