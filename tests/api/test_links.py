"""/incidents/{id}/links: made, rehearsed, refused and undone over HTTP."""

import pytest

from imsync.core.fields import Field
from imsync.core.merge import Strategy
from imsync.store import integrations
from tests.town import Town

from .asking import ADA, INCIDENTS, INTEGRATIONS, asks

LINKS = f"{INCIDENTS}/INC-1/links"


@pytest.fixture
async def there(town: Town) -> str:
    """The id of an incident there that is not linked to INC-1, which is linked nowhere."""
    await town.configure(sync_direction="none")
    external_id = await town.trigger("Disk full")
    await town.settle()
    await town.configure(sync_direction="bidirectional")
    await town.db.run(integrations.change, "int_test", {"enabled": False}, now=town.clock())
    await town.declare("Disk is full", severity="SEV-2")
    await town.db.run(integrations.change, "int_test", {"enabled": True}, now=town.clock())
    return external_id


def body(external_id: str, integration: str = "prod-pd") -> dict[str, str]:
    return {"integration": integration, "external_id": external_id}


async def test_a_link_is_made_and_answered_as_it_is_with_what_it_leads_to(
    town: Town, there: str
) -> None:
    made = await asks(town).made(LINKS, body(there), From=ADA)
    assert {"incident", "external_id", "external_url", "state", "fields"} <= set(made)
    assert (made["incident"], made["integration"]) == ("INC-1", "prod-pd")
    assert (made["external_id"], made["state"]) == (there, "linked")
    (call,) = made["effect"]["calls"]
    assert [change["field"] for change in call["changes"]] == ["title"], "ours was the later"
    shown = await asks(town).found(f"{INCIDENTS}/INC-1")
    assert [one["external_id"] for one in shown["links"]] == [there]
    lines = (await asks(town).found(f"{INCIDENTS}/INC-1/timeline"))["items"]
    assert ("linked", ADA) in [(line["kind"], line["by"]) for line in lines]


async def test_a_dry_run_shows_it_and_links_nothing(town: Town, there: str) -> None:
    answer = await asks(town)("POST", f"{LINKS}?dry_run=true", body(there))
    assert answer.json["dry_run"] is True
    assert [call["path"] for call in answer.json["calls"]] == [f"/incidents/{there}"]
    assert (await asks(town).found(f"{INCIDENTS}/INC-1"))["links"] == []
    plan = answer.json["plan"]
    answer = await asks(town)("POST", f"{LINKS}?plan=pln_other", body(there))
    answer.problem(412, "plan_changed")
    made = await asks(town).made(f"{LINKS}?plan={plan}", body(there))
    assert made["state"] == "linked"


async def test_undone_it_is_answered_as_it_now_is(town: Town, there: str) -> None:
    await asks(town).made(LINKS, body(there))
    rehearsed = (await asks(town)("DELETE", f"{LINKS}/prod-pd?dry_run=true")).json
    assert {one["field"] for one in rehearsed["not_sent"]} == {"title"}
    answer = await asks(town)("DELETE", f"{LINKS}/prod-pd")
    assert (answer.status, answer.json["state"]) == (200, "unlinked")
    assert answer.json["fields"]["title"]["state"] == "unlinked"
    assert (await asks(town).found(f"{INCIDENTS}/INC-1"))["links"] == []
    assert (await asks(town).found("/api/v1/integrations/prod-pd/links"))["items"] == []
    assert (await asks(town).found(f"{INCIDENTS}?integration=prod-pd"))["items"] == []
    explained = await asks(town).found(f"{INCIDENTS}/INC-1/explain/title")
    assert explained["state"] == "unlinked"
    status = await asks(town).found("/api/v1/integrations/prod-pd/sync-status")
    assert (status["links"], status["pending"]) == (0, 0)


async def test_what_cannot_be_linked_is_refused_by_name(town: Town, there: str) -> None:
    ask = asks(town)
    answer = await ask("POST", LINKS, body("QNOWHERE"))
    assert "'QNOWHERE'" in answer.problem(404, "not_found")
    answer = await ask("POST", LINKS, body(there, "prod-xx"))
    assert "'prod-xx'" in answer.problem(404, "not_found")
    answer = await ask("POST", f"{INCIDENTS}/INC-9/links", body(there))
    assert "INC-9" in answer.problem(404, "not_found")
    answer = await ask("POST", LINKS, body(" "))
    assert "external_id is empty" in answer.problem(400, "invalid_request")
    answer = await ask("POST", LINKS, {"integration": "prod-pd"})
    assert "'external_id' is missing" in answer.problem(400, "invalid_request")
    answer = await ask("DELETE", f"{LINKS}/prod-pd")
    assert "INC-1 is not linked in prod-pd" in answer.problem(404, "not_found")
    await ask.made(LINKS, body(there))
    answer = await ask("POST", LINKS, body(there))
    assert f"INC-1 is linked to {there} already" in answer.problem(409, "clash")
    assert "im unlink INC-1" in answer.hint


@pytest.mark.parametrize("external_id", ["../users", "a/b", "?x=1", "%2e%2e", "Q1#x", "é"])
async def test_no_external_id_leads_elsewhere(town: Town, there: str, external_id: str) -> None:
    answer = await asks(town)("POST", LINKS, body(external_id))
    answer.problem(404, "not_found")


async def test_without_a_token_nobody_can_be_asked(town: Town, there: str) -> None:
    await town.db.run(integrations.change, "int_test", {"token": None}, now=town.clock())
    answer = await asks(town)("POST", LINKS, body(there))
    assert "prod-pd has no token" in answer.problem(409, "clash")
    assert "--token-file" in answer.hint


async def test_when_there_is_no_answer_nothing_is_linked(town: Town, there: str) -> None:
    town.sandbox.faults.api_error = 1.0
    answer = await asks(town)("POST", LINKS, body(there))
    assert answer.status == 502
    assert (await asks(town).found(f"{INCIDENTS}/INC-1"))["links"] == []


async def test_a_link_shows_what_each_field_stands_at(town: Town) -> None:
    await town.declare("Checkout down")
    await town.declare("Search down")
    await town.settle()
    pages = await asks(town).pages(f"{INTEGRATIONS}/prod-pd/links", limit=1)
    assert [[link["incident"] for link in page] for page in pages] == [["INC-2"], ["INC-1"]]
    link = pages[1][0]
    assert {
        *("incident", "external_id", "external_url", "state", "fields", "last_observed_at"),
        "last_confirmed_at",
    } <= set(link)
    assert (link["external_id"], link["state"]) == (await town.external_id(1), "linked")
    assert set(link["fields"]) == {field.value for field in Field}
    for field in link["fields"].values():
        assert set(field) == {"platform", "external", "base", "state", "because"}
    title = link["fields"]["title"]
    assert (title["platform"], title["external"], title["base"]) == ("Checkout down",) * 3
    assert title["state"] == "in_sync"


async def test_a_link_says_what_is_pending_and_what_is_blocked(town: Town) -> None:
    await town.declare(assigned_to="nobody@nowhere.example")
    await town.settle()
    await town.edit(title="Not sent yet")
    (link,) = (await asks(town).found(f"{INTEGRATIONS}/prod-pd/links"))["items"]
    assert link["fields"]["title"]["state"] == "pending"
    assigned = link["fields"]["assigned_to"]
    assert assigned["state"] == "blocked"
    assert "nobody@nowhere.example" in assigned["because"]


async def test_links_are_found_by_what_somebody_knows_of_them(town: Town) -> None:
    await town.configure(conflict_strategy=Strategy.MANUAL_REVIEW)
    await town.declare("Blocked", assigned_to="nobody@nowhere.example")
    await town.declare("Held")
    await town.declare("In step")
    await town.declare("Gone there")
    await town.settle()
    town.clock.at += 1_000
    await town.edit(2, title="Held here")
    await town.act(2, title="Held there")
    await town.settle()
    await town.forget_there(4)
    await town.edit(4, title="Nobody hears of it")
    await town.settle()
    await town.edit(3, title="Not sent yet")
    api, links = asks(town), f"{INTEGRATIONS}/prod-pd/links"

    async def found(query: str) -> list[str]:
        return [link["incident"] for link in (await api.found(f"{links}?{query}"))["items"]]

    assert await found("incident=INC-2") == ["INC-2"]
    assert await found(f"external_id={await town.external_id(1)}") == ["INC-1"]
    assert await found("external_id=Q404") == []
    assert await found("state=gone") == ["INC-4"]
    assert await found("state=linked,gone&limit=2") == ["INC-4", "INC-3"]
    assert await found("field_state=blocked") == ["INC-1"]
    assert await found("field_state=held") == ["INC-2"]
    assert await found("field_state=pending") == ["INC-3"]
    assert await found("field_state=blocked,held") == ["INC-2", "INC-1"]
    assert await found("incident=INC-1&field_state=held") == []
    await town.configure(default_service=None)
    await town.declare("Waits for a service")
    assert await found("state=creating") == ["INC-5"]
    assert await found("field_state=blocked") == ["INC-5", "INC-1"]
    (await api("GET", f"{links}?incident=INC-9")).problem(404, "not_found")
    (await api("GET", f"{links}?incident=9")).problem(404, "not_found")
    (await api("GET", f"{links}?field_state=stuck")).problem(400, "invalid_request")
