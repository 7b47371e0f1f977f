"""One incident, both ways: every field, every event, no echo, no duplicate."""

from typing import Any

import pytest

from imsync.core.fields import Field
from tests.town import Town, town_of


async def test_declared_here_it_stands_there(town: Town) -> None:
    await town.declare(severity="SEV-1", description="The till is stuck.")
    await town.settle()

    there = await town.there()
    assert there["title"] == "Checkout down"
    assert there["urgency"] == "high"
    assert there["priority"]["summary"] == "P1"
    assert there["incident_key"] == "imsync:INC-1"
    assert there["status"] == "triggered"
    here = await town.here()
    assert here[Field.STATUS] == "open"
    assert here[Field.DESCRIPTION] == "The till is stuck."
    assert here[Field.ASSIGNED_TO] in {user["email"] for user in town.account["users"]}, (
        "whoever is on call there is assigned here"
    )
    assert here[Field.ESCALATION_POLICY] is not None


async def test_appeared_there_it_is_declared_here(town: Town) -> None:
    external_id = await town.trigger("Disk full", urgency="low")
    await town.settle()

    here = await town.here()
    assert here[Field.TITLE] == "Disk full"
    assert here[Field.SEVERITY] == "SEV-3"
    assert await town.external_id() == external_id
    assert len(await town.all_there()) == 1


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"status": "acknowledged"}, Field.STATUS, "mitigated"),
        ({"status": "resolved"}, Field.STATUS, "resolved"),
        ({"priority": "P1"}, Field.SEVERITY, "SEV-1"),
    ],
)
async def test_an_edit_there_arrives_here(
    town: Town, changes: dict[str, Any], field: Field, value: str
) -> None:
    await town.declare()
    await town.settle()
    await town.act(**changes)
    await town.settle()
    assert (await town.here())[field] == value


async def test_reassigned_there(town: Town) -> None:
    await town.declare()
    await town.settle()
    user = town.user(-1)
    await town.act(assignments=[{"assignee": {"id": user["id"], "type": "user_reference"}}])
    await town.settle()
    here = await town.here()
    assert here[Field.ASSIGNED_TO] == user["email"]
    assert any(entry.field == "assigned_to" for entry in await town.timeline())


async def test_escalated_there_stands_in_the_timeline(town: Town) -> None:
    await town.declare(severity="SEV-1")
    await town.settle()
    await town.act(escalation_level=2)
    await town.settle()
    assert [entry.kind for entry in await town.timeline()].count("escalated") == 1


@pytest.mark.parametrize(
    ("edit", "field", "value"),
    [
        ({"title": "Checkout fails everywhere"}, "title", "Checkout fails everywhere"),
        ({"severity": "SEV-1"}, "urgency", "high"),
        ({"status": "mitigated"}, "status", "acknowledged"),
        ({"status": "resolved"}, "status", "resolved"),
        ({"status": "closed"}, "status", "resolved"),
    ],
)
async def test_an_edit_here_arrives_there(
    town: Town, edit: dict[str, Any], field: str, value: str
) -> None:
    await town.declare()
    await town.settle()
    await town.edit(**edit)
    await town.settle()
    assert (await town.there())[field] == value


async def test_assigned_here(town: Town) -> None:
    await town.declare()
    await town.settle()
    user = town.user(-1)
    await town.edit(assigned_to=user["email"].upper())
    await town.settle()
    there = await town.there()
    assert there["assignments"][0]["assignee"]["id"] == user["id"]


async def test_declared_with_a_person_and_a_policy(town: Town) -> None:
    policy, user = town.account["escalation_policies"][-1], town.user(-1)
    await town.declare(assigned_to=user["email"], escalation_policy=policy["name"])
    await town.settle()
    there = await town.there()
    assert there["escalation_policy"]["id"] == policy["id"]
    assert there["assignments"][0]["assignee"]["id"] == user["id"]


async def test_someone_unknown_there_blocks_that_field_alone(town: Town) -> None:
    await town.declare(assigned_to="nobody@nowhere.example")
    await town.settle()
    await town.edit(title="Checkout is down")
    await town.settle()
    assert (await town.there())["title"] == "Checkout is down"
    view = await town.field("assigned_to")
    assert view.blocked is not None
    assert "nobody@nowhere.example" in view.blocked
    assert (await town.here())[Field.ASSIGNED_TO] == "nobody@nowhere.example"
    assert await town.dead_letters() == []


async def test_closing_a_resolved_incident_writes_nothing(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.act(status="resolved")
    await town.settle()
    before = town.sandbox.writes
    await town.edit(status="closed")
    await town.settle()
    await town.sweep()
    assert town.sandbox.writes == before
    assert (await town.here())[Field.STATUS] == "closed"


async def test_reopened_here_and_there(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.edit(status="resolved")
    await town.settle()
    await town.edit(status="open")
    await town.settle()
    assert (await town.there())["status"] == "triggered"
    await town.act(status="resolved")
    await town.settle()
    await town.act(status="triggered")
    await town.settle()
    assert (await town.here())[Field.STATUS] == "open"


async def test_a_description_is_the_body_and_then_one_note_edited_in_place(town: Town) -> None:
    await town.declare(description="First words.")
    await town.settle()
    body = (await town.call("GET", f"/incidents/{await town.external_id()}?include[]=body"))[
        "incident"
    ]["body"]
    assert body["details"] == "First words."
    for words in ("Second words.", "Third words."):
        await town.edit(description=words)
        await town.settle()
        notes = (await town.call("GET", f"/incidents/{await town.external_id()}/notes"))["notes"]
        assert [note["content"].splitlines()[-1] for note in notes] == [words]
    assert [entry.kind for entry in await town.timeline()].count("note") == 0, "it is our own"

    path = f"/incidents/{await town.external_id()}/notes"
    (note,) = (await town.call("GET", path))["notes"]
    await town.call("DELETE", f"{path}/{note['id']}")
    await town.edit(description="Fourth words.")
    await town.settle()
    (note,) = (await town.call("GET", path))["notes"]
    assert note["content"].endswith("Fourth words."), "a deleted note is written anew"


async def test_a_note_there_stands_in_the_timeline_once(town: Town) -> None:
    await town.declare()
    await town.settle()
    path = f"/incidents/{await town.external_id()}/notes"
    await town.call("POST", path, {"note": {"content": "Rolled back."}})
    await town.settle()
    notes = [entry for entry in await town.timeline() if entry.kind == "note"]
    assert [note.text for note in notes] == ["Rolled back."]


async def test_no_echo(town: Town) -> None:
    await town.declare(severity="SEV-2")
    await town.settle()
    await town.edit(title="Checkout is down", status="mitigated")
    await town.act(priority="P1")
    await town.settle()
    quiet = town.sandbox.writes
    for _ in range(3):
        await town.sweep()
    assert town.sandbox.writes == quiet
    assert len(await town.all_there()) == 1


async def test_a_title_that_no_webhook_tells_of_is_found_by_the_sweep(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.act(title="Renamed over there")
    await town.settle()
    assert (await town.here())[Field.TITLE] == "Checkout down"
    await town.sweep()
    assert (await town.here())[Field.TITLE] == "Renamed over there"


async def test_what_was_resolved_unheard_is_found_by_the_sweep(town: Town) -> None:
    await town.declare()
    await town.settle()
    town.sandbox.faults.delivery_drop = 1.0
    await town.act(status="resolved")
    await town.settle()
    assert (await town.here())[Field.STATUS] == "open"
    await town.sweep()
    assert (await town.here())[Field.STATUS] == "resolved"


async def test_the_events_of_our_own_write_change_nothing_here(town: Town) -> None:
    """Raising the urgency there un-acknowledges, so one write makes two events."""
    await town.declare(severity="SEV-3")
    await town.settle()
    await town.edit(status="mitigated")
    await town.settle()
    await town.edit(severity="SEV-1")
    await town.settle()
    severities = [entry.new for entry in await town.timeline() if entry.field == "severity"]
    assert severities == ["SEV-1"]
    assert (await town.here())[Field.STATUS] == "open", "PagerDuty un-acknowledged it"


async def test_many_edits_while_we_wait_go_out_as_one(town: Town) -> None:
    await town.declare()
    await town.settle()
    before = town.sandbox.writes
    for title in ("a", "b", "c"):
        await town.edit(title=title, severity="SEV-1")
    await town.settle()
    assert town.sandbox.writes == before + 1
    assert (await town.there())["title"] == "c"


async def test_priorities_are_switched_off_and_on_again_there(town: Town) -> None:
    """Found by hand: whatever had a severity was refused until the next start."""
    await town.declare("First")
    await town.settle()
    town.sandbox.switches.priorities = False
    await town.edit(severity="SEV-1")
    await town.declare("Second", severity="SEV-4")
    await town.settle()
    assert await town.dead_letters() == []
    assert [(await town.there(n))["urgency"] for n in (1, 2)] == ["high", "low"]
    town.sandbox.switches.priorities = True
    await town.sweep()
    await town.edit(severity="SEV-2")
    await town.settle()
    assert (await town.there())["priority"]["summary"] == "P2"
    assert (await town.here(2))[Field.SEVERITY] == "SEV-4"


async def test_an_account_without_priorities_does_with_urgency() -> None:
    async with town_of() as town:
        town.sandbox.switches.priorities = False
        await town.connect()
        await town.declare(severity="SEV-3")
        await town.settle()
        await town.edit(severity="SEV-1")
        await town.settle()
        there = await town.there()
        assert (there["urgency"], there["priority"]) == ("high", None)
        assert (await town.here())[Field.SEVERITY] == "SEV-1"


@pytest.mark.parametrize("field", ["assigned_to", "escalation_policy"])
async def test_what_no_request_there_can_empty_is_blocked_and_alarms_nobody(
    town: Town, field: str
) -> None:
    await town.declare("Start", assigned_to="carol@acme.example")
    await town.settle()
    nobody: dict[str, Any] = {field: None}
    await town.edit(**nobody)
    await town.edit(title="Goes on")
    await town.settle()
    assert field.removesuffix("_to")[:6] in ((await town.field(field)).blocked or "")
    assert await town.dead_letters() == []
    assert (await town.there())["title"] == "Goes on"
    assert (await town.sync_status())["healthy"]
