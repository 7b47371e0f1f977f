"""What goes wrong on demand, and that it goes wrong the same way again."""

import asyncio
import random
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest
from aiohttp import ClientSession

from imsync.sandbox.sandbox import Sandbox
from tests.sandbox.conftest import Api, Clock, Receiver, Tls


@pytest.fixture
async def faulty(api: Api) -> Api:
    api.judged = False
    return api


async def test_refused_as_over_the_limit_with_and_without_headers(faulty: Api) -> None:
    faulty.sandbox.faults.api_429 = 1.0
    answer = await faulty.call("POST", "/incidents", faulty.draft())
    assert (answer.status, answer.code) == (429, 2020)
    assert int(answer.headers["ratelimit-reset"]) >= 1
    faulty.sandbox.faults.api_429_bare = 1.0
    answer = await faulty.call("POST", "/incidents", faulty.draft())
    assert (answer.status, answer.body) == (429, None)
    assert not [name for name in answer.headers if name.lower().startswith("ratelimit")]
    assert faulty.sandbox.writes == 0


async def test_an_error_before_and_after_it_was_done(faulty: Api) -> None:
    faulty.sandbox.faults.api_error = 1.0
    assert (await faulty.call("POST", "/incidents", faulty.draft())).status >= 500
    faulty.sandbox.faults.api_error = 0.0
    assert (await faulty.get("/incidents"))["incidents"] == []
    faulty.sandbox.faults.api_error_after = 1.0
    assert (await faulty.call("POST", "/incidents", faulty.draft())).status >= 500
    faulty.sandbox.faults.api_error_after = 0.0
    assert len((await faulty.get("/incidents"))["incidents"]) == 1


async def test_an_answer_is_lost_though_it_was_done(faulty: Api) -> None:
    faulty.sandbox.faults.api_lost = 1.0
    with pytest.raises(aiohttp.ClientError):
        await faulty.call("POST", "/incidents", faulty.draft())
    faulty.sandbox.faults.api_lost = 0.0
    assert len((await faulty.get("/incidents"))["incidents"]) == 1
    assert faulty.sandbox.writes == 1


async def test_an_answer_is_cut_short(faulty: Api) -> None:
    faulty.sandbox.faults.api_malformed = 1.0
    with pytest.raises(orjson.JSONDecodeError):
        await faulty.call("GET", "/users")


async def test_an_answer_is_slow(faulty: Api) -> None:
    faulty.sandbox.faults.api_slow = 1.0
    faulty.sandbox.faults.api_slow_ms = 1
    assert (await faulty.call("GET", "/users")).status == 200


async def test_faults_and_switches_are_set_over_http(api: Api, receiver: Receiver) -> None:
    seen = await api.call("PUT", "/_sandbox/faults", {"delivery_drop": 1}, Authorization=None)
    assert seen.body["delivery_drop"] == api.sandbox.faults.delivery_drop == 1
    assert (await api.get("/_sandbox/faults"))["api_slow_ms"] == 10_000
    await api.call("PUT", "/_sandbox/switches", {"priorities": False})
    assert api.sandbox.switches.priorities is False
    for name, wrong in (
        ("faults", {"nope": 1}),
        ("faults", {"api_lost": 2}),
        ("faults", {"api_lost": "1"}),
        ("faults", {"api_slow_ms": -1}),
        ("faults", []),
        ("faults", b"{"),
        ("switches", {"priorities": 1}),
    ):
        answer = await api.call("PUT", f"/_sandbox/{name}", wrong)
        assert answer.status == 400
        assert answer.body["error"]["message"]
    await api.subscribe(receiver.url)
    await api.create()
    assert await api.settle() == 0, "it was lost on its way out"


async def test_the_connection_closes_before_anything_is_done(faulty: Api) -> None:
    faulty.sandbox.faults.api_unheard = 1.0
    with pytest.raises(aiohttp.ClientError):
        await faulty.call("POST", "/incidents", faulty.draft())
    faulty.sandbox.faults.api_unheard = 0.0
    assert (await faulty.get("/incidents"))["incidents"] == []
    assert faulty.sandbox.writes == 0


async def test_an_answer_ends_in_the_middle_though_it_was_done(faulty: Api) -> None:
    faulty.sandbox.faults.api_half_closed = 1.0
    with pytest.raises(aiohttp.ClientPayloadError):
        await faulty.call("POST", "/incidents", faulty.draft())
    faulty.sandbox.faults.api_half_closed = 0.0
    (incident,) = (await faulty.get("/incidents"))["incidents"]
    note = {"note": {"content": "n"}}
    path = f"/incidents/{incident['id']}/notes"
    note = (await faulty.call("POST", path, note)).body["note"]
    faulty.sandbox.faults.api_half_closed = 1.0
    with pytest.raises(aiohttp.ClientError):  # there is no answer to cut in two
        await faulty.call("DELETE", f"{path}/{note['id']}")
    faulty.sandbox.faults.api_half_closed = 0.0
    assert (await faulty.get(path))["notes"] == []


async def test_only_the_sandboxs_half_of_the_connection_is_closed(faulty: Api) -> None:
    faulty.sandbox.faults.api_half_closed = 1.0
    url = urlsplit(faulty.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    key = f"Authorization: Bearer {faulty.sandbox.token}"
    writer.write(f"GET /users HTTP/1.1\r\nHost: x\r\n{key}\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: "))
    assert 0 < len(body) < int(length.partition(b": ")[2])
    writer.write(b"GET ")  # nobody has closed this half, so it is taken
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_over_tls_it_is_the_whole_connection(
    session: ClientSession, clock: Clock, tls: Tls
) -> None:
    sandbox = Sandbox(session=session, now=clock, rng=random.Random(1))
    url = await sandbox.start("localhost", ssl_context=tls.server)
    sandbox.faults.api_half_closed = 1.0
    headers = {"Authorization": f"Bearer {sandbox.token}"}
    with pytest.raises(aiohttp.ClientError):
        async with session.get(f"{url}/users", headers=headers, ssl=tls.client) as answer:
            await answer.read()
    await sandbox.stop()


async def test_an_event_finds_its_subscription_disabled(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    subscription = await api.subscribe(receiver.url)
    path = f"/webhook_subscriptions/{subscription['id']}"
    incident = await api.create()
    api.sandbox.faults.subscription_disable = 1.0
    await api.change(incident, priority="P1")
    api.sandbox.faults.subscription_disable = 0.0
    found = (await api.get(path))["webhook_subscription"]
    assert found["delivery_method"]["temporarily_disabled"] is True
    await api.change(incident, priority="P2")
    assert await api.settle() == 0, "what was owed is lost, and what comes meanwhile"
    clock.pass_(hours=24)
    await api.change(incident, priority="P3")
    await api.settle()
    assert receiver.types == ["priority_updated"]


class Ticking(Clock):
    """Another moment whenever it is looked at."""

    def __call__(self) -> int:
        self.at += 1
        return self.at


async def life(session: ClientSession, receiver: Receiver, clock: Clock, seed: int) -> list[str]:
    """Everything that a scripted caller and a receiver get to see of one sandbox, but times."""
    sandbox = Sandbox(session=session, now=clock, rng=random.Random(seed))
    api = Api(sandbox, session, await sandbox.start())
    api.judged = False
    await api.subscribe(receiver.url)
    for name in ("api_429", "api_429_bare", "api_unheard", "api_error", "api_error_after"):
        setattr(sandbox.faults, name, 0.1)
    for name in ("api_lost", "api_half_closed", "api_malformed", "delivery_drop"):
        setattr(sandbox.faults, name, 0.1)
    for name in ("delivery_reorder", "delivery_delay", "delivery_repeat"):
        setattr(sandbox.faults, name, 0.3)
    seen = [api.about["token"]]
    for number in range(60):
        try:
            answer = await api.call("POST", "/incidents", api.draft(str(number)))
        except (aiohttp.ClientError, orjson.JSONDecodeError) as error:
            seen.append(type(error).__name__)
            continue
        seen.append(str(answer.status))
        if answer.status == 201:
            incident = answer.body["incident"]
            seen += [incident["id"], incident["first_trigger_log_entry"]["id"]]
            with suppress(aiohttp.ClientError, orjson.JSONDecodeError):
                await api.put(incident, status="acknowledged")
    while (due := sandbox.next_due()) is not None:
        clock.at = max(clock.at, due)
        await api.settle()
    await sandbox.stop()
    seen += sorted(heard.headers["X-Webhook-Id"] for heard in receiver.heard)
    receiver.heard.clear()
    return seen


async def test_the_same_seed_and_calls_make_the_same_ids_and_faults(
    session: ClientSession, receiver: Receiver
) -> None:
    """Whatever the time is, and however fast it goes by."""
    first = await life(session, receiver, Clock(), 5)
    assert await life(session, receiver, Clock(), 5) == first
    assert await life(session, receiver, Ticking(), 5) == first
    assert await life(session, receiver, Clock(), 6) != first
    kinds = {"201", "429", "ServerDisconnectedError", "ClientPayloadError", "JSONDecodeError"}
    assert kinds <= set(first)


async def test_what_goes_wrong_changes_no_id(session: ClientSession, api: Api) -> None:
    """So that a run with faults can be laid beside one without."""
    api.judged = False
    other = Sandbox(session=session, now=Clock(), rng=random.Random(7))
    calm = Api(other, session, await other.start())
    api.sandbox.faults.api_malformed = 0.5
    for number in range(20):
        with suppress(orjson.JSONDecodeError):
            await api.call("POST", "/incidents", api.draft(str(number)))
        await calm.create(str(number))
    api.sandbox.faults.api_malformed = 0.0
    ids = [
        [row["id"] for row in (await one.get("/incidents?limit=100"))["incidents"]]
        for one in (api, calm)
    ]
    assert ids[0] == ids[1]
    await other.stop()
