"""An automation over there that undoes what we write: held after a while, never for ever."""

import pytest

from imsync.core import flapping
from imsync.core.fields import Field, Side
from imsync.core.merge import Rule
from imsync.engine import review, rules
from tests.town import Town


async def fenced(town: Town) -> None:
    """The title is ours alone: whatever is set there is put back."""
    await town.declare("Ours")
    await town.settle()
    rule = Rule(Side.PLATFORM, strict=True)
    await town.db.run(rules.set_rule, await town.integration(), Field.TITLE, rule, now=town.clock())


async def fight(town: Town, rounds: int) -> None:
    for n in range(rounds):
        town.clock.at += 10_000
        await town.act(title=f"[bot] {n}")
        await town.sweep()


async def test_a_field_that_is_undone_again_and_again_is_held_with_the_reason(town: Town) -> None:
    await fenced(town)
    await fight(town, flapping.LIMIT + 1)
    quiet = town.sandbox.writes
    await fight(town, 3)
    assert town.sandbox.writes - quiet == 3, "theirs alone: ours stands still"
    (held,) = [one for one in await town.conflicts() if one.status == "pending"]
    assert "an automation there fights us" in held.because or "it flapped" in held.because
    assert (held.platform.value, held.external.value) == ("Ours", "[bot] 2")
    assert "waits for a person" in (await town.sync_status())["problems"][0]
    await town.edit(status="mitigated")
    await town.settle()
    assert (await town.there())["status"] == "acknowledged", "other fields go on"


async def test_a_person_lets_it_go(town: Town) -> None:
    await fenced(town)
    await fight(town, flapping.LIMIT + 1)
    (held,) = [one for one in await town.conflicts() if one.status == "pending"]
    await town.db.run(
        review.resolve, held.id, use=Side.PLATFORM, by="bob@acme.example", now=town.clock()
    )
    await town.settle()
    assert (await town.there())["title"] == "Ours"
    await fight(town, 1)
    assert (await town.there())["title"] == "Ours", "what was before does not count any more"


async def test_it_is_let_go_when_it_has_been_quiet(town: Town) -> None:
    await fenced(town)
    await fight(town, flapping.LIMIT + 1)
    assert (await town.there())["title"] == f"[bot] {flapping.LIMIT}"
    town.clock.at += flapping.QUIET // 2
    await fight(town, 1)  # not yet quiet
    town.clock.at += flapping.QUIET // 2 + 20_000
    await town.sweep()
    assert (await town.there())["title"] == "[bot] 0"
    town.clock.at += flapping.QUIET
    await town.sweep()
    assert (await town.there())["title"] == "Ours"
    assert not [one for one in await town.conflicts() if one.status == "pending"]


async def test_people_who_edit_often_do_not_flap(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    for n in range(3 * flapping.LIMIT):
        town.clock.at += 5_000
        await town.edit(title=f"Edit {n}")
        await town.settle()
    assert (await town.there())["title"] == f"Edit {3 * flapping.LIMIT - 1}"
    assert await town.conflicts() == []


@pytest.mark.parametrize("first", ["here", "there"])
async def test_named_people_who_alternate_do_not_flap(town: Town, first: str) -> None:
    await town.declare("Start")
    await town.settle()
    for n in range(4 * flapping.LIMIT):
        town.clock.at += 5_000
        if (n % 2 == 0) == (first == "here"):
            await town.edit(title=f"Alice {n}")
            await town.settle()
        else:
            await town.act(title=f"Bob {n}")
            await town.sweep()
    assert not [one for one in await town.conflicts() if one.status == "pending"]
    last = 4 * flapping.LIMIT - 1
    who = "Bob" if first == "here" else "Alice"
    assert (await town.there())["title"] == (await town.here())[Field.TITLE] == f"{who} {last}"


@pytest.mark.parametrize("first", ["here", "there"])
async def test_automations_that_alternate_flap(town: Town, first: str) -> None:
    """A script that names nobody, and one over there: each insists on its own value."""
    await town.declare("Start")
    await town.settle()
    for n in range(2 * (flapping.LIMIT + 2)):
        town.clock.at += 5_000
        if (n % 2 == 0) == (first == "here"):
            await town.edit(title=f"[script] {n}", by=None)
            await town.settle()
        else:
            await town.act(title=f"[bot] {n}")
            await town.sweep()
    (held,) = [one for one in await town.conflicts() if one.status == "pending"]
    assert "fights us" in held.because or "it flapped" in held.because


async def test_what_a_person_set_is_held_when_an_automation_undoes_it_every_time(
    town: Town,
) -> None:
    """They set it once; it is we who put it back again and again."""
    await fenced(town)
    await town.edit(title="Set by Alice")
    await town.settle()
    await fight(town, flapping.LIMIT + 1)
    assert [one.status for one in await town.conflicts()].count("pending") == 1
