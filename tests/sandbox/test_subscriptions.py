"""Webhook subscriptions over the API."""

from typing import Any

import pytest

from imsync.sandbox import events
from tests.sandbox.conftest import Api, Receiver

PATH = "/webhook_subscriptions"


async def test_the_secret_is_told_once_and_headers_never_again(api: Api) -> None:
    method = {
        "type": "http_delivery_method",
        "url": "https://x.example/hook",
        "custom_headers": [{"name": "X-Key", "value": "hidden"}],
    }
    created = await api.subscribe("", delivery_method=method, description="mine")
    assert created["delivery_method"]["secret"]
    for found in (
        (await api.get(f"{PATH}/{created['id']}"))["webhook_subscription"],
        (await api.get(PATH))["webhook_subscriptions"][0],
    ):
        assert found["delivery_method"]["secret"] is None
        assert found["delivery_method"]["custom_headers"] == [
            {"name": "X-Key", "value": "-- redacted --"}
        ]
        assert found["description"] == "mine"


async def test_changes_all_but_the_delivery_method(api: Api) -> None:
    path = f"{PATH}/{(await api.subscribe('https://x.example'))['id']}"

    async def put(**changes: Any) -> Any:
        return await api.call("PUT", path, {"webhook_subscription": changes}, by=None)

    answer = await put(description="new", active=False, events=["incident.resolved"])
    found = answer.body["webhook_subscription"]
    assert (found["description"], found["active"]) == ("new", False)
    assert found["events"] == ["incident.resolved"]
    refused = await put(
        delivery_method={"type": "http_delivery_method", "url": "https://y.example"}
    )
    assert (refused.status, refused.code) == (400, 2001)
    assert (await put(active="yes")).code == 2001


async def test_is_deleted_with_what_it_was_owed(api: Api, receiver: Receiver) -> None:
    subscription = await api.subscribe(receiver.url)
    await api.create()
    path = f"{PATH}/{subscription['id']}"
    assert (await api.call("DELETE", path, by=None)).status == 204
    assert (await api.call("GET", path)).status == 404
    assert (await api.call("DELETE", path)).status == 404
    assert await api.settle() == 0
    assert api.sandbox.deliveries_pending == 0


async def test_ten_for_each_scope(api: Api) -> None:
    for _ in range(10):
        await api.subscribe("https://x.example")
    body = {
        "webhook_subscription": {
            "type": "webhook_subscription",
            "delivery_method": {"type": "http_delivery_method", "url": "https://x.example"},
            "events": ["incident.triggered"],
            "filter": {"type": "account_reference"},
        }
    }
    answer = await api.call("POST", PATH, body)
    assert (answer.status, answer.code) == (400, 2019)
    service = {"type": "service_reference", "id": api.about["default_service"]}
    other = await api.subscribe("https://x.example", filter=service)
    moved = {"webhook_subscription": {"filter": {"type": "account_reference"}}}
    assert (await api.call("PUT", f"{PATH}/{other['id']}", moved)).code == 2019
    same = {"webhook_subscription": {"filter": service}}
    assert (await api.call("PUT", f"{PATH}/{other['id']}", same)).status == 200
    listed = await api.get(f"{PATH}?filter_type=service&filter_id={service['id']}")
    assert len(listed["webhook_subscriptions"]) == 1
    assert len((await api.get(f"{PATH}?filter_type=account"))["webhook_subscriptions"]) == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": []},
        {"events": ["incident.triggered", "incident.triggered"]},
        {"events": ["incident.priority_changed"]},
        {"events": ["incident.title_updated"]},
        {"events": "incident.triggered"},
        {"filter": {"type": "team_reference", "id": "PTEAM00"}},
        {"filter": {"type": "service_reference", "id": "PNONE00"}},
        {"filter": {"type": "nothing"}},
        {"filter": None},
        {"type": "subscription"},
        {"delivery_method": {"type": "http_delivery_method", "url": "not a url"}},
        {"delivery_method": {"type": "http_delivery_method", "url": "ftp://x.example"}},
        {"delivery_method": {"type": "email", "url": "https://x.example"}},
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, wrong: dict[str, Any]) -> None:
    subscription = {
        "type": "webhook_subscription",
        "delivery_method": {"type": "http_delivery_method", "url": "https://x.example"},
        "events": ["incident.triggered"],
        "filter": {"type": "account_reference"},
    }
    answer = await api.call("POST", PATH, {"webhook_subscription": {**subscription, **wrong}})
    assert answer.status == 400
    assert (await api.get(PATH))["webhook_subscriptions"] == []


async def test_unknown_events_may_be_taken(api: Api) -> None:
    api.sandbox.switches.refuse_unknown_events = False
    made = await api.subscribe("https://x.example", events=["incident.invented"])
    assert made["events"] == ["incident.invented"]
    assert "incident.invented" not in events.DOCUMENTED


async def test_a_ping_arrives(api: Api, receiver: Receiver) -> None:
    subscription = await api.subscribe(receiver.url)
    answer = await api.call("POST", f"{PATH}/{subscription['id']}/ping", by=None)
    assert (answer.status, answer.body) == (202, None)
    await api.settle()
    (heard,) = receiver.heard
    assert heard.type == "pagey.ping"
    assert heard.event["resource_type"] == "pagey"
    assert (await api.call("POST", f"{PATH}/PNONE00/ping")).status == 404


async def test_enabling_does_not_switch_on_what_was_switched_off(api: Api) -> None:
    """Nobody outside PagerDuty knows whether it does: its documentation speaks of disabled ones."""
    path = f"{PATH}/{(await api.subscribe('https://x.example', active=False))['id']}"
    answer = await api.call("POST", f"{path}/enable")
    assert answer.body["webhook_subscription"]["active"] is False
    api.sandbox.switches.enabling_switches_on = True
    answer = await api.call("POST", f"{path}/enable")
    assert answer.body["webhook_subscription"]["active"] is True
