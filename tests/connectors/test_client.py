"""Which request each question becomes, and what is made of the answer."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from imsync.connectors import TRANSLATIONS, connect
from imsync.connectors.base import (
    Change,
    Connector,
    Draft,
    Entry,
    Kind,
    Note,
    OnCall,
    Subscription,
    Translation,
)
from imsync.connectors.pagerduty.client import PAGE, WALL, PagerDuty
from imsync.connectors.pagerduty.subscriptions import HOPED_FOR
from imsync.core.fields import Field, Instant, Value
from imsync.errors import Gone, Refused, Unauthorized, Unavailable, UserError
from tests.openapi.judge import OpenApi

from .wire import API, NOW, TOKEN, Ear, Wire, incident, pagerduty

REFUSED: dict[str, Any] = {
    "status": 400,
    "payload": {"error": {"message": "Invalid Input Provided", "code": 2001, "errors": []}},
}


async def test_the_connector_is_one(session: ClientSession) -> None:
    terms: dict[str, Any] = {"base_url": API, "token": TOKEN, "from_email": None}
    rest: dict[str, Any] = {"now": lambda: NOW, "heard": Ear()}
    found: Connector = connect("pagerduty")(
        session=session, priority_id=lambda _: None, priority_name=lambda _: None, **terms, **rest
    )
    translation: Translation = TRANSLATIONS["pagerduty"]
    assert isinstance(found, PagerDuty)
    assert (translation.name, translation.short, translation.title) == (
        "pagerduty",
        "pd",
        "PagerDuty",
    )
    assert set(translation.observed) == set(Field)


def test_a_connector_there_is_none_of_is_named() -> None:
    with pytest.raises(UserError, match="'opsgenie'") as caught:
        connect("opsgenie")
    assert "pagerduty" in caught.value.hint


# Incidents.


async def test_an_incident_is_fetched_as_of_when_we_asked(
    wire: Wire, session: ClientSession
) -> None:
    times = iter((NOW, Instant(NOW + 700)))
    wire.answers("GET /incidents/Q1", {"incident": incident()})
    shown = await pagerduty(session, now=lambda: next(times)).fetch("Q1")
    assert shown.as_of == NOW
    assert shown.fields == {
        Field.TITLE: "Checkout is slow",
        Field.STATUS: "triggered",
        Field.SEVERITY: "high P1",
        Field.ASSIGNED_TO: "PBOB",
        Field.ESCALATION_POLICY: "PPOL",
    }
    assert shown.url == "https://acme.pagerduty.com/incidents/Q3B15VLMF3ASBD"
    assert (shown.key, shown.service_id, shown.set_at) == ("imsync:INC-1", "PSVC", {})
    assert list(shown.learnt) == [
        Entry(Kind.ESCALATION_POLICY, "Default", "PPOL"),
        Entry(Kind.USER, "bob@example.com", "PBOB"),
    ]


async def test_one_is_found_by_its_key_and_never_by_none(wire: Wire, pd: PagerDuty) -> None:
    others = [incident(incident_key=None), incident(service={"id": "POTHER"})]
    mine = [incident(id="Q2", status="resolved"), incident(id="Q1")]
    wire.answers("GET /incidents", {"incidents": [others[0], *mine, others[1]], "more": False})
    found = await pd.find("imsync:INC-1", "PSVC")
    assert [snapshot.external_id for snapshot in found] == ["Q2", "Q1"]
    assert dict(wire.only.url.query) == {
        "incident_key": "imsync:INC-1",
        "service_ids[]": "PSVC",
        "date_range": "all",
        "sort_by": "created_at:desc",
        "limit": "100",
    }
    for key, service in (("", "PSVC"), ("imsync:INC-1", "")):
        with pytest.raises(ValueError, match="neither empty"):
            await pd.find(key, service)
    assert len(wire.asked) == 1


async def test_the_open_ones_are_listed_page_by_page(wire: Wire, pd: PagerDuty) -> None:
    wire.answers("GET /incidents", {"incidents": [incident()], "more": True})
    wire.answers("GET /incidents", {"incidents": [incident()], "more": False})
    first = await pd.list_open()
    assert first.next == PAGE
    assert len(first.items) == 1
    assert (await pd.list_open(first.next)).next is None
    assert [asked.url.query["offset"] for asked in wire.asked] == ["0", "100"]
    query = wire.asked[0].url.query
    assert query.getall("statuses[]") == ["acknowledged", "triggered"]
    assert (query["date_range"], query["sort_by"]) == ("all", "created_at:asc")


async def test_the_list_ends_at_the_wall_and_says_so(
    wire: Wire, pd: PagerDuty, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        wire.answers("GET /incidents", {"incidents": [], "more": True})
    assert (await pd.list_open(WALL - 2 * PAGE)).next == WALL - PAGE
    assert not caplog.text
    assert (await pd.list_open(WALL - PAGE)).next is None
    assert "more than 10000 open incidents" in caplog.text


async def test_one_bad_incident_does_not_hide_the_others(
    wire: Wire, pd: PagerDuty, caplog: pytest.LogCaptureFixture
) -> None:
    page = {"incidents": [incident(status=5), incident(id="Q2")], "more": False}
    wire.answers("GET /incidents", page)
    assert [item.external_id for item in (await pd.list_open()).items] == ["Q2"]
    assert "status is a number" in caplog.text


async def test_half_an_emoji_does_not_hide_the_others(wire: Wire, pd: PagerDuty) -> None:
    """A title cut in the middle of one made nonsense of the page, and no sweep came to an end."""
    page = orjson.dumps({"incidents": [incident(title="Down HERE"), incident(id="Q2")]})
    for half in (b"\\ud83d", b"\xf0\x9f"):
        wire.answers("GET /incidents", body=page.replace(b"HERE", half))
        cut, whole = (await pd.list_open()).items
        assert str(cut.fields[Field.TITLE]).startswith("Down ")
        assert cut.fields[Field.TITLE].isprintable()  # type: ignore[union-attr]
        assert whole.external_id == "Q2"


async def created(wire: Wire, pd: PagerDuty, fields: dict[Field, Value], **rest: Any) -> Any:
    wire.answers("POST /incidents", {"incident": incident()}, status=201)
    await pd.create(Draft("imsync:INC-1", fields, "PSVC", **rest), actor="bob@example.com")
    return wire.only.body["incident"]


async def test_an_incident_is_created_with_all_that_is_set(wire: Wire, pd: PagerDuty) -> None:
    fields: dict[Field, Value] = {
        Field.TITLE: "Checkout is slow",
        Field.STATUS: "acknowledged",  # which no incident is born with
        Field.SEVERITY: "high P1",
        Field.ASSIGNED_TO: "PBOB",
        Field.ESCALATION_POLICY: "PPOL",  # one or the other: the assignee goes first
    }
    assert await created(wire, pd, fields, description="Since noon") == {
        "type": "incident",
        "title": "Checkout is slow",
        "service": {"id": "PSVC", "type": "service_reference"},
        "incident_key": "imsync:INC-1",
        "urgency": "high",
        "priority": {"id": "PRIO1", "type": "priority_reference"},
        "assignments": [{"assignee": {"id": "PBOB", "type": "user_reference"}}],
        "body": {"type": "incident_body", "details": "Since noon"},
    }
    assert wire.only.headers["From"] == "bob@example.com"


async def test_a_policy_takes_it_where_nobody_is_named(wire: Wire, pd: PagerDuty) -> None:
    fields: dict[Field, Value] = {
        Field.TITLE: "x",
        Field.ASSIGNED_TO: None,
        Field.ESCALATION_POLICY: "PPOL",
    }
    body = await created(wire, pd, fields)
    assert body["escalation_policy"] == {"id": "PPOL", "type": "escalation_policy_reference"}
    assert "assignments" not in body


async def test_a_priority_whose_id_is_not_known_is_left_for_later(
    wire: Wire, pd: PagerDuty
) -> None:
    body = await created(wire, pd, {Field.TITLE: "x", Field.SEVERITY: "low Sev 4"})
    assert body["urgency"] == "low"
    assert "priority" not in body


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({Field.TITLE: "New"}, {"title": "New"}),
        ({Field.STATUS: "resolved"}, {"status": "resolved"}),
        ({Field.STATUS: "resolved", Field.ASSIGNED_TO: None}, {"status": "resolved"}),
        ({Field.SEVERITY: "low"}, {"urgency": "low"}),
        (
            {Field.SEVERITY: "high P2"},
            {"urgency": "high", "priority": {"id": "PRIO2", "type": "priority_reference"}},
        ),
        ({Field.SEVERITY: "low Sev 4"}, {"urgency": "low", "priority": "Sev 4"}),
        ({Field.SEVERITY: "Sev 4"}, {"priority": "Sev 4"}),
        (
            {Field.ASSIGNED_TO: "PBOB"},
            {"assignments": [{"assignee": {"id": "PBOB", "type": "user_reference"}}]},
        ),
        (
            {Field.ESCALATION_POLICY: "PPOL"},
            {"escalation_policy": {"id": "PPOL", "type": "escalation_policy_reference"}},
        ),
    ],
)
async def test_a_write_is_one_request_of_what_changes(
    wire: Wire, pd: PagerDuty, changes: dict[Field, Value], sent: dict[str, Any]
) -> None:
    wire.answers("PUT /incidents/Q1", {"incident": incident(title="As it stands")})
    shown = await pd.write("Q1", changes, actor=None)
    assert wire.only.body == {"incident": {"type": "incident_reference", **sent}}
    assert (shown.fields[Field.TITLE], shown.as_of) == ("As it stands", NOW)


@pytest.mark.parametrize(
    "changes", [{Field.ASSIGNED_TO: None}, {Field.TITLE: None}, {Field.ESCALATION_POLICY: None}]
)
async def test_what_pagerduty_cannot_do_is_refused_unsent(
    wire: Wire, pd: PagerDuty, changes: dict[Field, Value]
) -> None:
    with pytest.raises(Refused):
        await pd.write("Q1", changes, actor=None)
    assert wire.asked == []


async def test_there_is_no_write_of_nothing_nor_of_a_description(pd: PagerDuty) -> None:
    for changes in ({}, {Field.DESCRIPTION: "x"}):
        with pytest.raises(ValueError, match="no write"):
            await pd.write("Q1", changes, actor=None)


# What happened to one.


async def test_the_log_is_read_a_little_early_on_their_clock(wire: Wire, pd: PagerDuty) -> None:
    ahead = {"Date": "Mon, 21 Sep 2026 14:13:25 GMT"}  # five seconds
    resolve = {"type": "resolve_log_entry", "created_at": "2026-09-21T14:13:20Z"}
    for _ in range(2):
        wire.answers("GET /incidents/Q1/log_entries", {"log_entries": [resolve]}, headers=ahead)
    await pd.log("Q1", NOW)
    found = await pd.log("Q1", NOW)
    assert [asked.url.query["since"] for asked in wire.asked] == [
        "2026-09-21T14:13:18Z",
        "2026-09-21T14:13:23Z",
    ]
    assert found == [Change("Q1", Field.STATUS, "resolved", Instant(NOW - 5_000))]


async def test_a_log_too_long_for_one_answer_says_so(
    wire: Wire, pd: PagerDuty, caplog: pytest.LogCaptureFixture
) -> None:
    wire.answers("GET /incidents/Q1/log_entries", {"log_entries": [], "more": True})
    await pd.log("Q1", NOW)
    assert "more than 100 log entries" in caplog.text


async def test_notes_are_read_written_and_replaced(wire: Wire, pd: PagerDuty) -> None:
    said = {"id": "PN", "content": "On it"}
    wire.answers("GET /incidents/Q1/notes", {"notes": [said, {"id": "PM", "content": None}]})
    wire.answers("POST /incidents/Q1/notes", {"note": said})
    wire.answers("PUT /incidents/Q1/notes/PN", {"note": said})
    assert await pd.notes("Q1") == [Note("PN", "On it"), Note("PM", "")]
    for id_ in (None, "PN"):
        assert await pd.put_note("Q1", "On it", note_id=id_, actor=None) == Note("PN", "On it")
    assert [asked.body for asked in wire.asked] == [
        None,
        {"note": {"content": "On it"}},
        {"note": {"content": "On it"}},
    ]


# Names.


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("bob@example.com", Entry(Kind.USER, "Bob@example.com", "PBOB")),
        ("ob@example.com", Entry(Kind.USER, "ob@example.com", None)),
    ],
)
async def test_a_user_is_the_one_with_that_very_address(
    wire: Wire, pd: PagerDuty, asked: str, found: Entry
) -> None:
    users = [
        {"id": "PBO2", "email": "bob@example.com.au"},
        {"id": "PGONE", "email": None},
        {"id": "PBOB", "email": "Bob@example.com"},
    ]
    wire.answers("GET /users", {"users": users})
    assert await pd.look_up(Kind.USER, asked) == [found]
    assert wire.only.url.query["query"] == asked


async def test_a_policy_is_the_one_of_that_name_and_case(wire: Wire, pd: PagerDuty) -> None:
    policies = [{"id": "P1", "name": "night shift"}, {"id": "P2", "name": "Night Shift"}]
    wire.answers("GET /escalation_policies", {"escalation_policies": policies}, repeat=True)
    found = await pd.look_up(Kind.ESCALATION_POLICY, "Night Shift")
    assert found == [Entry(Kind.ESCALATION_POLICY, "Night Shift", "P2")]
    found = await pd.look_up(Kind.ESCALATION_POLICY, "NIGHT SHIFT")
    assert found == [Entry(Kind.ESCALATION_POLICY, "night shift", "P1")]


async def test_an_id_has_a_name(wire: Wire, pd: PagerDuty) -> None:
    policy = {"escalation_policy": {"id": "PPOL", "name": "Default"}}
    wire.answers("GET /users/PBOB", {"user": {"id": "PBOB", "email": "bob@example.com"}})
    wire.answers("GET /escalation_policies/PPOL", policy)
    wire.answers("GET /priorities", {"priorities": PRIORITIES})
    assert await pd.look_up_id(Kind.USER, "PBOB") == Entry(Kind.USER, "bob@example.com", "PBOB")
    assert (await pd.look_up_id(Kind.ESCALATION_POLICY, "PPOL")).name == "Default"
    assert (await pd.look_up_id(Kind.PRIORITY, "PRIO2")).name == "P2"


PRIORITIES = [
    {"id": "PRIO1", "name": "P1"},
    {"id": "PRIO2", "name": "P2"},
    {"id": "PRIO3", "name": "---"},
]


async def test_priorities_are_listed_but_for_unused_ones(wire: Wire, pd: PagerDuty) -> None:
    wire.answers("GET /priorities", {"priorities": PRIORITIES}, repeat=True)
    both = [Entry(Kind.PRIORITY, "P1", "PRIO1"), Entry(Kind.PRIORITY, "P2", "PRIO2")]
    assert await pd.list_priorities() == both
    assert await pd.look_up(Kind.PRIORITY, "p1") == both
    assert await pd.look_up(Kind.PRIORITY, "P9") == [*both, Entry(Kind.PRIORITY, "P9", None)]


@pytest.mark.parametrize("status", [404, 402])
async def test_an_account_without_priorities_has_none(
    wire: Wire, pd: PagerDuty, status: int
) -> None:
    wire.answers("GET /priorities", status=status)
    assert await pd.list_priorities() == []


async def test_an_empty_name_is_not_asked_for(wire: Wire, pd: PagerDuty) -> None:
    for kind in Kind:
        with pytest.raises(ValueError, match="has a name"):
            await pd.look_up(kind, " ")
    assert wire.asked == []


async def test_who_is_on_call_is_told_in_the_order_of_being_asked(
    wire: Wire, pd: PagerDuty
) -> None:
    policy = {"id": "PPOL", "summary": "Default"}
    second = {"escalation_policy": policy, "escalation_level": 2, "schedule": None, "start": None}
    first = {
        "escalation_policy": policy,
        "escalation_level": 1,
        "schedule": {"id": "PSCH", "summary": "Weeks"},
        "user": {"id": "PBOB", "name": "Bob", "email": "bob@example.com"},
        "end": "2026-09-21T14:13:20Z",
    }
    wire.answers("GET /oncalls", {"oncalls": [second | {"user": {"id": "PANN"}}, first]})
    assert await pd.on_call(schedule_id="PSCH") == [
        OnCall("PBOB", "Bob", "bob@example.com", "PPOL", "Default", 1, "PSCH", "Weeks", end=NOW),
        OnCall("PANN", "PANN", None, "PPOL", "Default", 2),
    ]
    assert wire.only.url.query["schedule_ids[]"] == "PSCH"
    assert "escalation_policy_ids[]" not in wire.only.url.query


# The webhook subscription.

HOOK: dict[str, Any] = {
    "id": "PHOOK",
    "type": "webhook_subscription",
    "active": True,
    "events": ["incident.triggered"],
    "delivery_method": {"type": "http_delivery_method", "url": "https://x/", "secret": None},
}
URL = "https://imsync.example.com/webhooks/prod-pd"


async def test_subscribes_to_more_than_is_promised_and_tells_the_secret_once(
    wire: Wire, pd: PagerDuty
) -> None:
    made = HOOK | {"delivery_method": HOOK["delivery_method"] | {"secret": "s3cret"}}
    wire.answers("POST /webhook_subscriptions", {"webhook_subscription": made}, status=201)
    found = await pd.subscribe(URL)
    assert found.secret == "s3cret"
    assert "s3cret" not in repr(found)
    asked = wire.only.body["webhook_subscription"]
    assert asked["delivery_method"]["url"] == URL
    assert asked["filter"] == {"type": "account_reference"}
    assert set(HOPED_FOR) < set(asked["events"])
    assert len(set(asked["events"])) == len(asked["events"])
    assert "incident.priority_changed" not in asked["events"]


async def test_takes_what_is_promised_where_more_is_refused(wire: Wire, pd: PagerDuty) -> None:
    wire.answers("POST /webhook_subscriptions", **REFUSED)
    wire.answers("POST /webhook_subscriptions", {"webhook_subscription": HOOK})
    assert (await pd.subscribe(URL)).id == "PHOOK"
    first, second = (set(asked.body["webhook_subscription"]["events"]) for asked in wire.asked)
    assert first - second == set(HOPED_FOR)


async def test_a_full_scope_is_not_asked_twice(wire: Wire, pd: PagerDuty) -> None:
    full = {"error": {"message": "Webhook subscription limit exceeded", "code": 2019}}
    wire.answers("POST /webhook_subscriptions", full, status=400)
    with pytest.raises(Refused, match="limit exceeded") as caught:
        await pd.subscribe(URL)
    assert "delete one that nobody needs" in caught.value.hint


async def test_a_subscription_that_pagerduty_has_disabled_is_not_active(
    wire: Wire, pd: PagerDuty
) -> None:
    disabled = HOOK["delivery_method"] | {"temporarily_disabled": True}
    off, bare = HOOK | {"active": False}, HOOK | {"events": None}
    listed = [HOOK, HOOK | {"delivery_method": disabled}, off, bare]
    wire.answers("GET /webhook_subscriptions", {"webhook_subscriptions": listed})
    found = (await pd.subscriptions()).items
    assert [subscription.active for subscription in found] == [True, False, False, True]
    assert found[0] == Subscription("PHOOK", "https://x/", True, ["incident.triggered"])


async def test_a_subscription_is_enabled_pinged_and_removed_even_if_it_is_gone(
    wire: Wire, pd: PagerDuty
) -> None:
    wire.answers("POST /webhook_subscriptions/PHOOK/enable", {"webhook_subscription": HOOK})
    wire.answers("POST /webhook_subscriptions/PHOOK/ping", status=202)
    wire.answers("DELETE /webhook_subscriptions/PHOOK", status=204)
    wire.answers("DELETE /webhook_subscriptions/PHOOK", status=404)
    await pd.enable("PHOOK")
    await pd.ping("PHOOK")
    for _ in range(2):
        await pd.unsubscribe("PHOOK")
    assert not [asked for asked in wire.asked if asked.method == "PUT"]


async def test_what_somebody_has_switched_off_is_switched_on(wire: Wire, pd: PagerDuty) -> None:
    off = {"webhook_subscription": HOOK | {"active": False}}
    wire.answers("POST /webhook_subscriptions/PHOOK/enable", off)
    wire.answers("PUT /webhook_subscriptions/PHOOK", {"webhook_subscription": HOOK})
    await pd.enable("PHOOK")
    assert wire.asked[-1].body == {"webhook_subscription": {"active": True}}


async def test_why_a_subscription_does_not_deliver_is_told(wire: Wire, pd: PagerDuty) -> None:
    disabled = HOOK["delivery_method"] | {"temporarily_disabled": True}
    for changed in ({"active": False}, {"delivery_method": disabled}, {}):
        shown = {"webhook_subscription": HOOK | changed}
        wire.answers("GET /webhook_subscriptions/PHOOK", shown)
    reasons = [(await pd.subscription("PHOOK")).because for _ in range(3)]
    assert "switched it off" in reasons[0]
    assert "PagerDuty has disabled it" in reasons[1]
    assert reasons[2] == ""


async def test_a_subscription_that_was_deleted_is_gone(wire: Wire, pd: PagerDuty) -> None:
    wire.answers("GET /webhook_subscriptions/PHOOK", status=404)
    with pytest.raises(Gone):
        await pd.subscription("PHOOK")


async def test_a_subscription_of_another_kind_does_not_hide_ours(wire: Wire, pd: PagerDuty) -> None:
    other = {**HOOK, "id": "POTHER", "delivery_method": {"type": "queue_delivery_method"}}
    wire.answers("GET /webhook_subscriptions", {"webhook_subscriptions": [other, None, HOOK]})
    assert [found.id for found in (await pd.subscriptions()).items] == [HOOK["id"]]


async def test_subscriptions_are_listed_page_by_page(wire: Wire, pd: PagerDuty) -> None:
    for more in (True, False):
        wire.answers("GET /webhook_subscriptions", {"webhook_subscriptions": [HOOK], "more": more})
    first = await pd.subscriptions()
    assert first.next == PAGE
    assert (await pd.subscriptions(first.next)).next is None
    assert [asked.url.query["offset"] for asked in wire.asked] == ["0", "100"]


# Is it well?

BOB = {"users": [{"id": "PIMS", "email": "imsync@example.com"}]}


async def checked(
    wire: Wire, pd: PagerDuty, services: Sequence[str] = ("PSVC",), **changed: dict[str, Any]
) -> dict[str, bool]:
    answers: dict[str, dict[str, Any]] = {
        "abilities": {"payload": {"abilities": ["teams"]}},
        "users": {"payload": BOB},
        "services/PSVC": {"payload": {"service": {"id": "PSVC", "name": "Checkout"}}},
    }
    for path, answer in (answers | changed).items():
        wire.answers(f"GET /{path}", **answer)
    found = await pd.check(services)
    assert all(check.detail for check in found)
    assert all(check.ok or check.hint for check in found)
    return {check.name: check.ok for check in found}


async def test_all_is_well(wire: Wire, pd: PagerDuty) -> None:
    names = ("reach", "credentials", "clock", "from", "service")
    assert await checked(wire, pd) == dict.fromkeys(names, True)


@pytest.mark.parametrize(
    ("changed", "unwell"),
    [
        ({"abilities": {"exception": TimeoutError()}}, {"reach"}),
        ({"abilities": {"status": 503}}, {"reach"}),
        ({"abilities": {"status": 401}}, {"credentials"}),
        ({"abilities": {"status": 403, "payload": {"error": {"code": 2010}}}}, set()),
        ({"users": {"payload": {"users": []}}}, {"from"}),
        ({"users": {"status": 403}}, {"from"}),
        ({"services/PSVC": {"status": 404}}, {"service"}),
        ({"services/PSVC": {"status": 500}}, {"service"}),
        ({"services/PSVC": {"payload": {"service": {"status": "disabled"}}}}, {"service"}),
        (
            {
                "abilities": {
                    "payload": {"abilities": []},
                    "headers": {"Date": "Mon, 21 Sep 2026 15:13:25 GMT"},
                }
            },
            {"clock"},
        ),
    ],
)
async def test_what_is_not_well_is_found_and_has_a_hint(
    wire: Wire, pd: PagerDuty, changed: dict[str, Any], unwell: set[str]
) -> None:
    found = await checked(wire, pd, **changed)
    assert {name for name, ok in found.items() if not ok} == unwell


async def test_what_is_not_set_is_not_well(wire: Wire, session: ClientSession) -> None:
    found = await checked(wire, pagerduty(session, from_email=None), services=())
    assert {name for name, ok in found.items() if not ok} == {"from"}


async def test_other_failures_are_not_taken_for_none(wire: Wire, pd: PagerDuty) -> None:
    wire.answers("GET /priorities", status=401)
    wire.answers("POST /webhook_subscriptions", status=503)
    with pytest.raises(Unauthorized):
        await pd.list_priorities()
    with pytest.raises(Unavailable):
        await pd.subscribe(URL)


# As the official description has it.


async def test_every_request_is_one_that_pagerduty_describes(
    wire: Wire, pd: PagerDuty, judge: OpenApi
) -> None:
    shown, note = {"incident": incident()}, {"note": {"id": "PN", "content": "x"}}
    hook, off = {"webhook_subscription": HOOK}, HOOK | {"active": False}
    for line, answer in {
        "GET /incidents": {"incidents": []},
        "POST /incidents": shown,
        "GET /incidents/Q1": shown,
        "PUT /incidents/Q1": shown,
        "PUT /incidents": {"incidents": [incident()]},
        "GET /incidents/Q1/log_entries": {"log_entries": []},
        "GET /incidents/Q1/notes": {"notes": []},
        "POST /incidents/Q1/notes": note,
        "PUT /incidents/Q1/notes/PN": note,
        "GET /users": {"users": []},
        "GET /users/PBOB": {"user": {"id": "PBOB", "email": "x@y"}},
        "GET /escalation_policies": {"escalation_policies": []},
        "GET /priorities": {"priorities": []},
        "GET /oncalls": {"oncalls": []},
        "GET /schedules": {"schedules": [{"id": "PSCH", "name": "Weeks"}]},
        "GET /schedules/PSCH": {"schedule": {"id": "PSCH", "name": "Weeks"}},
        "GET /abilities": {"abilities": []},
        "GET /services/PSVC": {"service": {}},
        "GET /webhook_subscriptions": {"webhook_subscriptions": []},
        "GET /webhook_subscriptions/PHOOK": hook,
        "PUT /webhook_subscriptions/PHOOK": hook,
        "POST /webhook_subscriptions": hook,
        "DELETE /webhook_subscriptions/PHOOK": {},
        "POST /webhook_subscriptions/PHOOK/enable": {"webhook_subscription": off},
        "POST /webhook_subscriptions/PHOOK/ping": {},
    }.items():
        wire.answers(line, answer, repeat=True)
    everything: dict[Field, Value] = {
        Field.TITLE: "x",
        Field.STATUS: "acknowledged",
        Field.SEVERITY: "high P1",
        Field.ASSIGNED_TO: "PBOB",
        Field.ESCALATION_POLICY: "PPOL",
    }
    await pd.find("k", "PSVC")
    await pd.list_open()
    await pd.create(Draft("k", everything, "PSVC", "Since noon"), actor=None)
    await pd.fetch("Q1")
    await pd.write("Q1", everything, actor=None)
    await pd.write("Q1", {Field.SEVERITY: "low Sev 4"}, actor=None)
    await pd.write_many({"Q1": everything, "Q2": {Field.TITLE: "x"}}, actor="x@y.example")
    await pd.log("Q1", NOW)
    await pd.notes("Q1")
    await pd.put_note("Q1", "x", note_id=None, actor=None)
    await pd.put_note("Q1", "x", note_id="PN", actor=None)
    await pd.look_up(Kind.USER, "x@y")
    await pd.look_up_id(Kind.USER, "PBOB")
    await pd.look_up(Kind.ESCALATION_POLICY, "x")
    await pd.list_priorities()
    await pd.on_call(schedule_id="PSCH", policy_id="PPOL")
    await pd.check(["PSVC"])
    await pd.list_names(Kind.SCHEDULE)
    await pd.look_up_id(Kind.SCHEDULE, "PSCH")
    await pd.subscriptions()
    await pd.subscription("PHOOK")
    await pd.subscribe(URL)
    await pd.unsubscribe("PHOOK")
    await pd.enable("PHOOK")
    await pd.ping("PHOOK")
    for asked in wire.asked:
        body = orjson.dumps(asked.body) if asked.body is not None else b""
        query, path = list(asked.url.query.items()), asked.url.raw_path
        found = judge.of_request(asked.method, path, query, asked.headers, body)
        assert not found, asked.line
