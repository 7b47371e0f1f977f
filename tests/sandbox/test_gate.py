"""Who may ask, and that whatever is asked is answered."""

import random
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import MultiDict

from imsync.sandbox import founding, refusals
from imsync.sandbox.account import Account
from imsync.sandbox.asking import Ask
from imsync.sandbox.records import Records
from imsync.sandbox.routes import ROUTES, Route
from tests.sandbox.conftest import Api, Clock, Make

# Who.


@pytest.mark.parametrize(
    "given",
    [None, "", "Token token=", "Token token=wrong", "Bearer wrong", "Basic x", "token"],
)
async def test_strangers_are_turned_away(api: Api, given: str | None) -> None:
    answer = await api.call("GET", "/incidents", Authorization=given)
    assert (answer.status, answer.code) == (401, 2006)
    assert "ratelimit-limit" in answer.headers


async def test_both_schemes_open(api: Api) -> None:
    for scheme in ("Token token=", "Bearer ", "bearer "):
        await api.get("/incidents", Authorization=f"{scheme}{api.sandbox.token}")


async def test_a_key_that_only_reads(api: Api) -> None:
    key = f"Token token={api.sandbox.read_only_token}"
    await api.get("/incidents", Authorization=key)
    answer = await api.call("POST", "/incidents", api.draft(), Authorization=key)
    assert answer.status == 403


async def test_the_token_may_be_given(make: Make) -> None:
    api = await make(token="mine")
    assert api.about["token"] == "mine"
    await api.get("/incidents", Authorization="Token token=mine")


ACTING = [
    ("POST", "/incidents"),
    ("PUT", "/incidents"),
    ("PUT", "/incidents/{id}"),
    ("PUT", "/incidents/{id}/merge"),
    ("POST", "/incidents/{id}/snooze"),
    ("POST", "/incidents/{id}/status_updates"),
    ("POST", "/incidents/{id}/notes"),
    ("PUT", "/incidents/{id}/notes/{note_id}"),
    ("PUT", "/log_entries/{id}/channel"),
]


def test_the_operations_that_need_from_are_those_documented() -> None:
    assert [(route.method, route.path) for route in ROUTES if route.acts] == ACTING


@pytest.mark.parametrize(("method", "path"), ACTING)
async def test_they_are_refused_without_a_user_in_from(api: Api, method: str, path: str) -> None:
    path = path.format(id="Q1", note_id="P1")
    missing = await api.call(method, path, {}, by=None)
    assert (missing.status, missing.code) == (400, 2016)
    nobody = await api.call(method, path, {}, From="nobody@acme.example")
    assert (nobody.status, nobody.code) == (400, 1008)
    assert nobody.body["error"]["message"] == "Requester User Not Found"


async def test_from_is_matched_in_any_case(api: Api) -> None:
    answer = await api.call("POST", "/incidents", api.draft(), From="Alice@ACME.example")
    assert answer.status == 201
    entry = (await api.log(answer.body["incident"]))[0]
    assert entry["agent"]["summary"] == "Alice Martin"


async def test_a_users_own_key_acts_as_its_owner(api: Api) -> None:
    key = f"Token token={api.sandbox.user_token}"
    answer = await api.call("POST", "/incidents", api.draft(), by=None, Authorization=key)
    entry = (await api.log(answer.body["incident"]))[0]
    assert entry["agent"]["summary"] == "Alice Martin"
    me = await api.get("/users/me", Authorization=key)
    assert me["user"]["email"] == "alice@acme.example"
    assert (await api.call("GET", "/users/me")).status == 400


# Nothing is ever the sandbox's own fault.


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
WRITING = [route for route in ROUTES if route.method in ("POST", "PUT")]
KEYS = """id type title service urgency priority body incident_key assignments assignee details
escalation_policy incident_type conference_bridge status resolution escalation_level duration
message source_incidents content delivery_method url custom_headers events filter active
description name value conference_number""".split()  # noqa: SIM905 - words, not a list
WORDS = [
    *("triggered", "acknowledged", "resolved", "high", "incident", "webhook_subscription"),
    *("http_delivery_method", "account_reference", "service_reference", "incident.triggered"),
    *("http://[", "http://x", "P1", "1", "Q1"),
]
LIKELY = st.recursive(
    JSON | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)
WRAPPED = st.one_of(
    LIKELY,
    *(
        st.fixed_dictionaries({name: LIKELY})
        for name in ("incident", "note", "webhook_subscription", "incidents")
    ),
)


@settings(max_examples=400, deadline=None)
@given(route=st.sampled_from(WRITING), body=WRAPPED)
def test_whatever_is_sent_is_done_or_refused(route: Route, body: Any) -> None:
    records = Records()
    founding.found(records, random.Random(1))
    clock = Clock()
    account = Account(records=records, now=clock, rng=random.Random(1), time_scale=1)
    actor = next(iter(records.users))

    def ask(what: Any) -> Ask:
        path = {"id": "1", "note_id": "P1"}
        return Ask(at=clock.at, path=path, query=MultiDict(), body=what, actor=actor)

    service = {"id": next(row.id for row in records.services)}
    create = next(route.handler for route in ROUTES if route.status == 201)
    create(account, ask({"incident": {"type": "incident", "title": "x", "service": service}}))
    with suppress(refusals.Refusal), records.unit():
        route.handler(account, ask(body))


QUERIES = """since until date_range limit offset total sort_by incident_key query name statuses[]
service_ids[] user_ids[] urgencies[] include[] earliest is_overview filter_type""".split()  # noqa: SIM905


@settings(max_examples=400, deadline=None)
@given(
    route=st.sampled_from([route for route in ROUTES if route.method == "GET"]),
    query=st.lists(
        st.tuples(
            st.sampled_from(QUERIES),
            st.text(max_size=8) | st.sampled_from(["2026-01-01", "true", "0001-01-01", "9" * 20]),
        ),
        max_size=4,
    ),
)
def test_whatever_is_asked_is_answered_or_refused(
    route: Route, query: list[tuple[str, str]]
) -> None:
    records = Records()
    founding.found(records, random.Random(1))
    account = Account(records=records, now=Clock(), rng=random.Random(1), time_scale=1)
    ask = Ask(at=Clock().at, path={"id": "1"}, query=MultiDict(query))
    with suppress(refusals.Refusal):
        route.handler(account, ask)


async def test_what_is_too_large_is_not_read(api: Api) -> None:
    headers = {
        "Authorization": f"Token token={api.sandbox.token}",
        "From": api.about["from_email"],
    }
    body = BytesIO(b"x" * 3_000_000)
    async with api.session.post(f"{api.url}/incidents", data=body, headers=headers) as answer:
        assert answer.status == 413
        assert "ratelimit-limit" in answer.headers


async def test_nothing_is_anywhere_else(api: Api) -> None:
    api.judged = False
    for method, path in (("GET", "/nope"), ("DELETE", "/incidents/Q1"), ("PATCH", "/incidents")):
        answer = await api.call(method, path)
        assert (answer.status, answer.code) == (404, 2100)


async def test_says_what_it_is(api: Api) -> None:
    async with api.session.get(api.url + "/") as answer:
        assert "/_sandbox" in await answer.text()
    about = await api.get("/_sandbox")
    assert {**api.about}.items() <= about.items()
    assert about["requests"] == 0


async def test_goes_by_its_own_clock(api: Api) -> None:
    assert (await api.call("GET", "/users")).headers["Date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
