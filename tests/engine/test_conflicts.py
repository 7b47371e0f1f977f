"""Both sides edited at once: who wins, and where the loser is kept."""

from dataclasses import replace

import pytest

from imsync.core.fields import Field, Instant, Side
from imsync.core.merge import Direction, Rule, Strategy
from imsync.engine import carry_out, observe, review
from imsync.errors import UserError
from imsync.store import integrations, links
from tests.town import Town, town_of


async def both_edit_the_title(town: Town, *, first: str) -> None:
    """The edit there is met by the look before our write."""
    await town.declare("Start")
    await town.settle()
    if first == "platform":
        await town.edit(title="Here")
        await town.act(title="There")
    else:
        await town.act(title="There")
        await town.edit(title="Here")


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("first", ["platform", "external"])
async def test_the_same_field_on_both_sides(strategy: Strategy, first: str) -> None:
    async with town_of() as town:
        await town.connect(conflict_strategy=strategy)
        await both_edit_the_title(town, first=first)
        await town.settle()
        await town.sweep()

        here, there = (await town.here())[Field.TITLE], (await town.there())["title"]
        (conflict,) = await town.conflicts()
        assert {conflict.platform.value, conflict.external.value} == {"Here", "There"}
        assert conflict.base == "Start"
        if strategy is Strategy.MANUAL_REVIEW:
            assert (here, there) == ("Here", "There")
            assert (conflict.status, conflict.winner) == ("pending", None)
        else:
            assert here == there
            assert conflict.status == "resolved"
            assert conflict.winner is not None
            winner = conflict.platform if conflict.winner is Side.PLATFORM else conflict.external
            assert winner.value == here
        if strategy is Strategy.LAST_WRITE_WINS:
            assert here == ("There" if first == "platform" else "Here"), "by when it was made"
        if strategy is Strategy.OWNERSHIP_PRIORITY:
            assert here == "Here", "platform owns the title"


async def test_a_held_field_stands_still_and_the_others_go_on() -> None:
    async with town_of() as town:
        await town.connect(conflict_strategy=Strategy.MANUAL_REVIEW)
        await both_edit_the_title(town, first="platform")
        await town.settle()
        await town.edit(title="Here again", severity="SEV-1")
        await town.act(title="There again")
        await town.settle()
        await town.sweep()

        assert (await town.there())["urgency"] == "high"
        assert (await town.there())["title"] == "There again"
        (conflict,) = await town.conflicts()
        assert conflict.status == "pending"
        assert conflict.platform.value == "Here again"
        assert conflict.external.value == "There again"


async def test_a_held_field_settles_when_the_sides_come_to_agree() -> None:
    async with town_of() as town:
        await town.connect(conflict_strategy=Strategy.MANUAL_REVIEW)
        await both_edit_the_title(town, first="platform")
        await town.settle()
        await town.act(title="Here")
        await town.sweep()
        (conflict,) = await town.conflicts()
        assert (conflict.status, conflict.winner) == ("resolved", None)
        await town.edit(title="Onwards")
        await town.settle()
        assert (await town.there())["title"] == "Onwards"


@pytest.mark.parametrize("owner", Side)
async def test_a_strict_owner_has_a_lone_edit_put_back(town: Town, owner: Side) -> None:
    rule, now = Rule(owner, strict=True), town.clock()
    await town.db.run(integrations.set_rule, "int_test", Field.TITLE, rule, now=now)
    await town.declare("Start")
    await town.settle()
    if owner is Side.PLATFORM:
        await town.act(title="Not yours")
    else:
        await town.edit(title="Not yours")
    await town.settle()
    await town.sweep()
    assert (await town.here())[Field.TITLE] == (await town.there())["title"] == "Start"
    (conflict,) = await town.conflicts()
    assert conflict.winner is owner
    assert "Not yours" in (conflict.platform.value, conflict.external.value)


@pytest.mark.parametrize(
    ("direction", "here", "there"),
    [
        (Direction.BIDIRECTIONAL, "mitigated", "acknowledged"),
        (Direction.INBOUND, "mitigated", "acknowledged"),
        (Direction.OUTBOUND, "open", "acknowledged"),
        (Direction.NONE, "open", "acknowledged"),
    ],
)
async def test_the_direction_is_obeyed(direction: Direction, here: str, there: str) -> None:
    async with town_of() as town:
        await town.connect()
        await town.declare("Start")
        await town.settle()
        await town.direct(direction)
        await town.act(status="acknowledged")
        await town.edit(title="Renamed")
        await town.settle()
        await town.sweep()
        assert (await town.here())[Field.STATUS] == here
        assert (await town.there())["status"] == there
        arrives = direction in (Direction.BIDIRECTIONAL, Direction.OUTBOUND)
        assert (await town.there())["title"] == ("Renamed" if arrives else "Start")

        await town.direct(Direction.BIDIRECTIONAL)
        await town.sweep()
        assert (await town.here())[Field.STATUS] == "mitigated", "turned on, it reconciles"
        assert (await town.there())["title"] == "Renamed"


async def test_setting_a_value_back_is_an_edit(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.act(title="There")
    await town.edit(title="Here")
    await town.edit(title="Start")
    await town.settle()
    await town.sweep()
    assert (await town.here())[Field.TITLE] == (await town.there())["title"]
    (conflict,) = await town.conflicts()
    assert (conflict.platform.value, conflict.external.value) == ("Start", "There")


async def test_the_same_edit_on_both_sides_is_no_conflict(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    before = town.sandbox.writes
    await town.act(title="Same")
    await town.edit(title="Same")
    await town.settle()
    await town.sweep()
    assert town.sandbox.writes == before + 1, "theirs alone"
    assert await town.conflicts() == []


async def test_what_cannot_be_read_cannot_be_chosen_and_the_conflict_stays() -> None:
    async with town_of() as town:
        await town.connect(conflict_strategy=Strategy.MANUAL_REVIEW)
        await town.declare("Start")
        await town.settle()
        await town.edit(title="Here")
        link = await town.db.read(links.between, "int_test", 1)
        assert link is not None
        found = await town.crew.account.connector.fetch(await town.external_id())
        later = Instant(town.clock() + 1_000)
        blank = replace(found, fields={Field.TITLE: ""}, as_of=later, set_at={Field.TITLE: later})
        await town.db.run(observe.observe, link.id, blank, now=later)
        await town.db.run(carry_out.reconcile, link.id, now=later)
        (conflict,) = await town.conflicts()
        assert (conflict.status, conflict.external.value) == ("pending", "")

        with pytest.raises(UserError, match="blank"):
            await town.db.run(
                review.resolve, conflict.id, use=Side.EXTERNAL, by="ann", now=town.clock()
            )
        (conflict,) = await town.conflicts()
        assert conflict.status == "pending"
        await town.db.run(
            review.resolve, conflict.id, use=Side.PLATFORM, by="ann", now=town.clock()
        )
        await town.settle()
        assert (await town.there())["title"] == "Here"
