"""/integrations/{i}/service-mappings: a service is there, or nobody has asked on purpose."""

import pytest

from tests.town import Json, Town

from .asking import Api, House

PATH = "/api/v1/integrations/prod-pd/service-mappings"


@pytest.fixture
def asks(town: Town) -> Api:
    return Api(town.session, town.server)


def service(town: Town, number: int = 1) -> Json:
    found: Json = town.account["services"][number]
    return found


def mapping(pd_service: object, **more: object) -> Json:
    return {"pd_service": pd_service, "incident_type": "infrastructure", **more}


@pytest.mark.parametrize("spelt", [lambda it: it["id"], lambda it: it["name"].upper()])
async def test_a_service_goes_by_its_id_or_its_name(town: Town, asks: Api, spelt: object) -> None:
    assert callable(spelt)
    wanted = service(town)
    added = await asks.made(PATH, mapping(spelt(wanted)))
    assert (added["pd_service"], added["service_name"]) == (wanted["id"], wanted["name"])
    (listed,) = (await asks.found(PATH))["items"]
    assert listed["service_name"] == wanted["name"]


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_one_that_there_is_none_of_is_told_what_there_is(
    town: Town, asks: Api, query: str
) -> None:
    answer = await asks("POST", PATH + query, mapping("PNOPE"))
    assert answer.problem(404, "not_found") == "PagerDuty has no service 'PNOPE'"
    for one in town.account["services"]:
        assert f"{one['id']} ({one['name']})" in answer.hint
    assert (await asks.found(PATH))["items"] == []


async def test_what_is_misspelt_is_told_which_is_meant(town: Town, asks: Api) -> None:
    wanted = service(town)["name"]
    answer = await asks("POST", PATH, mapping(wanted[:-1] + "x"))
    assert answer.hint.startswith(f"did you mean {wanted}?")


async def test_one_that_is_named_by_nothing_is_not_asked_for(asks: Api) -> None:
    answer = await asks("POST", PATH, mapping(" "))
    assert answer.problem(400, "invalid_request").startswith("a mapping needs")


async def test_when_it_cannot_be_asked_nothing_is_kept_but_on_purpose(
    town: Town, asks: Api
) -> None:
    town.sandbox.faults.api_error = 1.0
    answer = await asks("POST", PATH, mapping(service(town)["id"]))
    answer.problem(502, "external_unavailable")
    assert "`--unchecked` keeps the mapping" in answer.hint
    assert (await asks.found(PATH))["items"] == []

    added = await asks.made(PATH, mapping("PLATER", unchecked=True))
    assert (added["pd_service"], added["service_name"]) == ("PLATER", None)


async def test_without_a_token_nobody_can_ask(house: House) -> None:
    await house.api.made("/api/v1/integrations", {"name": "Prod", "integration_type": "pagerduty"})
    path = "/api/v1/integrations/prod/service-mappings"
    answer = await house.api("POST", path, mapping("PLATER"))
    assert "no token to ask with" in answer.problem(409, "clash")
    await house.api.made(path, mapping("PLATER", unchecked=True))
