"""What no webhook tells: polled from the log, swept for at an interval, stopped by the brake."""

from dataclasses import replace

import pytest

from imsync.connectors.base import Page
from imsync.core import brake
from imsync.core.fields import Field, Instant
from imsync.engine import configure, sweeping
from imsync.engine.sweeping import Met
from imsync.store import drift, links, writes
from tests.town import Town


async def poll(town: Town) -> int:
    """One step between two sweeps; how many requests it cost."""
    before = town.sandbox.requests
    assert await town.crew.drift.step()
    return town.sandbox.requests - before


@pytest.fixture
async def calm(town: Town) -> Town:
    """Two incidents on both sides, swept a moment ago; webhooks are lost from now on."""
    await town.declare("First")
    await town.declare("Second")
    await town.settle()
    await town.sweep()
    town.sandbox.faults.delivery_drop = 1.0
    return town


async def test_a_quiet_poll_costs_one_request(calm: Town) -> None:
    calm.clock.at += 20_000
    await poll(calm)
    calm.clock.at += 20_000
    assert await poll(calm) == 1


async def test_an_edit_is_found_by_a_poll_and_costs_a_look_at_that_incident(calm: Town) -> None:
    calm.clock.at += 20_000
    await poll(calm)
    await calm.act(2, title="Second, renamed")
    calm.clock.at += 20_000
    assert await poll(calm) == 2
    assert (await calm.here(2))[Field.TITLE] == "Second, renamed"
    assert (await calm.integration()).drift_healed == 1


async def test_whom_our_write_of_a_policy_assigned_is_found_by_a_poll(calm: Town) -> None:
    """Found by the simulation (8015): the log says it was us, so no poll looked; a sweep did."""
    for somebody in (calm.user(-1)["email"], "nobody@nowhere.example"):
        await calm.edit(assigned_to=somebody)
        await calm.settle()
    calm.clock.at += 20_000
    await poll(calm)
    assert (await calm.field("assigned_to")).blocked is not None
    there = calm.account["escalation_policies"]
    used = (await calm.there())["escalation_policy"]["id"]
    await calm.edit(escalation_policy=next(one["name"] for one in there if one["id"] != used))
    await calm.settle()
    assigned = (await calm.there())["assignments"][0]["assignee"]["id"]
    calm.clock.at += 20_000
    assert await poll(calm) > 1
    assert (await calm.field("assigned_to")).blocked is None
    emails = {user["id"]: user["email"] for user in calm.account["users"]}
    assert (await calm.here())[Field.ASSIGNED_TO] == emails[assigned]
    calm.clock.at += 20_000
    assert await poll(calm) == 1, "once it was looked at, it costs nothing"


async def test_an_incident_whose_webhook_was_lost_is_found_by_a_poll(calm: Town) -> None:
    calm.clock.at += 20_000
    external_id = await calm.trigger("Nobody told us")
    await poll(calm)
    assert (await calm.here(3))[Field.TITLE] == "Nobody told us"
    assert await calm.external_id(3) == external_id


async def test_a_sweep_is_due_after_its_interval_and_after_a_gap(calm: Town) -> None:
    swept = (await calm.integration()).last_sweep_at
    calm.clock.at += 20_000
    await poll(calm)
    assert (await calm.integration()).last_sweep_at == swept
    calm.clock.at += 300_000
    await poll(calm)
    later = (await calm.integration()).last_sweep_at
    assert later is not None
    assert later > (swept or 0)
    assert await calm.crew.drift.step(whole=True)
    assert (await calm.integration()).last_sweep_at != later


async def test_a_bell_that_rings_asks_for_a_sweep_and_time_alone_does_not(calm: Town) -> None:
    bell = calm.crew.drift.bell
    bell.ring()
    assert await bell.wait(1) is True
    assert await bell.wait(0) is False
    bell.stop()
    assert await bell.wait(1) is False


# The brake.


async def storm(town: Town, count: int) -> None:
    """So many incidents, all renamed there while nobody listened."""
    town.sandbox.rates.everything = 100_000
    town.sandbox.rates.post_incidents = 100_000
    for n in range(count):
        await town.trigger(f"Incident {n}")
    await town.settle(rounds=10 * count)
    await town.sweep()
    town.sandbox.faults.delivery_drop = 1.0
    for n in range(count):
        await town.act(n + 1, title=f"Renamed {n}")
    town.clock.at += 20_000


async def test_a_sweep_that_would_change_very_much_is_stopped_until_a_person_says_go(
    town: Town,
) -> None:
    count = brake.FEW + 2
    await storm(town, count)
    assert not await town.crew.drift.step(whole=True)
    assert (await town.here(1))[Field.TITLE] == "Incident 0"
    stopped = await town.db.read(drift.braked, "int_test")
    assert stopped is not None
    assert (stopped.would_change, stopped.met) == (count, count)
    (problem,) = (await town.sync_status())["problems"]
    assert problem == (
        f"a sweep was stopped: it would change {count} of {count} incidents:"
        " `im integration drift prod-pd`"
    )
    assert not await town.crew.drift.step(), "and it stays stopped"

    town.crew.drift.accepted = True
    assert await town.crew.drift.step(whole=True)
    assert (await town.here(count))[Field.TITLE] == f"Renamed {count - 1}"
    assert await town.db.read(drift.braked, "int_test") is None
    assert not town.crew.drift.accepted, "it was said of that sweep alone"


@pytest.mark.parametrize(
    ("changed", "met", "stops"),
    [
        (brake.FEW, brake.FEW, False),
        (brake.FEW + 1, brake.FEW + 1, True),
        (brake.FEW + 1, 10 * brake.FEW, False),
        (brake.MANY, 100 * brake.MANY, False),
        (brake.MANY + 1, 100 * brake.MANY, True),
    ],
)
def test_where_the_brake_is(changed: int, met: int, stops: bool) -> None:
    assert brake.stops(changed, met) is stops


async def test_what_was_there_before_is_imported_only_as_asked(town: Town) -> None:
    mapped = town.account["services"][1]["id"]
    reference = {"id": mapped, "type": "service_reference"}
    for title in ("Old", "Old and resolved"):
        await town.trigger(title)
    await town.trigger("Old, of another service", service=reference)
    for one in await town.all_there():
        if one["title"] == "Old and resolved":
            body = {"incident": {"type": "incident_reference", "status": "resolved"}}
            await town.call("PUT", f"/incidents/{one['id']}", body)
    town.clock.at += 60_000
    await town.db.run(configure.delete, "prod-pd", now=town.clock())
    await town.connect()
    await town.sweep()
    assert await town.titles() == []

    await town.configure(import_open="all")
    await town.sweep()
    assert await town.titles() == ["Old", "Old, of another service"]
    status = await town.sync_status()
    assert status["import"] == {"scope": "all", "open_there": 2, "linked": 2}
    quiet = town.sandbox.writes
    await town.settle()
    await town.sweep()
    assert town.sandbox.writes == quiet


async def test_what_a_late_delivery_declares_is_looked_at_by_the_next_poll(town: Town) -> None:
    """Found by the simulation (seed 128): it was over, renamed, and the log was read past that."""
    external_id = await town.trigger("Disk full")
    for changes in ({"status": "resolved"}, {"title": "Disk full of logs"}):
        body = {"incident": {"type": "incident_reference", **changes}}
        await town.call("PUT", f"/incidents/{external_id}", body)
    town.clock.at += 60_000
    assert await town.crew.drift.step(whole=True)
    assert await town.titles() == [], "nobody has told of it yet, and it is over"
    await town.settle()
    assert await town.titles() == ["Disk full"], "that is what it told of"
    town.clock.at += 60_000
    assert await town.crew.drift.step()
    assert await town.titles() == ["Disk full of logs"]
    requests = town.sandbox.requests
    assert await town.crew.drift.step()
    assert town.sandbox.requests == requests + 1, "looked at once"


# What is told to whoever waits for a sweep.


async def test_a_sweep_that_was_asked_for_tells_what_it_found(calm: Town) -> None:
    drift_ = calm.crew.drift
    await calm.act(2, title="Second, renamed")
    external_id = await calm.trigger("Nobody told us")
    drift_.ask_for_sweep(accept=False)
    asked = drift_.sweep
    assert (asked.state, asked.ended_at) == ("waiting", None)
    drift_.ask_for_sweep(accept=False)
    assert drift_.sweep is asked, "one sweep answers both who asked"
    assert await drift_.step(whole=True)
    assert drift_.sweep is asked
    assert (asked.state, asked.met, asked.drifted, asked.taken_in) == ("done", 3, 1, 1)
    assert asked.ended_at is not None
    assert await calm.external_id(3) == external_id
    assert await drift_.step()
    assert drift_.sweep is asked, "a poll is no sweep"


async def test_a_sweep_that_fails_says_why(calm: Town) -> None:
    calm.crew.drift.ask_for_sweep(accept=False)
    calm.sandbox.faults.api_error = 1.0
    assert not await calm.crew.drift.step(whole=True)
    failed = calm.crew.drift.sweep
    assert failed.state == "failed"
    assert failed.because == "PagerDuty says 500 Internal Error (2000) to GET /priorities"


async def test_a_sweep_of_a_suspended_integration_fails_and_says_so(calm: Town) -> None:
    await calm.token("wrong")
    assert not await calm.crew.drift.step(whole=True)
    assert "401 Authentication failed" in calm.crew.drift.sweep.because
    assert not await calm.crew.drift.step(whole=True)
    assert calm.crew.drift.sweep.because == "it is suspended, and its test does not pass"


async def test_what_is_accepted_while_a_sweep_is_under_way_is_the_next_one(
    calm: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    drift_, connector = calm.crew.drift, calm.crew.account.connector
    list_open = connector.list_open

    async def meanwhile(start: int = 0) -> Page:
        drift_.ask_for_sweep(accept=True)
        return await list_open(start)

    with monkeypatch.context() as patched:
        patched.setattr(connector, "list_open", meanwhile)
        assert await drift_.step(whole=True)
    assert (drift_.sweep.state, drift_.accepted) == ("waiting", True)
    assert await drift_.step(whole=True)
    assert (drift_.sweep.state, drift_.accepted) == ("done", False)


async def test_a_look_that_got_there_before_our_write_is_not_taken_for_an_edit(town: Town) -> None:
    """Found by the simulation (1148): it left after the write, and was answered before that."""
    await town.declare("Before")
    await town.settle()
    await town.edit(title="Ours")
    await town.settle()
    link = (await town.db.read(links.of_incident, 1))[0]
    sent, told = (await town.db.read(writes.last_landed, link.id))[Field.TITLE]
    external_id = await town.external_id()
    shown = await town.crew.account.connector.fetch(external_id)
    fields = {**shown.fields, Field.TITLE: "Before"}

    async def met(as_of: int) -> Met:
        early = replace(shown, fields=fields, as_of=Instant(as_of))
        edited = {external_id}
        return await town.db.run(sweeping.apply, "int_test", [early], edited, now=town.clock())

    for as_of in (sent, told):
        assert (await met(as_of)).left == 1, "the log is to be read again from where it was"
        assert (await town.here())[Field.TITLE] == "Ours"
    assert (await met(told + 1)).left == 0
    assert (await town.here())[Field.TITLE] == "Before", "that was an edit"
