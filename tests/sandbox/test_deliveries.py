"""Deliveries: in order, signed, tried again, dropped, disabled, repeated."""

import asyncio
import hmac
import random
import re
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
import trustme
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer

from imsync.sandbox import deliveries
from imsync.sandbox.sandbox import Sandbox
from tests.sandbox.conftest import Api, Clock, Make, Receiver


async def noisy(api: Api, incident: dict[str, Any], times: int) -> None:
    """So many events of one incident."""
    for number in range(times):
        await api.change(incident, priority=f"P{number % 5 + 1}")


async def test_is_signed_over_the_exact_bytes(api: Api, receiver: Receiver) -> None:
    headers = [{"name": "X-Mine", "value": "yes"}]
    method = {"type": "http_delivery_method", "url": receiver.url, "custom_headers": headers}
    subscription = await api.subscribe("", delivery_method=method)
    await api.create("Ünïcode ✓ \u2028 \U0001f525")
    await api.settle()
    (heard,) = receiver.heard
    secret = subscription["delivery_method"]["secret"].encode()
    assert len(secret) == 64
    expected = "v1=" + hmac.new(secret, heard.raw, sha256).hexdigest()
    assert heard.headers["X-PagerDuty-Signature"] == expected
    assert heard.headers["User-Agent"] == "PagerDuty-Webhook/V3.0"
    assert heard.headers["Content-Type"] == "application/json"
    assert heard.headers["Accept"] == "application/json"
    assert heard.headers["X-Webhook-Subscription"] == subscription["id"]
    assert re.fullmatch(r"[0-9a-f-]{36}", heard.headers["X-Webhook-Id"])
    assert heard.headers["X-Mine"] == "yes"
    api.sandbox.switches.second_signature = True
    await api.create()
    await api.settle()
    first, second = receiver.heard[1].headers["X-PagerDuty-Signature"].split(",")
    assert first != second
    assert second == "v1=" + hmac.new(secret, receiver.heard[1].raw, sha256).hexdigest()


async def test_event_ids_sort_in_time(api: Api, receiver: Receiver, clock: Clock) -> None:
    await api.subscribe(receiver.url)
    incident = await api.create()
    for _ in range(3):
        await noisy(api, incident, 4)
        clock.pass_(ms=1)
    clock.pass_(hours=-1)  # a clock set back does not change their order
    await noisy(api, incident, 3)
    clock.pass_(hours=2)
    await api.settle()
    ids = [heard.event["id"] for heard in receiver.heard]
    assert len(ids) > 10
    assert ids == sorted(set(ids))


async def test_while_the_first_is_tried_again_those_behind_it_wait(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    await api.subscribe(receiver.url)
    stuck, other = await api.create("stuck"), await api.create("other")
    await noisy(api, stuck, 2)
    receiver.answers = [500]
    await api.settle()
    told = [(heard.event["data"]["title"], heard.type) for heard in receiver.heard]
    assert told == [("stuck", "incident.triggered"), ("other", "incident.triggered")]
    assert other["id"] != stuck["id"]
    due = api.sandbox.next_due()
    assert due == clock.at + 10_000
    clock.at = due
    await api.settle()
    assert receiver.types[2:] == ["triggered", "priority_updated", "priority_updated"]
    retried, first = receiver.heard[2], receiver.heard[0]
    assert retried.headers["X-Webhook-Id"] == first.headers["X-Webhook-Id"]
    assert retried.raw == first.raw
    assert len({heard.headers["X-Webhook-Id"] for heard in receiver.heard}) == 4


async def test_tries_again_further_and_further_apart_for_two_days(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    await api.subscribe(receiver.url)
    await api.create()
    receiver.otherwise = 503
    began, waits = clock.at, []
    while (due := api.sandbox.next_due()) is not None:
        waits.append(due - clock.at)
        clock.at = due
        await api.settle()
    assert waits == sorted(waits)
    assert waits[:5] == [0, 10_000, 20_000, 40_000, 80_000]
    assert waits[-1] == 3_600_000
    assert 47 * 3_600_000 < clock.at - began <= 48 * 3_600_000
    assert len(receiver.heard) == len(waits)


async def test_429_and_no_answer_are_tried_again(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    await api.subscribe("http://127.0.0.1:1/")  # nobody listens there
    await api.subscribe(receiver.url)
    await api.create()
    receiver.answers = [429]
    await api.settle()
    assert api.sandbox.deliveries_pending == 2
    clock.pass_(seconds=10)
    await api.settle()
    assert receiver.types == ["triggered", "triggered"]
    assert api.sandbox.deliveries_pending == 1


async def test_what_is_refused_is_dropped_at_once(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    subscription = await api.subscribe(receiver.url)
    incident = await api.create()
    await noisy(api, incident, 3)
    receiver.answers = [400, 302]
    await api.settle()
    assert receiver.types == ["triggered", *["priority_updated"] * 3], "nothing twice"
    path = f"/webhook_subscriptions/{subscription['id']}"
    found = (await api.get(path))["webhook_subscription"]
    assert found["delivery_method"]["temporarily_disabled"] is False


async def test_an_expired_certificate_is_waited_for_and_no_other(
    receiver: Receiver, clock: Clock
) -> None:
    trusted, unknown = trustme.CA(), trustme.CA()
    trusts = ssl.create_default_context()
    trusted.configure_trust(trusts)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    expired = trusted.issue_cert(
        "127.0.0.1", not_before=long_ago, not_after=long_ago + timedelta(days=1)
    )
    for certificate, left in (
        (trusted.issue_cert("127.0.0.1"), 0),
        (expired, 1),
        (unknown.issue_cert("127.0.0.1"), 0),
    ):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        app = web.Application()
        app.router.add_post("/", receiver.hear)
        server = TestServer(app, scheme="https")
        await server.start_server(ssl=context)
        async with ClientSession(connector=TCPConnector(ssl=trusts)) as session:
            sandbox = Sandbox(session=session, now=clock, rng=random.Random(1))
            api = Api(sandbox, session, await sandbox.start())
            await api.subscribe(str(server.make_url("/")))
            await api.create()
            await api.settle()
            assert sandbox.deliveries_made == 1
            assert sandbox.deliveries_pending == left
            await sandbox.stop()
        await server.close()
    assert len(receiver.heard) == 1


async def test_three_drops_in_a_row_disable_it_for_a_day(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    subscription = await api.subscribe(receiver.url)
    path = f"/webhook_subscriptions/{subscription['id']}"

    async def disabled() -> bool:
        found = (await api.get(path))["webhook_subscription"]["delivery_method"]
        return bool(found["temporarily_disabled"])

    incident = await api.create()
    await noisy(api, incident, 5)
    receiver.answers = [403, 403, 202, 403, 403, 403]
    await api.settle()
    assert len(receiver.heard) == 6
    assert await disabled()
    await noisy(api, incident, 1)
    assert await api.settle() == 0, "what happens meanwhile is lost"
    clock.pass_(hours=23.9)
    assert await disabled()
    clock.pass_(hours=0.1)
    assert not await disabled()
    await api.change(incident, status="acknowledged")
    await api.settle()
    assert receiver.types[6:] == ["acknowledged"]


async def test_enabling_brings_it_back_but_not_what_it_missed(api: Api, receiver: Receiver) -> None:
    subscription = await api.subscribe(receiver.url)
    path = f"/webhook_subscriptions/{subscription['id']}"
    incident = await api.create()
    await noisy(api, incident, 5)
    receiver.answers = [401, 401, 401]
    await api.settle()
    assert len(receiver.heard) == 3
    enabled = await api.call("POST", f"{path}/enable")
    assert not enabled.body["webhook_subscription"]["delivery_method"]["temporarily_disabled"]
    assert await api.settle() == 0
    await api.change(incident, status="acknowledged")
    await api.settle()
    assert receiver.types[3:] == ["acknowledged"]


async def test_repeats_on_demand_under_the_same_id(api: Api, receiver: Receiver) -> None:
    await api.subscribe(receiver.url)
    await api.create()
    await api.settle()
    assert api.sandbox.repeat() == 1
    await api.settle()
    assert (await api.call("POST", "/_sandbox/repeat", {"count": 5})).body["repeated"] == 1
    await api.settle()
    assert len(receiver.heard) == 3
    assert len({heard.headers["X-Webhook-Id"] for heard in receiver.heard}) == 1
    assert len({heard.raw for heard in receiver.heard}) == 1


async def test_delays_repeats_and_changes_places_by_chance(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    await api.subscribe(receiver.url)
    incident = await api.create()
    faults = api.sandbox.faults
    faults.delivery_reorder, faults.delivery_repeat, faults.delivery_drop = 0.5, 0.3, 0.2
    await noisy(api, incident, 30)
    faults.delivery_drop = 0.0
    while (due := api.sandbox.next_due()) is not None:
        faults.delivery_repeat *= 0.9
        clock.at = max(clock.at, due)
        await api.settle()
    ids = [heard.event["id"] for heard in receiver.heard]
    assert ids != sorted(ids)
    assert len(ids) > len(set(ids))
    assert len(set(ids)) < 31


async def test_a_delay_holds_up_those_behind(api: Api, receiver: Receiver, clock: Clock) -> None:
    await api.subscribe(receiver.url)
    api.sandbox.faults.delivery_delay = 1.0
    incident = await api.create()
    api.sandbox.faults.delivery_delay = 0.0
    await noisy(api, incident, 2)
    assert await api.settle() == 0
    clock.pass_(ms=api.sandbox.faults.delivery_delay_ms)
    await api.settle()
    assert receiver.types == ["triggered", "priority_updated", "priority_updated"]


async def test_large_ones_leave_the_order_and_the_largest_are_not_sent(
    api: Api, receiver: Receiver
) -> None:
    await api.subscribe(receiver.url)
    incident = await api.create()
    receiver.answers = [500]
    await api.settle()
    path = f"/incidents/{incident['id']}"
    await api.call("POST", f"{path}/notes", {"note": {"content": "x" * 60_000}})
    await api.call("POST", f"{path}/status_updates", {"message": "x" * 300_000})
    await api.settle()
    assert receiver.types == ["triggered", "annotated"]
    assert api.sandbox.deliveries_pending == 1


async def test_scopes_events_and_activity_decide_who_is_told(api: Api, receiver: Receiver) -> None:
    service = {"type": "service_reference", "id": api.about["services"][1]["id"]}
    await api.subscribe(receiver.url, filter=service)
    await api.subscribe(receiver.url, events=["incident.resolved"])
    await api.subscribe(receiver.url, active=False)
    await api.create("elsewhere")
    assert await api.settle() == 0
    incident = await api.create("there", service=service)
    await api.settle()
    assert receiver.types == ["triggered"]
    await api.change(incident, status="resolved")
    await api.settle()
    assert receiver.types == ["triggered", "resolved", "resolved"]
    _, one, other = (heard.headers["X-Webhook-Id"] for heard in receiver.heard)
    assert one != other
    assert receiver.heard[1].event["id"] == receiver.heard[2].event["id"], "the same event"


async def test_a_receiver_that_hangs_holds_up_only_its_own_queue(
    make: Make, receiver: Receiver
) -> None:
    """Here `run` does the waiting, and nothing is waited for but what has happened."""
    arrived, release, heard = asyncio.Event(), asyncio.Event(), list[str]()

    async def hang(request: web.Request) -> web.Response:
        title = (await request.json())["event"]["data"]["title"]
        if title == "hangs":
            await release.wait()
        heard.append(title)
        if len(heard) == 3:
            arrived.set()
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/", hang)
    server = TestServer(app)
    await server.start_server()
    api = await make()
    await api.subscribe(str(server.make_url("/")))
    running = asyncio.create_task(api.sandbox.run())
    await api.create("hangs")
    for number in range(3):
        await api.create(str(number))
    await asyncio.wait_for(arrived.wait(), 5)
    assert sorted(heard) == ["0", "1", "2"]
    release.set()
    await api.sandbox.stop()
    await asyncio.wait_for(running, 5)
    await server.close()


@pytest.fixture
async def silent() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The address of a receiver that never answers, and whether anything has reached it."""
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        begun.set()
        await never.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hang)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/")), begun
    never.set()
    await server.close()


async def test_no_answer_in_time_is_tried_again(
    make: Make, clock: Clock, silent: tuple[str, asyncio.Event]
) -> None:
    url, begun = silent
    api = await make(patience=0.05)
    await api.subscribe(url)
    await api.create()
    assert await api.sandbox.step()
    assert begun.is_set()
    assert api.sandbox.deliveries_pending == 1
    assert api.sandbox.next_due() == clock.at + 10_000
    assert deliveries.PATIENCE == 5


async def test_run_ends_when_stopped_with_attempts_under_way(
    make: Make, silent: tuple[str, asyncio.Event]
) -> None:
    url, begun = silent
    api = await make()
    await api.subscribe(url)
    running = asyncio.create_task(api.sandbox.run())
    await api.create()
    await asyncio.wait_for(begun.wait(), 5)
    await api.sandbox.stop()
    await asyncio.wait_for(running, 5)
    assert api.sandbox.deliveries_pending == 1, "it is tried again in the next life"


async def test_waits_are_divided_by_the_time_scale(
    make: Make, receiver: Receiver, clock: Clock
) -> None:
    api = await make(time_scale=100.0)
    await api.subscribe(receiver.url)
    await api.create()
    receiver.answers = [500]
    await api.settle()
    assert api.sandbox.next_due() == clock.at + 100
