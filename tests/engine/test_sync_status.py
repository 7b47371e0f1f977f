"""`sync-status` says what is not well, and what to do about it."""

from imsync.core.fields import Field, Side
from imsync.core.merge import Rule
from imsync.core.schedule import LONGEST_WAIT
from imsync.store import integrations
from tests.town import Town


async def test_all_is_well(town: Town) -> None:
    await town.declare()
    await town.settle()
    status = await town.sync_status()
    assert (status["healthy"], status["problems"], status["links"]) == (True, [], 1)


async def test_what_is_put_back_has_waited_since_it_was_undone_not_since_it_was_set(
    town: Town,
) -> None:
    await town.declare("Start")
    await town.settle()
    strict = Rule(Side.PLATFORM, strict=True)
    await town.db.run(integrations.set_rule, "int_test", Field.TITLE, strict, now=town.clock())
    town.clock.at += 3_600_000
    await town.act(title="Theirs")
    await town.sweep()
    assert (await town.there())["title"] == "Start"
    assert (await town.sync_status())["lag"]["outbound"]["p99_ms"] < 60_000


async def test_a_pagerduty_that_does_not_answer(town: Town) -> None:
    await town.declare()
    await town.settle()
    town.sandbox.faults.api_error = 1.0
    await town.edit(title="Till is down")
    await town.settle()
    town.clock.at += 5_000
    (problem,) = (await town.sync_status())["problems"]
    assert problem.startswith("no good answer for 5 s: PagerDuty says 50")

    town.sandbox.faults.api_error = 0.0
    town.clock.at += LONGEST_WAIT
    await town.settle()
    assert (await town.sync_status())["problems"] == []


async def test_being_asked_to_wait_is_no_trouble(town: Town) -> None:
    await town.declare()
    await town.settle()
    town.sandbox.faults.api_429 = 1.0
    await town.edit(title="Till is down")
    await town.settle()
    assert (await town.sync_status())["problems"] == []


async def test_a_conflict_that_waits_for_a_person(town: Town) -> None:
    await town.configure(conflict_strategy="manual-review")
    await town.declare()
    await town.settle()
    await town.edit(title="Ours")
    await town.act(title="Theirs")
    await town.settle()
    (problem,) = (await town.sync_status())["problems"]
    assert problem == (
        "1 conflict waits for a person: `im conflict list --integration prod-pd --status pending`"
    )


async def test_a_used_up_limit_on_creations_holds_up_nothing_else(town: Town) -> None:
    await town.declare("The first")
    await town.settle()
    town.sandbox.rates.post_incidents = 3
    for n in range(5):
        await town.declare(f"Storm {n}")
    await town.settle()
    made = len(await town.all_there())
    assert made < 6, "the limit was reached"
    await town.edit(title="Resolved meanwhile", status="resolved")
    await town.settle()
    assert (await town.there())["status"] == "resolved"
    assert len(await town.all_there()) == made
    for _ in range(4):
        town.clock.at += 61_000
        await town.settle()
    assert len(await town.all_there()) == 6
    assert (await town.here(6))[Field.TITLE] == "Storm 4"
