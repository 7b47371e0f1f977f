"""PagerDuty's own Python client, as it is, over TLS; all that passes is judged by its OpenAPI.

It is synchronous, and so is what is done with it here: each test does its work in a thread.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pagerduty
import pytest
from aiohttp import ClientSession

from imsync.sandbox.deliveries import sign
from imsync.sandbox.sandbox import Sandbox
from tests.openapi.judge import ABSENT, openapi
from tests.sandbox.conftest import Clock, Json, Receiver, Tls

Client = pagerduty.RestApiV2Client
ALICE = "alice@acme.example"
HOOK = {"type": "http_delivery_method", "url": "https://x.example/hook"}


def judge(response: Any, *, from_needed: bool) -> None:
    """Every request and its answer on the way to the client, whatever the client makes of it."""
    spec = openapi()
    assert spec
    response.read()
    asked = response.request
    method, path, query = asked.method, asked.url.path, asked.url.params.multi_items()
    found = spec.of_request(
        method, path, query, asked.headers, asked.content, from_needed=from_needed
    )
    assert not found, (method, str(asked.url), asked.content, found)
    if response.status_code == 429 and not response.content:
        return  # as some are
    body = response.json() if response.content else None
    found = spec.of_answer(method, path, response.status_code, body)
    assert not found, (method, path, found)


@pytest.fixture
async def sandbox(session: ClientSession, tls: Tls, clock: Clock) -> AsyncIterator[Sandbox]:
    if openapi() is None:
        pytest.skip(ABSENT)
    found = Sandbox(session=session, now=clock, rng=random.Random(1))
    await found.start("localhost", ssl_context=tls.server)
    yield found
    await found.stop()


@pytest.fixture
async def client(
    sandbox: Sandbox, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.trusted))
    found = client_of(sandbox, sandbox.token, default_from=ALICE)
    yield found
    await asyncio.to_thread(found.close)


def client_of(sandbox: Sandbox, token: str, **more: Any) -> Client:
    found = Client(token, base_url=sandbox.describe()["url"], **more)
    found.event_hooks = {"response": [partial(judge, from_needed=token != sandbox.user_token)]}
    return found


async def test_what_it_showed_leads_back_to_the_sandbox(sandbox: Sandbox, client: Client) -> None:
    """The client takes a resource for its address; PagerDuty's own would have got the token."""
    service = {"id": sandbox.describe()["default_service"], "type": "service_reference"}

    def work() -> None:
        made = client.rpost("incidents", json={**TITLED, "service": service})
        assert client.rget(made)["id"] == made["id"]
        changed = client.rput(made, json={"type": "incident", "title": '"self":"https://a'})
        assert changed["title"] == '"self":"https://a'
        assert client.rget(changed["service"]["self"])["id"] == service["id"]
        user = client.rget(made["assignments"][0]["assignee"]["self"])
        assert client.rget(user)["id"] == user["id"]

    await asyncio.to_thread(work)


TITLED = {"type": "incident", "title": "Checkout is slow"}


def named(client: Client, plural: str, what: str, *, attribute: str = "name") -> Json:
    found: Json | None = client.find(plural, what, attribute=attribute)
    assert found
    return found


def draft(client: Client, title: str, **more: Any) -> Json:
    service = named(client, "services", "Checkout")
    about = {"id": service["id"], "type": "service_reference"}
    return {"type": "incident", "title": title, "service": about, **more}


def create(client: Client, title: str = "Checkout is down", **more: Any) -> Json:
    found: Json = client.rpost("incidents", json=draft(client, title, **more))
    return found


def path(incident: Json, *more: str) -> str:
    return "/".join(["incidents", incident["id"], *more])


def user(client: Client, email: str) -> Json:
    found = named(client, "users", email, attribute="email")
    return {"id": found["id"], "type": "user_reference"}


def creates_edits_and_reopens(client: Client) -> None:
    to_alice = [{"assignee": user(client, "alice@acme.example")}]
    incident = create(client, assignments=to_alice)
    assert incident["status"] == "acknowledged"
    assert client.rget(path(incident))["id"] == incident["id"]
    changed = client.rput(
        path(incident), json={"type": "incident", "title": "New", "priority": "P1"}
    )
    assert (changed["title"], changed["priority"]["name"]) == ("New", "P1")
    to_bob = {"type": "incident", "assignments": [{"assignee": user(client, "bob@acme.example")}]}
    changed = client.rput(path(incident), json=to_bob)
    assert changed["assignments"][0]["assignee"]["summary"] == "Bob Chen"
    for change, level in (({"urgency": "low"}, None), ({"urgency": "high"}, 2)):
        client.rput(path(incident), json={"type": "incident", **change})
        if level:
            client.rput(path(incident), json={"type": "incident", "escalation_level": level})
    elsewhere = named(client, "services", "Search")
    moved = {"type": "incident", "service": {"id": elsewhere["id"], "type": "service_reference"}}
    assert client.rput(path(incident), json=moved)["service"]["summary"] == "Search"
    client.rput(path(incident), json={"type": "incident", "status": "resolved"})
    assert client.rget(path(incident))["resolved_at"]
    reopened = client.rput(path(incident), json={"type": "incident", "status": "triggered"})
    assert (reopened["status"], reopened["resolved_at"]) == ("triggered", None)
    with pytest.raises(pagerduty.HttpError, match="400"):
        client.rput(path(incident), json={"type": "incident", "priority": "P9"})
    with pytest.raises(pagerduty.HttpError, match="404"):
        client.rget("incidents/QNONE")


def lists_page_by_page(client: Client) -> None:
    for number in range(30):
        create(client, str(number))
    found = client.iter_all("incidents", params={"statuses[]": ["triggered"]}, page_size=7)
    assert [row["title"] for row in found] == [str(number) for number in range(30)]
    assert client.get_total("incidents", params={"date_range": "all"}) == 30
    assert len(client.dict_all("incidents")) == 30


def changes_many_merges_and_snoozes(client: Client) -> None:
    first, second, third = (create(client, title) for title in ("1", "2", "3"))
    both = client.rput(
        "incidents",
        json=[
            {"id": row["id"], "type": "incident", "status": "acknowledged"}
            for row in (first, second)
        ],
    )
    assert [row["status"] for row in both] == ["acknowledged", "acknowledged"]
    snoozed = client.rpost(path(first, "snooze"), json={"duration": 3_600})
    assert [action["type"] for action in snoozed["pending_actions"]] == ["unacknowledge"]
    sources = [{"id": row["id"], "type": "incident_reference"} for row in (second, third)]
    merged = client.rput(path(first, "merge"), json={"source_incidents": sources})
    assert merged["id"] == first["id"]
    for row in (second, third):
        shown = client.rget(path(row))
        assert (shown["status"], shown["resolve_reason"]["incident"]["id"]) == (
            "resolved",
            first["id"],
        )


def writes_notes_and_reads_the_log(client: Client) -> None:
    incident = create(client)
    note = client.rpost(path(incident, "notes"), json={"content": "Looking"})
    assert note["user"]["summary"] == "Alice Martin"
    edited = client.rput(path(incident, "notes", note["id"]), json={"content": "Found it"})
    assert edited["content"] == "Found it"
    assert [row["content"] for row in client.rget(path(incident, "notes"))] == ["Found it"]
    client.rdelete(path(incident, "notes", note["id"]))
    assert client.rget(path(incident, "notes")) == []
    client.rpost(path(incident, "status_updates"), json={"message": "We are on it"})
    of_one = list(client.iter_all(path(incident, "log_entries")))
    assert [row["type"] for row in of_one] == [
        "annotate_log_entry",
        "assign_log_entry",
        "trigger_log_entry",
    ]
    params = {"include[]": ["incidents", "channels"]}
    of_all = list(client.iter_all("log_entries", params=params))
    assert {row["incident"]["title"] for row in of_all} == {"Checkout is down"}
    entry = client.rget(f"log_entries/{of_all[0]['id']}")
    assert entry["id"] == of_all[0]["id"]


def notes_what_was_decided(client: Client) -> None:
    incident = create(client)
    over = {"type": "incident", "status": "resolved", "resolution": "Rolled back"}
    client.rput(path(incident), json=over)
    client.rpost(path(incident, "notes"), json={"content": "Post-mortem on Monday"})
    found = [row["content"] for row in client.rget(path(incident, "notes"))]
    assert sorted(found) == ["Post-mortem on Monday", "Resolution Note: Rolled back"]
    logged = list(client.iter_incident_notes(incident["id"]))
    assert {row["agent"]["summary"] for row in logged} == {"Alice Martin"}


def finds_incidents_by_what_they_are(client: Client) -> None:
    key, to_dave = "imsync:INC-1", [{"assignee": user(client, "dave@acme.example")}]
    mine = create(client, "Mine", incident_key=key, urgency="low")
    daves = create(client, "Dave's", assignments=to_dave)
    over = create(client, "Over")
    client.rput(path(over), json={"type": "incident", "status": "resolved"})
    for params, titles in (
        ({"incident_key": key, "service_ids[]": [mine["service"]["id"]]}, ["Mine"]),
        ({"urgencies[]": ["low"]}, ["Mine"]),
        ({"user_ids[]": [to_dave[0]["assignee"]["id"]]}, ["Dave's"]),
        ({"statuses[]": ["resolved"], "date_range": "all"}, ["Over"]),
        ({"sort_by": "incident_number:desc"}, ["Over", "Dave's", "Mine"]),
        ({"since": "2020-01-01T00:00:00Z", "until": "2020-02-01T00:00:00Z"}, []),
    ):
        found = client.list_all("incidents", params=params)
        assert [row["title"] for row in found] == titles, params
    params = {"include[]": ["assignees", "services", "first_trigger_log_entries", "body"]}
    shown = client.rget(f"incidents/{daves['incident_number']}", params=params)
    assert shown["assignments"][0]["assignee"]["email"] == "dave@acme.example"


def asks_who_is_on_call(client: Client) -> None:
    schedule, policy = client.list_all("schedules")[0], client.list_all("escalation_policies")[0]
    by_schedule = {"schedule_ids[]": [schedule["id"]], "include[]": ["users"]}
    found = client.list_all("oncalls", params=by_schedule)
    assert {row["schedule"]["id"] for row in found} == {schedule["id"]}
    assert all("@" in row["user"]["email"] for row in found)
    by_policy = {"escalation_policy_ids[]": [policy["id"]], "earliest": "true"}
    assert {row["escalation_level"] for row in client.list_all("oncalls", params=by_policy)}


def is_told_what_cannot_be(client: Client) -> None:
    incident, other = create(client, incident_key="one"), create(client)
    hook = {
        "type": "webhook_subscription",
        "delivery_method": HOOK,
        "events": ["incident.triggered"],
        "filter": {"type": "account_reference"},
    }
    for _ in range(10):
        client.rpost("webhook_subscriptions", json=hook)
    client.rput(path(other), json={"type": "incident", "status": "resolved"})
    again = draft(client, "Once more", incident_key="one")
    sources = {"source_incidents": [{"id": other["id"], "type": "incident_reference"}]}
    one = {"id": incident["id"], "type": "incident", "title": "x"}
    for method, where, body, status, code in (
        ("post", "incidents", {"incident": again}, 400, 2002),
        ("post", path(incident, "snooze"), {"duration": 60}, 400, 1012),
        ("put", path(incident, "merge"), sources, 400, 1001),
        ("put", "incidents", {"incidents": [one] * 251}, 413, None),
        ("get", "incidents?limit=100&offset=9901", None, 400, 2002),
        ("get", "abilities/advanced_reports", None, 402, 2014),
        ("post", "webhook_subscriptions", {"webhook_subscription": hook}, 400, 2019),
    ):
        answer = client.request(method, where, **({"json": body} if body else {}))
        assert answer.status_code == status, where
        assert code in (None, answer.json()["error"]["code"]), where


def looks_things_up(client: Client) -> None:
    for plural in ("services", "users", "escalation_policies", "schedules"):
        rows = client.list_all(plural)
        assert client.rget(f"{plural}/{rows[0]['id']}")["id"] == rows[0]["id"], plural
    assert named(client, "services", "Payments API")["name"] == "Payments API"
    dave = named(client, "users", "dave@acme.example", attribute="email")
    assert dave["name"] == "Dave Okafor"
    assert [row["name"] for row in client.iter_all("priorities")] == ["P1", "P2", "P3", "P4", "P5"]
    assert {row["escalation_level"] for row in client.list_all("oncalls")} == {1, 2}
    assert "urgencies" in client.rget("abilities")
    assert client.account_has_ability("urgencies")
    assert not client.account_has_ability("advanced_reports")
    assert client.subdomain == "acme"


def looks_after_a_webhook_subscription(client: Client) -> None:
    created = client.rpost(
        "webhook_subscriptions",
        json={
            "type": "webhook_subscription",
            "delivery_method": HOOK,
            "events": ["incident.triggered"],
            "filter": {"type": "account_reference"},
        },
    )
    assert created["delivery_method"]["secret"]
    one = f"webhook_subscriptions/{created['id']}"
    changed = client.rput(
        one,
        json={"type": "webhook_subscription", "events": ["incident.resolved"], "active": False},
    )
    assert (changed["events"], changed["active"]) == (["incident.resolved"], False)
    assert client.rget(one)["delivery_method"]["secret"] is None
    assert client.post(f"{one}/enable").json()["webhook_subscription"]["id"] == created["id"]
    assert client.rput(one, json={"type": "webhook_subscription", "active": True})["active"]
    assert client.post(f"{one}/ping").status_code == 202
    assert [row["id"] for row in client.iter_all("webhook_subscriptions")] == [created["id"]]
    client.rdelete(one)
    assert client.list_all("webhook_subscriptions") == []


@pytest.mark.parametrize(
    "work",
    [
        creates_edits_and_reopens,
        lists_page_by_page,
        changes_many_merges_and_snoozes,
        writes_notes_and_reads_the_log,
        notes_what_was_decided,
        finds_incidents_by_what_they_are,
        asks_who_is_on_call,
        is_told_what_cannot_be,
        looks_things_up,
        looks_after_a_webhook_subscription,
    ],
)
async def test_works_unpatched(client: Client, work: Callable[[Client], None]) -> None:
    await asyncio.to_thread(work, client)


async def test_keys_of_every_kind(sandbox: Sandbox, client: Client) -> None:
    def work() -> None:
        reads = client_of(sandbox, sandbox.read_only_token, default_from=ALICE)
        app = client_of(sandbox, sandbox.app_token, auth_type="bearer", default_from=ALICE)
        alices = client_of(sandbox, sandbox.user_token)
        with reads, app, alices:
            assert reads.list_all("users")
            with pytest.raises(pagerduty.HttpError, match="403"):
                create(reads)
            assert alices.rget("users/me")["email"] == ALICE
            for each in (client, app, alices):
                (entry,) = [
                    row
                    for row in each.iter_all(path(create(each), "log_entries"))
                    if row["type"] == "trigger_log_entry"
                ]
                assert entry["agent"]["summary"] == "Alice Martin"

    await asyncio.to_thread(work)


@pytest.mark.parametrize("fault", ["api_429", "api_429_bare"])
async def test_over_the_limit_it_waits_and_goes_on(
    sandbox: Sandbox, client: Client, fault: str
) -> None:
    client.sleep_timer = 0
    setattr(sandbox.faults, fault, 1.0)
    heard: list[int] = []

    def over(response: Any) -> None:
        heard.append(response.status_code)
        setattr(sandbox.faults, fault, 0.0)

    client.event_hooks["response"].append(over)
    assert await asyncio.to_thread(client.list_all, "priorities")
    assert heard[0] == 429
    assert set(heard[1:]) == {200}


async def test_its_ping_arrives(sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    def work() -> str:
        method = {"type": "http_delivery_method", "url": receiver.url}
        created: Json = client.rpost(
            "webhook_subscriptions",
            json={
                "type": "webhook_subscription",
                "delivery_method": method,
                "events": ["incident.triggered"],
                "filter": {"type": "account_reference"},
            },
        )
        assert client.post(f"webhook_subscriptions/{created['id']}/ping").status_code == 202
        return str(created["delivery_method"]["secret"])

    secret = await asyncio.to_thread(work)
    assert await sandbox.step()
    (heard,) = receiver.heard
    assert heard.type == "pagey.ping"
    assert heard.headers["X-PagerDuty-Signature"] == sign(secret, heard.raw)
