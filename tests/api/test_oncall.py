"""/integrations/{i}/oncall: who is on call, and how old that is."""

import pytest

from tests.town import Town

from .asking import Api, House

PATH = "/api/v1/integrations/prod-pd/oncall"


@pytest.fixture
def asks(town: Town) -> Api:
    return Api(town.session, town.server)


def schedule(town: Town) -> str:
    return str(town.account["schedules"][0]["id"])


async def test_it_is_answered_with_its_age(town: Town, asks: Api) -> None:
    found = await asks.found(f"{PATH}?schedule_id={schedule(town)}")
    assert set(found) == {"items", "checked_at", "age_s"}
    assert found["age_s"] == 0
    assert found["checked_at"].endswith("Z")
    for one in found["items"]:
        assert set(one) == {
            *("user", "email", "level", "escalation_policy", "schedule", "since", "until")
        }
        assert one["since"] < found["checked_at"] < one["until"]
    town.clock.at += 42_000
    assert (await asks.found(f"{PATH}?schedule_id={schedule(town)}"))["age_s"] == 42


async def test_who_always_is_has_neither_beginning_nor_end(asks: Api) -> None:
    found = await asks.found(f"{PATH}?escalation_policy=management")
    assert [(one["since"], one["until"], one["schedule"]) for one in found["items"]] == [
        (None, None, None)
    ] * 3


async def test_a_stale_answer_tells_its_age(town: Town, asks: Api) -> None:
    path = f"{PATH}?escalation_policy=Management"
    first = await asks.found(path)
    town.sandbox.faults.api_error = 1.0
    town.clock.at += 600_000
    again = await asks.found(path)
    assert (again["items"], again["checked_at"]) == (first["items"], first["checked_at"])
    assert again["age_s"] == 600


@pytest.mark.parametrize(
    "query",
    ["", "?schedule_id=%20", "?schedule_id=P1&escalation_policy=x", "?escalation_policy=%20"],
)
async def test_one_of_the_two_is_given(asks: Api, query: str) -> None:
    answer = await asks("GET", f"{PATH}{query}")
    assert "either" in answer.problem(400, "invalid_request")
    assert "schedule_id=" in answer.hint


@pytest.mark.parametrize(
    ("query", "says"),
    [("schedule_id=PNOPE", "no schedule 'PNOPE'"), ("escalation_policy=x", "policy 'x'")],
)
async def test_what_there_is_not_is_not_found(asks: Api, query: str, says: str) -> None:
    answer = await asks("GET", f"{PATH}?{query}")
    assert says in answer.problem(404, "not_found")
    assert answer.hint.startswith("there are: ")


async def test_it_cannot_be_asked(town: Town, asks: Api) -> None:
    town.sandbox.faults.api_error = 1.0
    answer = await asks("GET", f"{PATH}?schedule_id={schedule(town)}")
    answer.problem(502, "external_unavailable")


async def test_there_is_nothing_to_ask_with(house: House) -> None:
    await house.api.made(
        "/api/v1/integrations", {"name": "Production PagerDuty", "integration_type": "pagerduty"}
    )
    answer = await house.api("GET", f"{PATH}?schedule_id=P1")
    assert "no token" in answer.problem(409, "clash")
