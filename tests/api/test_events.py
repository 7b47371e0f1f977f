"""GET /events: live, resumed without a gap or a repeat, and nobody waits for a slow one."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from imsync.store.database import Connection
from tests.api import contract
from tests.town import Town

from .asking import ADA, INCIDENTS, Api, House, asks, house_of, new

EVENTS = "/api/v1/events"
SOON = 10.0
"""Seconds after which a test gives up waiting for what should be there at once."""


@dataclass
class Stream:
    """One client's stream, read a block at a time."""

    response: aiohttp.ClientResponse

    async def block(self) -> dict[str, str]:
        """The fields of the next block; a comment is the field ''."""
        found: dict[str, str] = {}
        async with asyncio.timeout(SOON):
            while line := (await self.response.content.readline()).decode().rstrip("\n"):
                name, _, value = line.partition(":")
                found[name] = value.removeprefix(" ")
        return found

    async def event(self) -> dict[str, Any]:
        """The next event; signs of life are passed over."""
        while "data" not in (block := await self.block()):
            assert block, "the stream has ended"
        event: dict[str, Any] = orjson.loads(block["data"])
        assert block["id"] == event["id"]
        schema = {"$ref": "#/components/schemas/Event"}
        assert contract.violations(schema, event) == []
        return event

    async def texts(self, count: int) -> list[str]:
        return [(await self.event())["data"]["text"] for _ in range(count)]

    async def ended(self) -> bool:
        async with asyncio.timeout(SOON):
            rest = await self.response.content.read()
        return rest == b""


@asynccontextmanager
async def watching(api: Api, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    """A stream, from its first block on, which says where it begins."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with api.session.get(f"{api.base}{EVENTS}{query}", headers=given) as response:
        assert response.status == 200, await response.text()
        stream = Stream(response)
        first = await stream.block()
        assert first["retry"] == "1000"
        yield stream


async def declared(api: Api, title: str = "Checkout down") -> None:
    await api.made(INCIDENTS, {"title": title})


async def noted(api: Api, text: str, incident: str = "INC-1") -> None:
    await api.made(f"{INCIDENTS}/{incident}/notes", {"text": text})


async def test_what_happens_is_told_as_a_cloud_event(api: Api) -> None:
    async with watching(api) as stream:
        assert stream.response.content_type == "text/event-stream"
        assert stream.response.headers["Cache-Control"] == "no-store"
        await api.made(INCIDENTS, {"title": "Checkout down"}, From=ADA)
        event = await stream.event()
    time = event.pop("time")
    assert time.startswith("2027-01-15T08:00:00.")
    assert time.endswith("Z")
    assert event == {
        "specversion": "1.0",
        "id": "1",
        "source": "imsync",
        "type": "imsync.incident.declared",
        "subject": "INC-1",
        "datacontenttype": "application/json",
        "data": {
            "incident": "INC-1",
            "integration": None,
            "by": ADA,
            "title": "Checkout down",
            "severity": "SEV-3",
            "status": "open",
        },
    }


async def test_a_stream_begins_with_what_comes_next(api: Api) -> None:
    await declared(api)
    async with watching(api) as stream:
        await noted(api, "new")
        assert await stream.texts(1) == ["new"]


async def test_it_goes_on_after_the_last_event_that_was_seen(api: Api) -> None:
    await declared(api)
    for number in range(5):
        await noted(api, str(number))
    async with watching(api, Last_Event_ID="3") as stream:
        assert await stream.texts(3) == ["2", "3", "4"]
        await noted(api, "live")
        assert await stream.texts(1) == ["live"]
    async with watching(api, Last_Event_ID="") as stream:
        await noted(api, "an empty id is none")
        assert await stream.texts(1) == ["an empty id is none"]


async def test_nothing_is_missed_and_nothing_comes_twice_across_restarts(tmp_path: Path) -> None:
    seen: list[str] = []
    last = "0"
    for run in range(3):
        async with house_of(tmp_path / "im.db") as house:
            if run == 0:
                await declared(house.api)
            async with watching(house.api, Last_Event_ID=last) as stream:
                for number in range(3):
                    await noted(house.api, f"{run}.{number}")
                for _ in range(3):  # the stream breaks off in the middle
                    event = await stream.event()
                    seen.append(event["id"])
                    last = event["id"]
    assert seen == [str(number) for number in range(1, 10)]


async def test_many_at_once_all_see_everything_in_order(tmp_path: Path) -> None:
    async with house_of(tmp_path / "im.db") as house:
        await declared(house.api)
        async with (
            watching(house.api) as one,
            watching(house.api) as another,
            watching(house.api, "?incident=inc-1") as third,
        ):
            await asyncio.gather(*(noted(house.api, str(number)) for number in range(100)))
            told = [await stream.texts(100) for stream in (one, another, third)]
    assert told[0] == told[1] == told[2]
    assert sorted(told[0], key=int) == [str(number) for number in range(100)]


async def test_filters_let_through_what_they_name(town: Town) -> None:
    api = asks(town)
    await town.declare("One")
    await town.declare("Two")
    await town.settle()
    async with (
        watching(api, "?integration=prod-pd") as there,
        watching(api, "?incident=inc-2") as second,
    ):
        await town.edit(1, title="First")
        await town.settle()
        await town.edit(2, title="Second")
        ours, arrived, _ = [await there.event() for _ in range(3)]
        assert (ours["type"], ours["data"]["new"]) == ("imsync.incident.changed", "First")
        assert (arrived["type"], arrived["data"]["value"]) == ("imsync.write.confirmed", "First")
        assert (await second.event())["data"]["new"] == "Second"


async def test_what_is_linked_nowhere_is_no_integrations_business(api: Api) -> None:
    await api.made("/api/v1/integrations", new(sync_direction="inbound"))
    async with watching(api, "?integration=Production%20PagerDuty") as stream:
        await declared(api)
        await api.made("/api/v1/integrations", new("Other"))
        await api("PATCH", "/api/v1/integrations/prod-pd", {"sync_direction": "bidirectional"})
        await declared(api, "Linked there")
        changed, declared_ = [await stream.event() for _ in range(2)]
        assert changed["type"] == "imsync.integration.changed"
        assert declared_["data"]["title"] == "Linked there"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("integration=nowhere", 404, "not_found"),
        ("incident=INC-9", 404, "not_found"),
        ("incident=9", 404, "not_found"),
        ("incident=", 404, "not_found"),
        ("integration=", 400, "invalid_request"),
        ("incidents=INC-1", 400, "invalid_request"),
    ],
)
async def test_a_filter_for_what_there_is_not_is_refused(
    api: Api, query: str, status: int, code: str
) -> None:
    (await api("GET", f"{EVENTS}?{query}")).problem(status, code)


@pytest.mark.parametrize("id_", ["x", "-1", "1.5", "9" * 16])
async def test_an_id_that_is_none_is_refused(api: Api, id_: str) -> None:
    answer = await api("GET", EVENTS, Last_Event_ID=id_)
    assert id_ in answer.problem(400, "invalid_request")
    assert answer.hint


async def test_what_is_no_longer_kept_is_not_passed_over_in_silence(house: House) -> None:
    await declared(house.api)
    answer = await house.api("GET", EVENTS, Last_Event_ID="2")
    assert "after 2 are not kept here: there are 1 to 1" in answer.problem(410, "events_missed")
    await house.db.run(lambda conn: conn.execute("UPDATE events SET id = 7").rowcount)
    (await house.api("GET", EVENTS, Last_Event_ID="5")).problem(410, "events_missed")
    async with watching(house.api, Last_Event_ID="6") as stream:
        assert (await stream.event())["id"] == "7"


async def test_who_is_so_far_behind_that_something_was_forgotten_is_let_go(house: House) -> None:
    await declared(house.api)
    async with watching(house.api) as stream:
        move = "UPDATE events SET id = id + 10"
        await house.db.run(lambda conn: conn.execute(move).rowcount)
        assert await stream.ended()
    (await house.api("GET", EVENTS, Last_Event_ID="1")).problem(410, "events_missed")


async def test_head_tells_what_would_come_and_ends(api: Api) -> None:
    async with asyncio.timeout(SOON):
        answer = await api("HEAD", EVENTS)
    assert (answer.status, answer.text) == (200, "")
    assert answer.headers["Content-Type"].startswith("text/event-stream")


async def test_a_quiet_stream_says_that_it_is_there_and_how_far_it_has_read(house: House) -> None:
    await declared(house.api)
    await declared(house.api)
    house.feed.heartbeat = 0.01
    async with watching(house.api, "?incident=INC-1") as stream:
        await noted(house.api, "of another", "INC-2")
        while (block := await stream.block())["id"] != "3":
            assert set(block) == {"", "id"}
    async with watching(house.api, "?incident=INC-1", Last_Event_ID="3") as stream:
        await noted(house.api, "of this", "INC-1")
        assert await stream.texts(1) == ["of this"]


# Ends.


async def test_when_the_daemon_stops_every_stream_ends_at_once(house: House) -> None:
    async with watching(house.api) as one, watching(house.api) as another:
        house.feed.stop()
        assert await one.ended()
        assert await another.ended()
        answer = await house.api("GET", EVENTS)
        assert "stopping" in answer.problem(503, "overloaded")


async def test_who_does_not_read_keeps_nobody_waiting_and_is_let_go(house: House) -> None:
    house.feed.patience = 0.05
    await declared(house.api)
    async with deaf(house), watching(house.api) as stream:
        assert house.feed.count == 2
        while house.feed.count == 2:  # more than any buffer on the way holds
            await noted(house.api, "x" * 60_000)
            await stream.texts(1)
        await noted(house.api, "still here")
        assert await stream.texts(1) == ["still here"]
        assert house.feed.count == 1


async def test_a_stop_does_not_wait_for_who_does_not_read(house: House) -> None:
    await declared(house.api)
    async with deaf(house):
        for _ in range(120):
            await noted(house.api, "x" * 60_000)
        loop = asyncio.get_running_loop()
        before = loop.time()
        house.feed.stop()
        await until(house, lambda: house.feed.count == 0)
        assert loop.time() - before < 1.0


@asynccontextmanager
async def deaf(house: House) -> AsyncIterator[None]:
    """A client that asks for the stream and never reads it."""
    before, loop = house.feed.count, asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.setblocking(False)
        await loop.sock_connect(client, house.api.address)
        await loop.sock_sendall(
            client, f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        await until(house, lambda: house.feed.count == before + 1)
        yield


async def test_a_client_that_has_gone_is_noticed(house: House) -> None:
    house.feed.heartbeat = 0.01
    async with watching(house.api):
        assert house.feed.count == 1
    await until(house, lambda: house.feed.count == 0)


async def test_so_many_and_no_more(house: House) -> None:
    house.feed.most = 1
    house.feed.heartbeat = 0.01
    async with watching(house.api):
        answer = await house.api("GET", EVENTS)
        assert "1 are watching already" in answer.problem(503, "overloaded")
        assert int(answer.headers["Retry-After"]) > 0
    await until(house, lambda: house.feed.count == 0)
    async with watching(house.api):
        assert house.feed.count == 1


async def test_a_database_that_cannot_be_read_ends_the_streams_and_not_the_next_ones(
    house: House,
) -> None:
    async with watching(house.api) as stream:
        await house.db.run(lambda conn: conn.execute("ALTER TABLE events RENAME TO gone").rowcount)
        await house.db.run(
            lambda conn: conn.execute("INSERT INTO gone VALUES (1,1,'',1,NULL,NULL,'{}')")
        )
        assert await stream.ended()
    await house.db.run(lambda conn: conn.execute("ALTER TABLE gone RENAME TO events").rowcount)
    async with watching(house.api) as stream:
        await declared(house.api)
        assert (await stream.event())["type"] == "imsync.incident.declared"


async def test_a_stream_that_fails_in_the_middle_is_broken_off_not_answered_twice(
    house: House,
) -> None:
    await declared(house.api)

    def junk(conn: Connection) -> None:
        conn.execute("INSERT INTO events (at, type, incident_id, data) VALUES (1, 'x', 1, 'junk')")

    async with watching(house.api) as stream:
        await house.db.run(junk)
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.block()
    await until(house, lambda: house.feed.count == 0)


async def until(house: House, true: Callable[[], bool]) -> None:
    """Ask for something else until it is."""
    async with asyncio.timeout(SOON):
        while not true():
            await house.api.found("/health")
