"""What the log tells: whose edit was the later one, and what our writes covered unseen."""

from dataclasses import replace
from typing import Any

import pytest

from imsync.core.fields import Field, Instant, Side
from imsync.core.merge import Strategy
from imsync.engine import log_feed
from tests.engine.test_faults import wait_out
from tests.town import ALICE, Town, town_of


async def test_the_later_edit_wins_by_when_it_was_made_not_by_when_it_was_seen(
    town: Town,
) -> None:
    await town.declare("Start")
    await town.settle()
    await town.act(title="There")
    await town.edit(title="Here")
    await town.edit(title="Start")
    await town.settle()
    await town.sweep()
    assert (await town.here())[Field.TITLE] == (await town.there())["title"] == "Start"
    (conflict,) = await town.conflicts()
    assert (conflict.external.value, conflict.winner) == ("There", Side.PLATFORM)


async def test_an_edit_of_a_resolved_incident_is_found(town: Town) -> None:
    """Found by random edits under faults: no webhook tells of it, and no list of open ones."""
    await town.declare("Start")
    await town.settle()
    await town.act(status="resolved")
    await town.settle()
    town.clock.at += 60_000
    await town.sweep()
    await town.act(title="Named in hindsight")
    town.sandbox.faults.api_error = 1.0
    assert not await town.crew.drift.step(), "what could not be looked at is looked at later"
    town.sandbox.faults.api_error = 0.0
    await town.sweep()
    assert (await town.here())[Field.TITLE] == "Named in hindsight"


async def test_what_our_own_write_did_on_its_way_is_no_edit_of_theirs(town: Town) -> None:
    """Acknowledging a resolved incident triggers it anew first: one write, three lines."""
    await town.declare("Start")
    await town.settle()
    await town.edit(status="resolved")
    await town.settle()
    town.clock.at += 60_000
    await town.sweep()
    await town.edit(status="mitigated")
    await town.settle()
    for _ in range(3):
        town.clock.at += 60_000
        await town.sweep()
    assert (await town.here())[Field.STATUS] == "mitigated"
    assert (await town.there())["status"] == "acknowledged"
    assert await town.conflicts() == []


async def test_what_our_own_write_did_on_its_way_is_not_taken_for_the_next_one(town: Town) -> None:
    """Found by the simulation: a write that never arrived was believed to have opened it again."""
    await town.declare("Start")
    await town.settle()
    await town.edit(status="resolved")
    await town.settle()
    town.clock.at += 60_000
    await town.edit(status="mitigated")
    await town.settle()
    await town.edit(status="open")
    await town.lose_the_answer_to("write", fault="api_error")
    await wait_out(town)
    assert (await town.here())[Field.STATUS] == "open"
    assert (await town.there())["status"] == "triggered"


async def test_a_delivery_from_the_future_freezes_nothing(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    town.clock.at += 10_000
    await town.act(status="acknowledged")
    real = town.crew.account.translation.parse

    def ahead(body: bytes, *, offset: int) -> Any:
        return real(body, offset=offset - 3_600_000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(town.crew.account.translation), "parse", lambda _, b, **k: ahead(b, **k))
        await town.settle()
    assert (await town.here())[Field.STATUS] == "mitigated"
    town.clock.at += 10_000
    await town.act(title="Renamed there")
    await town.sweep()
    assert (await town.here())[Field.TITLE] == "Renamed there"


async def test_a_value_of_parts_is_as_old_as_what_made_it_whole(town: Town) -> None:
    """Found by random histories (23754): it was taken for as old as its other part.

    The look left before the edit that it showed.
    """
    await town.declare("Start", severity="SEV-1")
    await town.settle()
    connector, id_ = town.crew.account.connector, await town.external_id()
    town.clock.at += 10_000
    await town.act(urgency="low")
    town.clock.at += 10_000
    left = town.clock()
    await town.act(priority="P2")
    shown = replace(await connector.fetch(id_), as_of=left)
    lines = await connector.log(id_, Instant(left - 60_000))
    told = await town.db.read(log_feed.dated, shown, lines, "int_test")
    assert shown.fields[Field.SEVERITY] == "low P2"
    assert told.set_at[Field.SEVERITY] >= left - 999


async def cover(town: Town, title: str, by: str | None = None) -> None:
    """Somebody edits the title there between our look and our write."""
    connector = town.crew.account.connector
    real = connector.write

    async def just_before(*given: Any, **named: Any) -> Any:
        body = {"incident": {"type": "incident_reference", "title": title}}
        await town.call("PUT", f"/incidents/{await town.external_id()}", body, by=by)
        return await real(*given, **named)

    connector.write = just_before  # type: ignore[method-assign]
    assert await town.crew.outbound.step()
    connector.write = real  # type: ignore[method-assign]


@pytest.mark.parametrize("milliseconds", [True, False])
async def test_an_edit_that_our_write_covered_is_found_and_decided(milliseconds: bool) -> None:
    async with town_of() as town:
        town.sandbox.switches.log_entry_milliseconds = milliseconds
        await town.connect()
        await town.declare("Start")
        await town.settle()
        town.clock.at += 10_000
        await town.edit(title="Ours")
        await cover(town, "Covered")
        assert (await town.there())["title"] == "Ours"
        await town.sweep()
        await town.sweep()
        (conflict,) = await town.conflicts()
        assert conflict.external.value == "Covered"
        assert conflict.platform.value == "Ours"
        assert (await town.here())[Field.TITLE] == (await town.there())["title"]
        if milliseconds:
            assert (await town.there())["title"] == "Covered", "theirs was later: it is put back"


@pytest.mark.parametrize("theirs", ["Theirs", "Start"], ids=["new", "as it was"])
async def test_an_edit_that_a_late_first_attempt_covered_is_found(town: Town, theirs: str) -> None:
    """Found by random histories (16607): our retry, their edit, and then our first attempt."""
    await town.declare("Start")
    await town.settle()
    town.clock.at += 10_000
    town.sandbox.faults.delivery_drop = 1.0
    await town.edit(title="Slow")
    await town.lose_the_answer_to("write", fault="api_unheard")
    town.clock.at += 5_000
    await town.settle()
    assert (await town.there())["title"] == "Slow"
    for title in (theirs, "Slow"):
        town.clock.at += 5_000
        await town.act(title=title)
    await town.sweep()
    assert (await town.there())["title"] == (await town.here())[Field.TITLE] == "Slow"
    assert [one.external.value for one in await town.conflicts()] == [theirs]


async def test_whom_we_act_for_is_covered_like_anybody_else(town: Town) -> None:
    """Found by the simulation (seed 127): an edit there by the one on whose behalf we wrote."""
    await town.declare("Start")
    await town.settle()
    town.clock.at += 10_000
    await town.edit(title="Ours", by=ALICE)
    await cover(town, "Covered", by=ALICE)
    await town.sweep()
    (conflict,) = await town.conflicts()
    assert conflict.external.value == "Covered"


async def test_under_manual_review_a_covered_edit_is_offered_and_freezes_nothing() -> None:
    async with town_of() as town:
        await town.connect(conflict_strategy=Strategy.MANUAL_REVIEW)
        await town.declare("Start")
        await town.settle()
        await town.edit(title="Ours")
        await cover(town, "Covered")
        await town.sweep()
        (conflict,) = await town.conflicts()
        assert (conflict.status, conflict.winner) == ("resolved", Side.PLATFORM)
        assert "covered" in conflict.because
        await town.edit(title="Onwards")
        await town.settle()
        assert (await town.there())["title"] == "Onwards"


async def test_what_we_saw_and_what_we_wrote_ourselves_is_no_covered_edit(town: Town) -> None:
    await town.declare("Start", severity="SEV-3")
    await town.settle()
    await town.act(title="Seen")
    await town.sweep()
    await town.edit(title="Ours", severity="SEV-1")
    await town.settle()
    await cover_nothing(town)
    await town.sweep()
    assert await town.conflicts() == []


async def cover_nothing(town: Town) -> None:
    """Somebody sets just what we are writing."""
    await town.edit(title="Ours too")
    await cover(town, "Ours too")
