"""The judge of requests, and the witness that brings it all it hears: neither is asleep."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests.openapi.judge import ABSENT, OpenApi, openapi
from tests.town import Town, town_of

pytestmark = pytest.mark.skipif(openapi() is None, reason=ABSENT)

HEADERS = {
    "Accept": "application/vnd.pagerduty+json;version=2",
    "Authorization": "Token token=secret",
    "From": "alice@acme.example",
    "Content-Type": "application/json",
}
SERVICE = {"id": "PSVC", "type": "service_reference"}
DRAFT = {"type": "incident", "title": "Checkout down", "service": SERVICE}


@pytest.fixture
def judge() -> OpenApi:
    found = openapi()
    assert found
    return found


def of_incident(judge: OpenApi, **changed: Any) -> Any:
    body = orjson.dumps({"incident": {**DRAFT, **changed}})
    return judge.of_request("POST", "/incidents", [], HEADERS, body)


def test_what_is_described_passes(judge: OpenApi) -> None:
    assert not of_incident(judge, urgency="high", incident_key="imsync:INC-1")
    query = [("statuses[]", "triggered"), ("statuses[]", "acknowledged"), ("limit", "100")]
    assert not judge.of_request("GET", "/incidents", query, HEADERS, b"")


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "incidents"},
        {"title": None},
        {"service": "PSVC"},
        {"service": {"id": "PSVC", "type": "user_reference"}},
        {"urgency": "medium"},
        {"asignments": []},  # nobody would read it
        {"status": "triggered"},  # of an update only
    ],
)
def test_a_body_that_is_wrong(judge: OpenApi, changed: dict[str, Any]) -> None:
    assert of_incident(judge, **changed)


@pytest.mark.parametrize(
    "query",
    [
        [("status", "triggered")],
        [("statuses[]", "open")],
        [("statuses[]", "triggered"), ("statuses[]", "triggered")],
        [("limit", "many")],
        [("limit", "1"), ("limit", "2")],
        [("include[]", "bodies")],
    ],
)
def test_a_query_that_is_wrong(judge: OpenApi, query: list[tuple[str, str]]) -> None:
    assert judge.of_request("GET", "/incidents", query, HEADERS, b"")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Accept", "application/json"),
        ("Authorization", "secret"),
        ("From", "alice"),
        ("Content-Type", "text/plain"),
        *((name, None) for name in HEADERS),
    ],
)
def test_a_header_that_is_wrong_or_missing(judge: OpenApi, name: str, value: str | None) -> None:
    headers = {key: given for key, given in {**HEADERS, name: value}.items() if given}
    body = orjson.dumps({"incident": DRAFT})
    assert judge.of_request("POST", "/incidents", [], headers, body)


def test_a_body_where_none_belongs_and_none_where_one_does(judge: OpenApi) -> None:
    assert judge.of_request("GET", "/incidents", [], HEADERS, b"{}")
    assert judge.of_request("POST", "/incidents", [], HEADERS, b"")
    assert judge.of_request("POST", "/nowhere", [], HEADERS, b"{}")


async def test_in_a_town_everything_is_judged() -> None:
    async with town_of() as town:
        await town.connect()
        await town.declare()
        await town.settle()
        assert town.witness.judged == 2 * town.sandbox.requests  # each with its answer


async def test_a_wrong_request_fails_its_test() -> None:
    with pytest.raises(AssertionError, match=r"(?s)GET /users\?email=.*\n .*'email'"):
        async with town_of() as town:
            await town.call("GET", "/users?email=alice@acme.example")


@pytest.mark.parametrize("who", ["", "/_sandbox/as/pagerduty"])
async def test_a_wrong_answer_fails_its_test(who: str) -> None:
    with pytest.raises(AssertionError, match=r"(?s)GET /incidents/Q\w+ -> 200 .*urgency"):
        async with town_of() as town:
            await see_one_that_is_wrong(town, who)


async def see_one_that_is_wrong(town: Town, who: str) -> None:
    external_id = await town.trigger()
    records = town.sandbox._records
    with records.unit():
        records.incidents.put(replace(records.incidents[external_id], urgency="medium"))
    await town.call("GET", f"{who}/incidents/{external_id}")
