"""On whose behalf imsync writes: PagerDuty takes the From header for the acting user."""

from collections.abc import Sequence

from imsync.core.fields import Field
from imsync.engine import explain
from imsync.store import journal, links
from tests.town import Json, Town


async def actors(town: Town, number: int = 1) -> Sequence[str]:
    """Who acted on the incident there, oldest first, as its log has it."""
    path = f"/incidents/{await town.external_id(number)}/log_entries"
    entries = (await town.call("GET", path))["log_entries"]
    return [entry["agent"]["summary"] for entry in reversed(entries)]


async def confirmation(town: Town, field: Field) -> str:
    link = await town.db.read(links.between, "int_test", 1)
    assert link is not None
    entries = await town.db.read(journal.of_field, link.id, field)
    return next(one.because for one in reversed(entries) if one.verdict == journal.CONFIRMED)


async def test_whoever_declares_it_here_triggers_it_there(town: Town) -> None:
    await town.declare()
    await town.settle()
    assert (await actors(town))[0] == "Alice Martin"


async def test_who_acknowledges_here_is_who_acknowledged_there(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.edit(status="mitigated", by="bob@acme.example")
    await town.settle()
    (one,) = (await town.there())["acknowledgements"]
    assert one["acknowledger"]["summary"] == "Bob Chen"


async def test_someone_pagerduty_does_not_know_is_stood_in_for_and_the_journal_says_so(
    town: Town,
) -> None:
    await town.declare()
    await town.settle()
    await town.edit(title="Till is down", by="eve@elsewhere.example")
    await town.settle()
    assert (await town.there())["title"] == "Till is down"
    ours = town.account["from_email"]
    assert await confirmation(town, Field.TITLE) == (
        f"It was written as {ours}, for there is nobody called eve@elsewhere.example there."
    )


async def test_a_long_title_is_whole_here_and_cut_there_and_explain_says_so(town: Town) -> None:
    await town.declare(title="x" * 1_500)
    await town.settle()
    assert (await town.there())["title"] == "x" * 1_024
    assert "It was cut there to 1,024 of its 1,500 characters." in await told(town)
    await town.edit(title="y" * 2_000, by="eve@elsewhere.example")
    await town.settle()
    await town.sweep()
    assert (await town.here())[Field.TITLE] == "y" * 2_000, "what was cut is no edit of theirs"
    story = await told(town)
    assert "It was cut there to 1,024 of its 2,000 characters. It was written as" in story
    assert "nobody called eve@elsewhere.example there." in story


async def told(town: Town) -> str:
    now = town.clock()
    _, (found,) = await town.db.read(explain.explain, 1, Field.TITLE, integration=None, now=now)
    return " ".join(found.story)


async def test_someone_who_has_left_is_stood_in_for_at_once(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.edit(title="One", by="bob@acme.example")
    await town.settle()
    bob = next(user for user in town.account["users"] if user["email"] == "bob@acme.example")
    town.sandbox._records.users.drop(bob["id"])
    await town.edit(title="Two", by="bob@acme.example")
    await town.settle()
    assert (await town.there())["title"] == "Two"
    assert "there is nobody called bob@acme.example there" in await confirmation(town, Field.TITLE)
    assert await town.dead_letters() == []


async def test_two_people_are_not_mixed_up_in_one_request(town: Town) -> None:
    await town.declare(severity="SEV-3")
    await town.settle()
    await town.act(status="acknowledged")
    await town.settle()
    await town.edit(severity="SEV-1", by="alice@acme.example")
    await town.edit(status="resolved", by="bob@acme.example")
    await town.settle()
    there = await town.there()
    assert (there["urgency"], there["status"]) == ("high", "resolved")
    assert there["last_status_change_by"]["summary"] == "Bob Chen"
    assert (await town.here())[Field.STATUS] == "resolved"


async def test_declaring_for_oneself_does_not_keep_the_pager_silent(town: Town) -> None:
    """Created by its assignee, an incident is acknowledged from the start, and nobody is paged."""
    await town.declare(assigned_to="alice@acme.example")
    await town.settle()
    assert (await town.there())["status"] == "triggered"
    assert (await town.here())[Field.STATUS] == "open"


async def test_without_a_from_user_the_integration_is_suspended_not_the_edit_buried(
    town: Town,
) -> None:
    ours = town.account["from_email"]
    town.witness.excuse(': "from" is a required property')
    await town.configure(from_email=None)
    await town.declare(by=None)
    await town.settle()
    assert (await town.integration()).state == "suspended"
    assert "set from_email" in (await town.sync_status())["problems"][0]
    assert await town.dead_letters() == []

    await town.configure(from_email=ours)
    await town.settle()
    assert (await town.integration()).state == "active"
    assert len(await town.all_there()) == 1


async def test_reopened_here_it_stays_with_whom_it_was(town: Town) -> None:
    await town.declare(assigned_to="dave@acme.example")
    await town.settle()
    await town.act(status="resolved")
    await town.settle()
    await town.edit(status="mitigated", by="bob@acme.example")
    await town.settle()
    assert assignees(await town.there()) == ["Dave Okafor"]
    assert (await town.here())[Field.ASSIGNED_TO] == "dave@acme.example"


async def test_reopened_and_assigned_here_in_one_edit(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.act(status="resolved")
    await town.settle()
    await town.edit(status="open", assigned_to="carol@acme.example")
    await town.settle()
    there = await town.there()
    assert there["status"] == "triggered"
    assert assignees(there) == ["Carol Diaz"]
    assert (await town.here())[Field.ASSIGNED_TO] == "carol@acme.example"
    assert await town.conflicts() == []


def assignees(incident: Json) -> list[str]:
    return [one["assignee"]["summary"] for one in incident["assignments"]]
