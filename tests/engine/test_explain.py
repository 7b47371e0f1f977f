"""Why is this so? Told from the journal, the way a colleague would."""

import pytest

from imsync.core.fields import Field, Side
from imsync.core.merge import Rule
from imsync.engine import explain, review
from imsync.engine.explain import Explanation, Told
from imsync.errors import NotFound
from imsync.store import dead_letters as store
from imsync.store import integrations
from tests.town import Town


async def why(town: Town, field: Field) -> Explanation:
    _, (found,) = await town.db.read(explain.explain, 1, field, integration=None, now=town.clock())
    return found


async def told(town: Town) -> Told:
    (conflict,) = await town.conflicts()
    return await town.db.read(explain.tell, conflict, now=town.clock())


async def begun(town: Town, **settings: object) -> None:
    """Half past nine, and both sides say 'Start'."""
    await town.configure(**settings)
    town.clock.at = 1_800_005_400_000
    await town.declare("Start")
    await town.settle()
    town.clock.at = 1_800_005_460_000


async def test_a_lone_edit_here(town: Town) -> None:
    await begun(town)
    await town.edit(title="Now")
    pending = await why(town, Field.TITLE)
    assert (pending.state, pending.confirmed_at) == ("pending", None)
    assert pending.story == [
        "The title of INC-1 is 'Now': alice@acme.example set it here at 09:31:00.",
        "Ours is on its way: PagerDuty has 'Start' still.",
        "Last decision, at 09:31:00: only platform changed.",
    ]
    town.clock.at += 2_000
    await town.settle()
    found = await why(town, Field.TITLE)
    assert (found.state, found.verdict, found.losers) == ("in_sync", "push", [])
    assert found.confirmed_at is not None
    assert found.story[1].startswith("Both sides agree: PagerDuty has 'Now', confirmed at 09:31:0")


async def test_an_edit_there(town: Town) -> None:
    await begun(town)
    await town.act(priority="P1", urgency="high")
    await town.settle()
    found = await why(town, Field.SEVERITY)
    assert (found.verdict, found.reads_as) == ("adopt", "SEV-1")
    assert found.story[0] == (
        "The severity of INC-1 is 'SEV-1': Dave Okafor set it in PagerDuty at 09:31:00."
    )
    assert "PagerDuty has 'SEV-1' (high P1 in PagerDuty)" in found.story[1]


async def test_a_conflict_that_a_strategy_decided(town: Town) -> None:
    await begun(town)
    await town.act(title="Theirs")
    town.clock.at += 4_000
    await town.edit(title="Ours")
    await town.settle()
    story = (await told(town)).story
    assert story[:3] == [
        "The two sides last agreed on 'Start'.",
        "Dave Okafor set 'Theirs' in PagerDuty at 09:31:00.",
        "alice@acme.example set 'Ours' here 4 seconds later.",
    ]
    assert story[3] == (
        "imsync decided at 09:31:04, under last-write-wins: both sides changed; platform was last."
        " So 'Ours' won."
    )
    assert story[4] == "'Theirs' lost; `im conflict restore cfl_1` brings it back on both sides."

    found = await why(town, Field.TITLE)
    (lost,) = found.losers
    assert (lost.edit.value, lost.edit.by, lost.conflict) == ("Theirs", "Dave Okafor", 1)
    assert found.story[-1] == (
        "Lost: 'Theirs', set by Dave Okafor in PagerDuty at 09:31:00;"
        " `im conflict restore cfl_1` brings it back on both sides."
    )


async def test_a_conflict_that_waits_for_a_person_and_then_was_settled(town: Town) -> None:
    await begun(town, conflict_strategy="manual-review")
    await town.edit(severity="SEV-1")
    await town.act(priority="P4", urgency="low")
    await town.settle()
    waiting = await told(town)
    assert waiting.reads_as == "SEV-4"
    assert waiting.story[3] == (
        "Pending: both sides changed: a person decides. Until then both sides keep what they have."
    )
    assert "`--use external` takes 'SEV-4' (low P4 in PagerDuty)" in waiting.story[4]
    held = await why(town, Field.SEVERITY)
    assert held.state == "held"
    assert "Both stand still until a person decides" in held.story[1]

    await town.db.run(
        review.resolve, 1, use=None, value="SEV-2", by="bob@acme.example", now=town.clock()
    )
    settled = await told(town)
    assert settled.story[-3:] == [
        "bob@acme.example ended it at 09:31:00: bob@acme.example chose another value: 'SEV-2'.",
        "'SEV-1' lost; `im conflict restore cfl_1 --use platform` brings it back on both sides.",
        "'SEV-4' (low P4 in PagerDuty) lost;"
        " `im conflict restore cfl_1 --use external` brings it back on both sides.",
    ]


async def test_a_conflict_that_somebody_ignored(town: Town) -> None:
    await begun(town, conflict_strategy="manual-review")
    await town.edit(title="Ours")
    await town.act(title="Theirs")
    await town.settle()
    town.clock.at += 60_000
    await town.db.run(review.ignore, 1, by="bob@acme.example", now=town.clock())
    found = await why(town, Field.TITLE)
    assert (found.state, found.verdict) == ("apart", "keep")
    assert found.story[-1] == (
        "Last decision, at 09:32:00: bob@acme.example ignored it: both sides keep what they have."
    )


async def test_a_conflict_that_was_decided_when_the_strategy_changed(town: Town) -> None:
    await begun(town, conflict_strategy="manual-review")
    await town.edit(title="Ours")
    town.clock.at += 4_000
    await town.act(title="Theirs")
    await town.settle()
    town.clock.at += 60_000
    await town.configure(conflict_strategy="last-write-wins")
    assert (await told(town)).story[3:5] == [
        "It was put to a person at 09:31:04, and nobody had answered when the rules changed.",
        "imsync decided at 09:32:04, under last-write-wins: both sides changed; external was last."
        " So 'Theirs' won.",
    ]


async def test_someone_pagerduty_does_not_know(town: Town) -> None:
    await begun(town)
    await town.edit(assigned_to="eve@elsewhere.example")
    await town.settle()
    found = await why(town, Field.ASSIGNED_TO)
    assert found.state == "blocked"
    assert "Ours does not cross (PagerDuty knows no user 'eve@elsewhere.example')" in found.story[1]


async def test_what_could_not_be_created_is_not_said_to_be_on_its_way(town: Town) -> None:
    town.sandbox.switches.nobody_on_call = True
    await town.declare("Nobody is paged")
    assert (await why(town, Field.TITLE)).state == "pending"
    await town.settle()
    found = await why(town, Field.TITLE)
    assert found.state == "blocked"
    assert "(1015)" in found.because
    assert "Ours does not cross (PagerDuty says 400" in found.story[1]
    (letter,) = await town.dead_letters()
    assert "on call" in letter.hint
    await town.db.run(store.discard, letter.id, now=town.clock())
    assert "nothing is under way" in (await why(town, Field.TITLE)).because


async def test_what_waits_for_a_service_says_that_nothing_is_under_way(town: Town) -> None:
    await town.configure(default_service=None)
    await town.declare("Nowhere to go")
    found = await why(town, Field.TITLE)
    assert (found.state, found.because) == (
        "blocked",
        "it is not there, and nothing is under way to create it",
    )


async def test_sides_that_differ_because_of_the_direction(town: Town) -> None:
    await begun(town)
    await town.configure(sync_direction="inbound")
    await town.edit(title="Only here")
    await town.settle()
    found = await why(town, Field.TITLE)
    assert found.state == "apart"
    assert found.story[1] == "The sides differ: PagerDuty has 'Start'."


async def test_what_loses_again_and_again_is_told_once(town: Town) -> None:
    await begun(town)
    strict = Rule(Side.PLATFORM, strict=True)
    await town.db.run(integrations.set_rule, "int_test", Field.TITLE, strict, now=town.clock())
    for _ in range(3):
        town.clock.at += 1_000
        await town.act(title="Mine")
        await town.sweep()
    found = await why(town, Field.TITLE)
    assert len(found.losers) == 3
    (line,) = [line for line in found.story if line.startswith("Lost")]
    assert line.startswith("Lost: 'Mine', set by ")
    assert " in PagerDuty 3 times, last at 09:31:03; `im conflict restore cfl_3` brings" in line


async def test_yesterday_is_told_with_its_day(town: Town) -> None:
    await begun(town)
    await town.edit(title="Now")
    await town.settle()
    town.clock.at += 86_400_000
    found = await why(town, Field.TITLE)
    assert found.story[0].endswith("set it here on 15 January 2027 at 09:31:00.")


async def test_an_incident_that_is_linked_nowhere_or_not_there(town: Town) -> None:
    await town.configure(enabled=False)
    await town.declare("Alone")
    edit, found = await town.db.read(
        explain.explain, 1, Field.TITLE, integration=None, now=town.clock()
    )
    assert (edit.value, found) == ("Alone", [])
    with pytest.raises(NotFound, match="INC-1 is not linked in prod-pd"):
        await town.db.read(explain.explain, 1, Field.TITLE, integration="prod-pd", now=town.clock())
    with pytest.raises(NotFound, match="no incident INC-9"):
        await town.db.read(explain.explain, 9, Field.TITLE, integration=None, now=town.clock())
