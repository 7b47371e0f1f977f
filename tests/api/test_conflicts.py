"""An answer to a conflict over HTTP: what the other side cannot take is found out before."""

from collections.abc import AsyncIterator

import pytest

from imsync.core.fields import Field
from imsync.core.merge import Strategy
from tests.town import Town, town_of

from .asking import Api, asks

RESOLVE = "/api/v1/conflicts/cfl_1/resolve"


@pytest.fixture
async def asked() -> AsyncIterator[Town]:
    """A town where a person is asked who an incident is assigned to: Bob here, Dave there."""
    async with town_of() as town:
        await town.connect(conflict_strategy=Strategy.MANUAL_REVIEW)
        await town.declare("Start", assigned_to="carol@acme.example")
        await town.settle()
        await town.edit(assigned_to="bob@acme.example")
        users = (await town.call("GET", "/users"))["users"]
        (dave,) = (one["id"] for one in users if one["email"] == "dave@acme.example")
        reference = {"id": dave, "type": "user_reference"}
        await town.act(assignments=[{"assignee": reference}])
        await town.settle()
        (conflict,) = await town.conflicts()
        assert (conflict.field, conflict.status) == (Field.ASSIGNED_TO, "pending")
        yield town


@pytest.mark.parametrize("value", ["nobody@nowhere.example", "Carol"])
async def test_somebody_who_is_not_there_is_refused_and_nothing_changes(
    asked: Town, value: str
) -> None:
    api = Api(asked.session, asked.server)
    answer = await api("POST", RESOLVE, {"value": value})
    assert value in answer.problem(400, "invalid_request")
    (conflict,) = await asked.conflicts()
    assert conflict.status == "pending"
    assert (await asked.field("assigned_to")).blocked is None


async def test_somebody_who_was_never_heard_of_is_looked_up(asked: Town) -> None:
    api = Api(asked.session, asked.server)
    answer = await api("POST", RESOLVE, {"value": "alice@acme.example"})
    assert answer.status == 200
    await asked.settle()
    there = (await asked.there())["assignments"]
    assert [one["assignee"]["summary"] for one in there] == ["Alice Martin"]
    assert (await asked.here())[Field.ASSIGNED_TO] == "alice@acme.example"


async def test_conflicts_of_an_incident_that_is_none_are_not_an_empty_list(asked: Town) -> None:
    api = Api(asked.session, asked.server)
    assert len((await api.found("/api/v1/conflicts?incident=INC-1"))["items"]) == 1
    answer = await api("GET", "/api/v1/conflicts?incident=INC-999")
    assert "INC-999" in answer.problem(404, "not_found")


async def test_a_conflict_keeps_the_rule_it_was_recorded_under(asked: Town) -> None:
    api = Api(asked.session, asked.server)
    rule = {"owner": "platform", "priority": 7, "strict": False}
    url = "/api/v1/integrations/prod-pd/field-ownership/assigned_to"
    assert (await api("PUT", url, rule)).status == 200
    kept = (await api.found("/api/v1/conflicts/cfl_1"))["rule"]
    assert kept == {"owner": "external", "priority": 0, "strict": False}
    await asked.edit(assigned_to="alice@acme.example")
    assert (await api.found("/api/v1/conflicts/cfl_1"))["rule"] == rule, "it was updated since"


async def test_a_conflict_shows_both_sides(town: Town) -> None:
    await town.configure(conflict_strategy=Strategy.MANUAL_REVIEW)
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Here")
    await town.act(title="There")
    await town.settle()

    api = asks(town)
    (conflict,) = (await api.found("/api/v1/conflicts?status=pending&incident=INC-1"))["items"]
    assert set(conflict) == {
        *("id", "integration", "incident", "field", "status", "strategy", "base", "platform"),
        *("external", "winner", "because", "resolved_by", "created_at", "resolved_at"),
        *("rule", "restorable", "story"),
    }
    assert (conflict["base"], conflict["field"], conflict["winner"]) == ("Start", "title", None)
    assert set(conflict["platform"]) == {"value", "by", "at"}
    assert set(conflict["external"]) == {"value", "by", "at", "reads_as"}
    assert (conflict["platform"]["value"], conflict["external"]["value"]) == ("Here", "There")
    assert await api.found(f"/api/v1/conflicts/{conflict['id']}") == conflict
    assert (await api.found("/api/v1/conflicts?integration=prod-pd&status=resolved"))["items"] == []
    (await api("GET", "/api/v1/conflicts?status=open")).problem(400, "invalid_request")
    (await api("GET", "/api/v1/conflicts?incident=1")).problem(404, "not_found")
    for id_ in ("cfl_99", "cfl_", "1", "cfl_" + "9" * 99):
        (await api("GET", f"/api/v1/conflicts/{id_}")).problem(404, "not_found")
