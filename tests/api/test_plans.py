"""Plans, dry runs, explanations and maps, over HTTP."""

import pytest

from tests.api.asking import Api
from tests.town import Town

from .asking import asks

PRD = "/api/v1/integrations/prod-pd"


@pytest.fixture
async def api(town: Town) -> Api:
    """A house in which both sides have changed INC-1's title, and a person is asked."""
    await town.configure(conflict_strategy="manual-review")
    await town.declare("Start", severity="SEV-3")
    await town.settle()
    await town.edit(title="Here")
    await town.act(title="There")
    await town.settle()
    return asks(town)


async def test_a_plan_of_what_is_owed(town: Town, api: Api) -> None:
    await town.edit(severity="SEV-1")
    plan = await api.found(f"{PRD}/plan")
    (call,) = plan["calls"]
    assert (call["method"], call["path"]) == ("PUT", f"/incidents/{await town.external_id()}")
    assert call["body"]["incident"]["urgency"] == "high"
    assert call["changes"] == [
        {"incident": "INC-1", "field": "severity", "before": "low P3", "after": "high P1"}
    ]
    assert plan["cost"] == {"requests": 2, "rate_limit": 900, "seconds": 1}
    assert [one["id"] for one in plan["conflicts"]] == ["cfl_1"]
    (await api("GET", "/api/v1/integrations/nowhere/plan")).problem(404, "not_found")


async def test_a_plan_names_people_whom_nobody_had_asked_for_yet(town: Town, api: Api) -> None:
    """It said that PagerDuty had not been asked yet, instead of the request that would be sent."""
    dave = town.user(4)
    await town.edit(assigned_to=dave["email"])
    plan = await api.found(f"{PRD}/plan")
    assert plan["not_sent"] == []
    changes = [change for call in plan["calls"] for change in call["changes"]]
    assert [(one["field"], one["after"]) for one in changes] == [("assigned_to", dave["email"])]

    await town.configure(sync_direction="inbound")
    await town.edit(assigned_to="nobody@acme.example")
    opened = {"sync_direction": "bidirectional"}
    shown = (await api("PATCH", f"{PRD}?dry_run=true", opened)).json
    assert "knows no user 'nobody@acme.example'" in shown["not_sent"][0]["because"]


async def test_a_plan_says_so_when_nobody_answers(town: Town, api: Api) -> None:
    await town.edit(assigned_to=town.user(4)["email"])
    town.sandbox.faults.api_error = 1.0
    plan = await api.found(f"{PRD}/plan")
    assert "has not been asked yet" in plan["not_sent"][0]["because"]


async def test_a_change_of_strategy_says_what_it_changed(api: Api) -> None:
    changed = (await api("PATCH", PRD, {"conflict_strategy": "last-write-wins"})).json
    assert changed["conflict_strategy"] == "last-write-wins"
    (ended,) = changed["effect"]["ended"]
    assert (ended["id"], ended["winner"]) == ("cfl_1", "external")
    assert changed["effect"]["adopted"] == [
        {"incident": "INC-1", "field": "title", "before": "Here", "after": "There"}
    ]
    again = (await api("PATCH", PRD, {"conflict_strategy": "last-write-wins"})).json
    assert "effect" not in again


async def test_a_dry_run_then_just_that(town: Town, api: Api) -> None:
    body = {"use": "platform"}
    shown = (await api("POST", "/api/v1/conflicts/cfl_1/resolve?dry_run=true", body)).json
    assert shown["dry_run"] is True
    assert (await api.found("/api/v1/conflicts/cfl_1"))["status"] == "pending"
    url = f"/api/v1/conflicts/cfl_1/resolve?plan={shown['plan']}"
    await town.edit(title="Here, later")
    answer = await api("POST", url, body)
    assert "no longer" in answer.problem(412, "plan_changed")
    assert answer.hint == "look again with --dry-run"
    assert (await api.found("/api/v1/conflicts/cfl_1"))["status"] == "pending"
    (await api("POST", "/api/v1/conflicts/cfl_1/resolve?dry_run=maybe", body)).problem(
        400, "invalid_request"
    )
    again = (await api("POST", "/api/v1/conflicts/cfl_1/resolve?dry_run=true", body)).json
    url = f"/api/v1/conflicts/cfl_1/resolve?plan={again['plan']}"
    assert (await api("POST", url, body)).json["status"] == "resolved"


async def test_what_a_dry_run_foretells_is_no_conflict_yet(api: Api) -> None:
    url = f"{PRD}/field-ownership/title?dry_run=true"
    shown = (await api("PUT", url, {"owner": "external", "strict": True})).json
    assert [one["id"] for one in shown["ended"]] == ["cfl_1"]
    assert shown["adopted"][0]["after"] == "There"
    assert (await api.found(f"{PRD}/field-ownership/title"))["default"]


async def test_why_a_field_is_what_it_is(town: Town, api: Api) -> None:
    found = await api.found("/api/v1/incidents/INC-1/explain/title")
    assert set(found) == {
        *("incident", "field", "value", "base", "platform", "external", "rule", "verdict"),
        *("because", "confirmed_at", "losers", "integration", "state", "story", "others"),
    }
    assert (found["value"], found["base"], found["state"]) == ("Here", "Start", "held")
    assert found["platform"]["by"] == "alice@acme.example"
    assert (found["external"]["value"], found["external"]["by"]) == ("There", "Dave Okafor")
    assert found["rule"]["owner"] == "platform"
    assert found["rule"]["default"]
    await api("POST", "/api/v1/conflicts/cfl_1/resolve", {"use": "external"})
    (lost,) = (await api.found("/api/v1/incidents/INC-1/explain/title"))["losers"]
    assert (lost["value"], lost["side"], lost["conflict"]) == ("Here", "platform", "cfl_1")
    for path, detail in (
        ("INC-9/explain/title", "there is no incident INC-9"),
        ("INC-1/explain/colour", "there is no field 'colour'"),
        ("INC-1/explain/title?integration=nowhere", "there is no integration 'nowhere'"),
    ):
        answer = await api("GET", f"/api/v1/incidents/{path}")
        assert answer.problem(404, "not_found") == detail


async def test_maps_are_shown_set_and_taken_back(api: Api) -> None:
    maps = (await api.found(f"{PRD}/maps"))["items"]
    assert [(one["map"], one["field"], one["default"]) for one in maps] == [
        ("urgency", "severity", True),
        ("priority", "severity", True),
        ("status", "status", True),
    ]
    body = {"out": {"SEV-3": "high"}, "in": {"low": "SEV-4"}}
    changed = (await api("PUT", f"{PRD}/maps/urgency", body)).json
    assert changed["out"] == {"SEV-1": "high", "SEV-2": "high", "SEV-3": "high", "SEV-4": "low"}
    assert changed["in"] == {"high": "SEV-2", "low": "SEV-4"}
    assert await api.found(f"{PRD}/maps/urgency") == changed
    broken = await api("PUT", f"{PRD}/maps/urgency", {"out": {"SEV-2": "low"}})
    assert "'high' reads as 'SEV-2'" in broken.problem(400, "invalid_request")
    assert await api.found(f"{PRD}/maps/urgency") == changed
    (await api("PUT", f"{PRD}/maps/colour", {})).problem(404, "not_found")
    (await api("PUT", f"{PRD}/maps/urgency", {"out": {"SEV-1": 5}})).problem(400, "invalid_request")
    assert (await api("DELETE", f"{PRD}/maps/urgency")).json["default"]
    (await api("DELETE", f"{PRD}/maps/urgency")).problem(404, "not_found")
