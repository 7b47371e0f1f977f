"""A person answers: one side's value, a third one, neither; or the loser is brought back."""

from collections.abc import AsyncIterator

import pytest

from imsync.connectors.base import Snapshot
from imsync.core.fields import Field, Instant, Side
from imsync.core.merge import Rule, Strategy
from imsync.engine import explain, review, rules
from imsync.engine.carry_out import reconcile
from imsync.engine.observe import observe
from imsync.errors import Clash, NotFound, Stale, UserError
from imsync.store import integrations
from imsync.store.conflicts import Conflict
from tests.engine.test_conflicts import both_edit_the_title
from tests.store.rows import an_integration
from tests.town import Town, town_of

BOB = "bob@acme.example"


@pytest.fixture
async def held() -> AsyncIterator[Town]:
    """A town with one pending conflict: `Here` and `There`."""
    async with town_of() as town:
        await town.connect(conflict_strategy=Strategy.MANUAL_REVIEW)
        await both_edit_the_title(town, first="platform")
        await town.settle()
        yield town


async def resolve(town: Town, use: Side | None, value: str | None = None) -> Conflict:
    return await town.db.run(review.resolve, 1, use=use, value=value, by=BOB, now=town.clock())


@pytest.mark.parametrize(
    ("use", "value", "title", "winner"),
    [
        (Side.PLATFORM, None, "Here", Side.PLATFORM),
        (Side.EXTERNAL, None, "There", Side.EXTERNAL),
        (None, "A third one", "A third one", None),
        # Whoever types the value of a side has chosen that side.
        (None, "Here", "Here", Side.PLATFORM),
        (None, "There", "There", Side.EXTERNAL),
    ],
)
async def test_resolved_both_sides_say_it(
    held: Town, use: Side | None, value: str | None, title: str, winner: Side | None
) -> None:
    conflict = await resolve(held, use, value)
    assert (conflict.status, conflict.winner, conflict.resolved_by) == ("resolved", winner, BOB)
    assert (conflict.platform.value, conflict.external.value) == ("Here", "There")
    await held.settle()
    await held.sweep()
    assert (await held.here())[Field.TITLE] == (await held.there())["title"] == title
    assert len(await held.conflicts()) == 1


async def shown(town: Town, status: str, *, at: Instant) -> None:
    """The incident was seen there with a status that was set at that moment."""
    seen = {Field.STATUS: status}
    external_id = await town.external_id()
    snapshot = Snapshot(external_id, None, seen, town.clock(), set_at={Field.STATUS: at})
    await town.db.run(observe, 1, snapshot, now=town.clock())
    await town.db.run(reconcile, 1, now=town.clock())


async def test_what_a_person_is_asked_is_what_stands_there_by_now() -> None:
    """Whoever acknowledges what is resolved opens it again first, in the same moment: a person
    was asked about the opening, and what they answered overruled the acknowledgement unsaid."""
    async with town_of() as town:
        await town.connect(conflict_strategy=Strategy.MANUAL_REVIEW)
        await town.declare("Start")
        await town.settle()
        await town.act(status="resolved")
        await town.settle()
        await town.edit(status="closed")
        moment = town.clock()
        for status in ("triggered", "acknowledged"):
            await shown(town, status, at=moment)
        (conflict,) = await town.conflicts()
        assert (conflict.status, conflict.external.value) == ("pending", "acknowledged")


async def told(town: Town) -> str:
    """What `im explain INC-1 title` says."""
    _, (found,) = await town.db.read(
        explain.explain, 1, Field.TITLE, integration=None, now=town.clock()
    )
    return " ".join(found.story)


async def test_what_a_person_decided_is_the_last_decision_that_is_told(held: Town) -> None:
    """The page showed `set it here` and `a person decides`, of what had come from there."""
    await resolve(held, Side.EXTERNAL)
    assert "set it in PagerDuty" in await told(held)
    assert f"Last decision, at 08:00:00: {BOB} chose external." in await told(held)


@pytest.mark.parametrize(
    ("use", "value", "said"),
    [
        (Side.PLATFORM, None, "chose platform"),
        (None, "A third one", "chose another value: 'A third one'"),
    ],
)
async def test_whoever_chose_ours_or_a_third_value_is_named(
    held: Town, use: Side | None, value: str | None, said: str
) -> None:
    """It said `only platform changed`, as if nobody had been asked."""
    await resolve(held, use, value)
    await held.settle()
    await held.sweep()
    assert f"Last decision, at 08:00:00: {BOB} {said}." in await told(held)


async def test_whoever_brought_a_value_back_is_named(held: Town) -> None:
    await resolve(held, Side.EXTERNAL)
    await held.db.run(review.restore, 1, by="cyd@acme.example", now=held.clock())
    await held.settle()
    assert "cyd@acme.example brought back what had lost in cfl_1" in await told(held)


async def test_what_a_person_ignored_is_said_to_be_so(held: Town) -> None:
    await held.db.run(review.ignore, 1, by=BOB, now=held.clock())
    assert "ignored it: both sides keep" in (await held.field("title")).because


async def test_resolving_takes_what_is_there_by_now(held: Town) -> None:
    await held.act(title="There, later")
    await held.sweep()
    await resolve(held, Side.EXTERNAL)
    assert (await held.here())[Field.TITLE] == "There, later"


async def test_resolving_twice_changes_nothing(held: Town) -> None:
    await resolve(held, Side.EXTERNAL)
    with pytest.raises(Clash, match="resolved by bob@acme"):
        await resolve(held, Side.PLATFORM)
    assert (await held.here())[Field.TITLE] == "There"


async def test_a_value_the_field_cannot_take(held: Town) -> None:
    with pytest.raises(UserError, match="needs a title"):
        await resolve(held, None, "  ")
    (conflict,) = await held.conflicts()
    assert conflict.status == "pending"


async def test_ignored_both_sides_keep_what_they_have(held: Town) -> None:
    conflict = await held.db.run(review.ignore, 1, by=BOB, now=held.clock())
    assert conflict.status == "ignored"
    quiet = held.sandbox.writes
    await held.settle()
    await held.sweep()
    assert (await held.here())[Field.TITLE] == "Here"
    assert (await held.there())["title"] == "There"
    assert held.sandbox.writes == quiet
    await held.act(title="Onwards")
    await held.sweep()
    assert (await held.here())[Field.TITLE] == "Onwards", "the difference was the new base"


@pytest.mark.parametrize("first", ["platform", "external"])
async def test_restoring_brings_the_loser_back_on_both_sides(first: str) -> None:
    async with town_of() as town:
        await town.connect()
        await both_edit_the_title(town, first=first)
        await town.settle()
        await town.sweep()
        (conflict,) = await town.conflicts()
        loser = conflict.external if conflict.winner is Side.PLATFORM else conflict.platform
        await town.db.run(review.restore, 1, by=BOB, now=town.clock())
        await town.settle()
        await town.sweep()
        here, there = (await town.here())[Field.TITLE], (await town.there())["title"]
        assert here == there == loser.value
        with pytest.raises(Clash, match="already"):
            await town.db.run(review.restore, 1, by=BOB, now=town.clock())


async def test_restoring_over_a_newer_edit_is_refused_and_not_offered(town: Town) -> None:
    await both_edit_the_title(town, first="external")
    await town.settle()
    await town.edit(title="Newer")
    with pytest.raises(Stale, match="it is 'Newer' now"):
        await town.db.run(review.restore, 1, by=BOB, now=town.clock())
    assert (await town.here())[Field.TITLE] == "Newer"
    assert not any("restore" in line for line in await stories(town))


async def test_what_was_brought_back_is_no_loser_any_more(town: Town) -> None:
    await both_edit_the_title(town, first="external")
    await town.settle()
    await town.db.run(review.restore, 1, by=BOB, now=town.clock())
    await town.settle()
    with pytest.raises(Clash, match="title is 'There' already"):
        await town.db.run(review.restore, 1, by=BOB, now=town.clock())
    assert not any("restore" in line for line in await stories(town))


@pytest.mark.parametrize(("use", "title"), [(Side.PLATFORM, "Here"), (Side.EXTERNAL, "There")])
async def test_a_third_value_leaves_two_losers_and_either_comes_back(
    held: Town, use: Side, title: str
) -> None:
    await resolve(held, None, "A third one")
    await held.settle()
    with pytest.raises(UserError, match="both sides lost"):
        await held.db.run(review.restore, 1, by=BOB, now=held.clock())
    told = "\n".join(await stories(held))
    assert f"`im conflict restore cfl_1 --use {use}` brings it back" in told
    _, (found,) = await held.db.read(
        explain.explain, 1, Field.TITLE, integration=None, now=held.clock()
    )
    assert {one.edit.value for one in found.losers} == {"Here", "There"}
    await held.db.run(review.restore, 1, use=use, by=BOB, now=held.clock())
    await held.settle()
    assert (await held.here())[Field.TITLE] == (await held.there())["title"] == title


async def test_what_won_cannot_be_brought_back(town: Town) -> None:
    await both_edit_the_title(town, first="external")
    await town.settle()
    with pytest.raises(Clash, match="the platform side won"):
        await town.db.run(review.restore, 1, use=Side.PLATFORM, by=BOB, now=town.clock())


async def stories(town: Town) -> list[str]:
    """What is told of the title, and of the first conflict over it."""
    now = town.clock()
    _, (found,) = await town.db.read(explain.explain, 1, Field.TITLE, integration=None, now=now)
    (conflict, *_) = await town.conflicts()
    told = await town.db.read(explain.tell, conflict, now=now)
    return [*found.story, *told.story]


async def test_there_is_nothing_to_restore(held: Town) -> None:
    with pytest.raises(Clash, match="pending"):
        await held.db.run(review.restore, 1, by=BOB, now=held.clock())
    await held.db.run(review.ignore, 1, by=BOB, now=held.clock())
    with pytest.raises(Clash, match="neither side lost"):
        await held.db.run(review.restore, 1, by=BOB, now=held.clock())
    with pytest.raises(NotFound):
        await held.db.run(review.restore, 9, by=BOB, now=held.clock())


async def test_another_strategy_takes_effect_on_what_is_pending(held: Town) -> None:
    await held.configure(conflict_strategy=Strategy.OWNERSHIP_PRIORITY)
    await held.settle()
    (conflict,) = await held.conflicts()
    assert (conflict.status, conflict.winner) == ("resolved", Side.PLATFORM)
    assert (await held.there())["title"] == "Here"


async def test_a_strict_rule_that_contradicts_another_is_refused_by_name(town: Town) -> None:
    await town.db.run(an_integration, "int_two", "eu-pd")
    here = await town.integration()
    there = await town.db.read(integrations.get, "int_two")
    strict = Rule(Side.EXTERNAL, 5, strict=True)
    await town.db.run(rules.set_rule, there, Field.TITLE, strict, now=town.clock())
    with pytest.raises(Clash, match="eu-pd has a strict rule already"):
        await town.db.run(
            rules.set_rule, here, Field.TITLE, Rule(Side.PLATFORM, 9, True), now=town.clock()
        )
    await town.db.run(rules.set_rule, here, Field.TITLE, Rule(Side.PLATFORM, 9), now=town.clock())
    await town.db.run(rules.delete_rule, there, Field.TITLE, now=town.clock())
    with pytest.raises(NotFound, match="no rule of its own"):
        await town.db.run(rules.delete_rule, there, Field.TITLE, now=town.clock())
