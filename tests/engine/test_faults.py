"""What goes wrong between two systems: nothing is lost, doubled or written in the dark."""

from typing import Any

import orjson
import pytest

from imsync.connectors.base import Kind
from imsync.core.fields import Field, Instant
from imsync.core.schedule import LONGEST_WAIT
from imsync.engine import explain, sweeping
from imsync.engine.account import keep_all
from imsync.errors import Refused, Unauthorized, Unknown
from imsync.store import inbox, writes
from tests.town import Town


async def wait_out(town: Town) -> None:
    """Let every wait pass, then everyone do what they can."""
    for _ in range(8):
        town.clock.at += LONGEST_WAIT
        await town.settle()


async def test_the_answer_to_a_creation_is_lost_and_there_is_still_one(town: Town) -> None:
    await town.declare()
    await town.lose_the_answer_to("create")
    assert len(await town.all_there()) == 1, "it was done, though nobody told us"
    await wait_out(town)
    assert len(await town.all_there()) == 1
    assert (await town.there())["incident_key"] == "imsync:INC-1"
    assert (await town.here(1))[Field.TITLE] == "Checkout down"
    assert len(await town.timeline()) >= 2


async def test_what_was_created_unheard_and_edited_back_since_is_an_edit(town: Town) -> None:
    """Found by the simulation (5148): it stood there as it was created, but was no news of ours."""
    town.sandbox.faults.delivery_drop = 1.0
    await town.declare("Start")
    await town.lose_the_answer_to("create")
    await town.edit(status="resolved")
    (there,) = await town.all_there()
    for status in ("resolved", "triggered"):
        town.clock.at += 5_000
        body = {"incident": {"type": "incident_reference", "status": status}}
        await town.call("PUT", f"/incidents/{there['id']}", body)
    town.clock.at += 60_000
    await town.settle()
    assert (await town.here())[Field.STATUS] == "open", "that was the later edit"
    assert (await town.there())["status"] == "triggered"
    assert [one.platform.value for one in await town.conflicts()] == ["resolved"]


async def test_a_lost_answer_is_settled_from_the_log_even_when_set_back_since(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    await town.lose_the_answer_to("write")
    assert (await town.there())["title"] == "Ours"
    await town.act(title="Start")
    await wait_out(town)
    await town.sweep()
    assert (await town.there())["title"] == "Start", "theirs came after ours"
    assert (await town.here())[Field.TITLE] == "Start"


async def test_an_arrival_that_only_the_log_tells_of_is_explained_so(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    await town.lose_the_answer_to("write")
    await wait_out(town)
    await town.settle()
    _, (found,) = await town.db.read(
        explain.explain, 1, Field.TITLE, integration=None, now=town.clock()
    )
    assert found.story[2] == (
        "Nobody answered when it was written; the log there says that it arrived."
    )


@pytest.mark.parametrize("later", [10_000, 200_000], ids=["late", "somebody's own"])
async def test_a_write_that_arrives_after_the_log_told_nothing_of_it_is_no_news(
    town: Town, later: int
) -> None:
    """It was taken for an edit of theirs, and won over the one that had been made here since."""
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Slow")
    await town.lose_the_answer_to("write", fault="api_unheard")
    await town.edit(title="Now")
    town.clock.at += 5_000
    await town.settle()
    assert (await town.there())["title"] == "Now"
    town.clock.at += later
    await town.act(title="Slow")  # so late did it get there
    await town.sweep()
    here, there = (await town.here())[Field.TITLE], (await town.there())["title"]
    assert here == there == ("Now" if later < 180_000 else "Slow")
    lost = [one.external.value for one in await town.conflicts()]
    assert lost == (["Slow"] if here == "Now" else []), "and if it was somebody's, it is kept"


async def test_what_was_given_up_on_in_doubt_is_settled_by_the_next_look(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    town.crew.account.max_attempts = 1
    await town.edit(title="Ours")
    await town.lose_the_answer_to("write")
    assert len(await town.dead_letters()) == 1
    await town.act(title="Start")
    await town.sweep()
    assert (await town.here())[Field.TITLE] == "Start", "theirs came after ours"
    assert await town.dead_letters() == [], "it had been carried out"
    assert (await town.field("title")).blocked is None


async def test_what_was_given_up_on_in_doubt_and_never_landed_stays_so(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    town.crew.account.max_attempts = 1
    await town.edit(title="Ours")
    await town.lose_the_answer_to("write", fault="api_unheard")
    await town.sweep()
    assert await town.db.read(writes.unsettled, 1) == []
    assert len(await town.dead_letters()) == 1
    assert (await town.there())["title"] == "Start"
    assert (await town.field("title")).blocked is not None


async def test_a_write_that_never_landed_is_made_again(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    town.sandbox.faults.api_error = 1.0
    await town.settle()
    town.sandbox.faults.api_error = 0.0
    assert (await town.there())["title"] == "Start"
    await wait_out(town)
    assert (await town.there())["title"] == "Ours"


@pytest.mark.parametrize("fault", ["api_429", "api_429_bare", "api_error", "api_malformed"])
async def test_a_spell_of_failures_loses_no_edit(town: Town, fault: str) -> None:
    await town.declare("Start")
    await town.settle()
    setattr(town.sandbox.faults, fault, 1.0)
    await town.edit(title="Ours", severity="SEV-1")
    await town.settle()
    setattr(town.sandbox.faults, fault, 0.0)
    await wait_out(town)
    there = await town.there()
    assert (there["title"], there["urgency"]) == ("Ours", "high")
    assert await town.dead_letters() == []


async def test_after_the_last_attempt_there_is_a_dead_letter_and_no_more(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    town.sandbox.faults.api_error = 1.0
    await town.edit(title="Ours")
    await wait_out(town)
    (letter,) = await town.dead_letters()
    assert (letter.field, letter.attempts) == ("title", 5)
    assert letter.hint == "PagerDuty itself has trouble: try again later"
    assert (await town.field("title")).blocked is not None
    requests = town.sandbox.requests
    await wait_out(town)
    assert town.sandbox.requests == requests, "not tried for ever"

    town.sandbox.faults.api_error = 0.0
    await town.edit(title="Ours, at last")
    await wait_out(town)
    assert (await town.there())["title"] == "Ours, at last", "a new edit is a new try"
    assert await town.dead_letters() == [], "it has arrived: there is nothing to worry about"


@pytest.mark.parametrize(
    ("linked", "says"),
    [(True, "change it to what is taken there"), (False, "change what is not taken there")],
)
async def test_a_dead_letter_says_how_to_mend_it_also_when_nobody_else_does(
    town: Town, linked: bool, says: str
) -> None:
    if linked:
        await town.declare("Start")
        await town.settle()
    town.sandbox.switches.longest_title = 5
    await (town.edit(title="Too long") if linked else town.declare("Too long"))
    await wait_out(town)
    (letter,) = await town.dead_letters()
    assert letter.code == "external_refused"
    assert says in letter.hint


async def test_an_outage_needs_nobodys_hands_when_it_is_over(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.sweep()
    town.sandbox.faults.api_error = 1.0
    await town.edit(title="Ours")
    await wait_out(town)
    number = await town.declare("Born in the outage")
    await wait_out(town)
    assert len(await town.dead_letters()) == 2
    await town.edit(description="Not yet given up on")
    await town.settle()
    town.clock.at += sweeping.OUTAGE
    assert not await town.crew.drift.step()

    town.sandbox.faults.api_error = 0.0
    assert await town.crew.drift.step()
    await town.settle()
    assert await town.dead_letters() == []
    assert (await town.there())["title"] == "Ours"
    assert (await town.there(number))["title"] == "Born in the outage"


async def test_deliveries_of_an_outage_need_nobodys_hands_either(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.sweep()
    town.sandbox.faults.api_error = 1.0
    await told_to_look(town)
    await wait_out(town)
    assert [letter.direction for letter in await town.dead_letters()] == ["inbound"]

    town.sandbox.faults.api_error = 0.0
    assert await town.crew.drift.step()
    assert await town.dead_letters() == []
    await town.settle(deliveries=False)
    assert (await pending(town), await town.dead_letters()) == (0, [])


async def test_what_goes_on_failing_while_all_else_is_answered_stays_given_up_on(
    town: Town,
) -> None:
    await town.declare("Start")
    await town.settle()
    await town.sweep()
    await town.edit(title="Ours")
    town.sandbox.faults.api_error = 1.0
    await town.settle()
    for _ in range(5):
        town.clock.at += 60_000
        town.sandbox.faults.api_error = 0.0
        assert await town.crew.drift.step()
        town.sandbox.faults.api_error = 1.0
        await town.settle()
    (letter,) = await town.dead_letters()
    town.sandbox.faults.api_error = 0.0
    town.clock.at += 60_000
    assert await town.crew.drift.step()
    assert await town.dead_letters() == [letter]


async def test_a_refused_status_is_blocked_and_no_alarm(town: Town) -> None:
    town.sandbox.switches.unacknowledge = False
    await town.declare("Start")
    await town.settle()
    await town.act(status="acknowledged")
    await town.settle()
    await town.edit(status="open", title="Ours")
    await town.settle()
    assert (await town.there())["title"] == "Ours", "the refused field stops only itself"
    assert (await town.field("status")).blocked is not None
    assert await town.dead_letters() == []
    quiet = town.sandbox.requests
    await town.settle()
    assert town.sandbox.requests == quiet
    await town.act(status="resolved")
    await town.settle()
    assert (await town.here())[Field.STATUS] == "resolved", "either side's change frees it"


async def test_a_bad_token_suspends_and_mending_it_resumes(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    good = await town.token("wrong")
    await town.edit(title="Ours")
    await town.settle()
    assert (await town.integration()).state == "suspended"
    assert await town.dead_letters() == []
    assert not await town.crew.drift.step(), "it asks, and stays suspended"
    await town.token(good)
    assert (await town.integration()).state == "active"
    await town.settle()
    assert (await town.there())["title"] == "Ours"


async def test_what_was_decided_before_the_host_slept_is_decided_again(town: Town) -> None:
    """It went out when the host woke, over what had been edited there for minutes."""
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    await town.edit(status="mitigated", by="bob@acme.example")
    connector = town.crew.account.connector
    real = connector.write

    async def and_sleep(*given: Any, **named: Any) -> Any:
        connector.write = real  # type: ignore[method-assign]
        answer = await real(*given, **named)
        town.clock.at += 400_000
        await town.act(status="resolved")
        return answer

    connector.write = and_sleep  # type: ignore[method-assign]
    await town.crew.outbound.step()
    assert (await town.there())["title"] == "Ours"
    assert (await town.there())["status"] == "resolved"
    await wait_out(town)
    assert (await town.here())[Field.STATUS] == (await town.there())["status"] == "resolved"
    assert await town.dead_letters() == []


async def told_to_look(town: Town) -> None:
    """A delivery came that says nothing by itself: the incident has to be looked at."""
    external_id = await town.external_id()
    event = {
        "event_type": "incident.of_a_new_kind",
        "data": {"type": "incident", "id": external_id},
    }
    await town.db.run(
        inbox.put,
        integration_id="int_test",
        delivery_id="del_look",
        event_id="look",
        event_type="incident.of_a_new_kind",
        external_id=external_id,
        incident_key=None,
        body=orjson.dumps({"event": event | {"occurred_at": "2027-01-15T08:00:00Z"}}),
        now=town.clock(),
    )


async def pending(town: Town) -> int:
    return await town.db.read(inbox.count_pending, "int_test")


async def test_while_it_is_suspended_deliveries_wait_and_none_is_given_up_on(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.act(title="Theirs")
    await told_to_look(town)
    good = await town.token("wrong")
    for _ in range(20):
        town.clock.at += LONGEST_WAIT
        await town.settle(deliveries=False)
    assert (await town.integration()).state == "suspended"
    assert (await town.dead_letters(), await pending(town)) == ([], 1)

    await town.token(good)
    await town.settle(deliveries=False)
    assert await pending(town) == 0, "it goes on at once, not when its wait is over"
    assert (await town.here())[Field.TITLE] == "Theirs"


async def test_what_resumes_by_itself_has_no_wait_before_it(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await told_to_look(town)
    account = town.crew.account
    await account.suspend(Unauthorized("the token was refused"))
    await account.db.run(inbox.put_off, 2, until=Instant(town.clock.at + LONGEST_WAIT))
    assert await town.crew.drift.step()
    await town.settle(deliveries=False)
    assert await pending(town) == 0


async def test_an_incident_that_is_gone_there_stops_only_itself(town: Town) -> None:
    await town.declare("First")
    await town.declare("Second")
    await town.settle()
    await town.forget_there(1)
    await town.edit(1, title="Into the void")
    await town.edit(2, title="Heard")
    await town.settle()
    assert (await town.there(2))["title"] == "Heard"
    assert any("no longer synced" in (entry.text or "") for entry in await town.timeline(1))


async def test_a_crash_between_write_and_confirm(town: Town) -> None:
    """What the next daemon finds: a lease of nobody, and a write that nobody knows of."""
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")

    connector = town.crew.account.connector
    real = connector.write

    async def then_die(*given: object, **named: object) -> object:
        await real(*given, **named)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    connector.write = then_die  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        await town.crew.outbound.step()
    assert (await town.there())["title"] == "Ours"
    await town.act(title="Theirs, after")

    await town.reload()
    await town.settle()
    await town.sweep()
    assert (await town.there())["title"] == "Theirs, after"
    assert (await town.here())[Field.TITLE] == "Theirs, after"


async def test_deliveries_wait_for_a_write_in_doubt(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    await town.lose_the_answer_to("write")
    await town.act(status="acknowledged")
    while await town.sandbox.step():
        pass
    assert not await town.crew.inbound.step()
    await wait_out(town)
    assert (await town.here())[Field.STATUS] == "mitigated"


async def test_a_repeat_and_a_late_delivery_change_nothing(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    town.sandbox.faults.delivery_reorder = 1.0
    await town.act(status="acknowledged")
    await town.act(status="resolved")
    for _ in range(20):
        town.clock.at += 500
        await town.settle()
    assert town.sandbox.repeat(2) == 2
    await town.settle()
    assert (await town.here())[Field.STATUS] == "resolved"
    assert [e.new for e in await town.timeline() if e.field == "status"][-1] == "resolved"


async def test_a_bug_in_the_connector_costs_an_attempt_and_no_more(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    connector = town.crew.account.connector
    real = connector.fetch

    async def broken(external_id: str) -> object:
        raise KeyError("incident")

    connector.fetch = broken  # type: ignore[method-assign, assignment]
    assert await town.crew.outbound.step()
    connector.fetch = real  # type: ignore[method-assign]
    await wait_out(town)
    assert (await town.there())["title"] == "Ours"
    with pytest.raises(Unknown):
        await town.crew.account.ask(lambda: broken("x"))


async def test_nothing_stays_in_doubt(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    await town.lose_the_answer_to("write")
    await wait_out(town)
    assert await town.db.read(writes.unsettled, 1) == []


async def test_an_incident_of_another_database_is_never_taken_for_ours(town: Town) -> None:
    await town.trigger("An older INC-1", incident_key="imsync:INC-1")
    town.clock.at += 60_000
    await town.settle()
    await town.declare("Ours")
    await town.settle()
    assert {one["title"] for one in await town.all_there()} == {"An older INC-1", "Ours"}
    assert (await town.there())["title"] == "Ours"
    assert await town.dead_letters() == []


async def denied(*_: Any, **__: Any) -> Any:
    raise Refused("PagerDuty says 403 Access Denied (2010)", status=403, number=2010)


async def test_a_key_that_may_not_list_priorities_works_with_urgency_alone(town: Town) -> None:
    """Whatever came in or was to go out ended as a dead letter."""
    account = town.crew.account
    await town.db.run(keep_all, "int_test", Kind.PRIORITY, [], now=town.clock())
    account.priorities.clear()
    account.loaded, account.connector.list_priorities = False, denied  # type: ignore[method-assign]
    await town.declare("Ours", severity="SEV-3")
    await town.trigger("Theirs")
    await town.settle()
    await town.sweep()
    assert await town.titles() == ["Ours", "Theirs"]
    there = await town.there(1)
    assert (there["urgency"], there["priority"]) == ("low", None)
    assert await town.dead_letters() == []


async def test_a_key_that_may_not_look_for_people_stops_only_who_is_assigned(town: Town) -> None:
    """Nobody was paged: the incident was not created, for nobody could say who was to have it."""
    account = town.crew.account
    account.connector.look_up = account.connector.look_up_id = denied  # type: ignore[method-assign]
    await town.declare("Ours", by="ann@acme.example", assigned_to="ann@acme.example")
    await town.settle()
    assert (await town.there())["title"] == "Ours"
    await town.edit(by="ann@acme.example", status="mitigated")
    await town.settle()
    assert (await town.there())["status"] == "acknowledged"
    assert await town.dead_letters() == []
    assert "ann@acme.example" in ((await town.field("assigned_to")).blocked or "")
