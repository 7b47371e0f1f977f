"""Notes both ways: each stands on the other side once, and what comes back is no news."""

import pytest

from imsync.core.fields import Field
from imsync.core.schedule import LONGEST_WAIT
from imsync.engine import configure, dead_letters, edits
from imsync.engine.sending import Sender
from imsync.errors import Refused, Unavailable
from imsync.store import inbox, incidents, outbox
from tests.engine.test_faults import wait_out
from tests.town import Json, Town


async def note(town: Town, text: str, *, by: str | None = "alice@acme.example") -> None:
    await town.db.run(edits.note, 1, text, by=by, now=town.clock())


async def notes_there(town: Town) -> list[tuple[str, str]]:
    """Who wrote what, oldest first."""
    found: list[Json] = (await town.call("GET", f"/incidents/{await town.external_id()}/notes"))[
        "notes"
    ]
    ordered = sorted(found, key=lambda one: str(one["created_at"]))
    return [(str(one["user"]["summary"]), str(one["content"])) for one in ordered]


async def notes_here(town: Town) -> list[str | None]:
    return [one.text for one in await town.timeline() if one.kind == "note"]


@pytest.fixture
async def linked(town: Town) -> Town:
    await town.declare()
    await town.settle()
    return town


async def test_a_note_here_is_a_note_there_by_whoever_wrote_it(linked: Town) -> None:
    await note(linked, "Rolled back to 1.4.2")
    await linked.settle()
    assert await notes_there(linked) == [("Alice Martin", "Rolled back to 1.4.2")]
    assert await notes_here(linked) == ["Rolled back to 1.4.2"], "its webhook is no news"
    await linked.sweep()
    assert len(await notes_there(linked)) == 1


async def test_someone_unknown_there_is_named_in_the_note(linked: Town) -> None:
    await note(linked, "From outside", by="eve@elsewhere.example")
    await note(linked, "From nobody", by=None)
    await linked.settle()
    assert sorted(await notes_there(linked)) == [
        ("imsync", "From nobody"),
        ("imsync", "eve@elsewhere.example: From outside"),
    ]
    assert len(await notes_here(linked)) == 2


async def test_a_note_there_is_a_note_here_and_does_not_go_back(linked: Town) -> None:
    path = f"/incidents/{await linked.external_id()}/notes"
    await linked.call("POST", path, {"note": {"content": "Seen in Frankfurt"}})
    quiet = linked.sandbox.writes
    await linked.settle()
    assert await notes_here(linked) == ["Seen in Frankfurt"]
    assert linked.sandbox.writes == quiet


async def test_a_note_that_is_edited_there_stays_as_it_was_said(linked: Town) -> None:
    """No webhook and no log tells of the edit; the note has been told, and is told once."""
    path = f"/incidents/{await linked.external_id()}/notes"
    added = await linked.call("POST", path, {"note": {"content": "Seen in Frankfurt"}})
    await linked.settle()
    edited = {"note": {"content": "Seen in Dublin"}}
    await linked.call("PUT", f"{path}/{added['note']['id']}", edited)
    await linked.settle()
    await linked.sweep()
    assert await notes_here(linked) == ["Seen in Frankfurt"]
    assert [text for _, text in await notes_there(linked)] == ["Seen in Dublin"]


async def test_a_note_on_an_incident_that_nobody_told_us_of_brings_both(town: Town) -> None:
    """Found by the simulation: it was answered 202 and dropped; no log and no look tells of it."""
    town.sandbox.faults.delivery_drop = 1.0
    external_id = await town.trigger("Disk full")
    await town.settle()
    town.sandbox.faults.delivery_drop = 0.0
    path = f"/incidents/{external_id}/notes"
    await town.call("POST", path, {"note": {"content": "Seen in Frankfurt"}})
    await town.settle()
    assert (await town.here())[Field.TITLE] == "Disk full"
    assert await notes_here(town) == ["Seen in Frankfurt"]


async def test_a_note_that_comes_before_its_incident_which_is_over_by_then(town: Town) -> None:
    """Seed 2729: it was nobody's when it came, and was not told when its incident came at last."""
    faults = town.sandbox.faults
    faults.delivery_delay = faults.delivery_reorder = 1.0
    faults.delivery_delay_ms = 3_600_000
    external_id = await town.trigger("Short one")
    await town.settle()
    resolved = {"incident": {"type": "incident_reference", "status": "resolved"}}
    await town.call("PUT", f"/incidents/{external_id}", resolved)
    await town.settle()
    faults.delivery_delay = faults.delivery_reorder = 0.0
    note = {"note": {"content": "Seen in Frankfurt"}}
    await town.call("POST", f"/incidents/{external_id}/notes", note)
    await town.settle()
    assert await town.titles() == []
    town.clock.at += 3_600_000
    await town.settle()
    assert (await town.here())[Field.TITLE] == "Short one"
    assert await notes_here(town) == ["Seen in Frankfurt"]
    assert [text for _, text in await notes_there(town)] == ["Seen in Frankfurt"]


async def test_a_note_on_what_we_have_just_created_and_do_not_know_of_yet(town: Town) -> None:
    await town.declare()
    await town.lose_the_answer_to("create")
    (made,) = await town.all_there()
    await town.call("POST", f"/incidents/{made['id']}/notes", {"note": {"content": "What is it?"}})
    await town.settle()
    await wait_out(town)
    assert await notes_here(town) == ["What is it?"]
    assert [text for _, text in await notes_there(town)] == ["What is it?"]


async def test_a_note_whose_answer_was_lost_is_not_written_twice(linked: Town) -> None:
    await note(linked, "Once")
    await linked.lose_the_answer_to("put_note")
    assert len(await notes_there(linked)) == 1
    await wait_out(linked)
    assert len(await notes_there(linked)) == 1
    assert await notes_here(linked) == ["Once"]


async def test_its_webhook_is_applied_while_it_is_tried_again(linked: Town) -> None:
    """Found by the simulation: it was taken for somebody else's, and written once more."""
    await note(linked, "Once")
    await linked.lose_the_answer_to("put_note")
    assert await linked.sandbox.step(), "its webhook is on its way"
    delivery = await linked.db.run(inbox.take, "int_test", now=linked.clock())
    assert delivery is not None
    linked.clock.at += LONGEST_WAIT
    claim = await linked.db.run(
        outbox.claim, "int_test", now=linked.clock(), lease=60_000, creates=True
    )
    assert claim is not None
    await linked.crew.inbound.apply(delivery)
    await Sender(linked.crew.account).deliver(claim)
    await linked.settle()
    assert len(await notes_there(linked)) == 1
    assert await notes_here(linked) == ["Once"]


async def test_the_same_said_twice_is_two_notes(linked: Town) -> None:
    await note(linked, "Still down")
    await linked.settle()
    await note(linked, "Still down")
    await linked.lose_the_answer_to("put_note")
    await wait_out(linked)
    assert len(await notes_there(linked)) == 2
    assert len(await notes_here(linked)) == 2


async def test_what_was_noted_before_it_was_created_there_follows(town: Town) -> None:
    await town.declare()
    await note(town, "Before")
    await town.settle()
    assert [text for _, text in await notes_there(town)] == ["Before"]


async def test_so_does_what_was_noted_in_another_account(town: Town) -> None:
    """It came before this account had the incident, and is shown here like any other."""
    await town.db.run(
        configure.create, "int_other",
        {"name": "Staging", "token": "t", "sync_direction": "inbound"},
        integration_type="pagerduty", webhook_secret=None, now=town.clock(),
    )  # fmt: skip
    await town.declare()
    await town.db.run(
        incidents.tell, 1, at=town.clock(), kind="note", by=None, text="Seen in staging",
        integration_id="int_other", external_id="PNOTE1",
    )  # fmt: skip
    await town.settle()
    assert [text for _, text in await notes_there(town)] == ["Seen in staging"]


@pytest.mark.parametrize("settings", [{"sync_notes": False}, {"sync_direction": "inbound"}])
async def test_notes_that_are_not_to_go(linked: Town, settings: dict[str, object]) -> None:
    await linked.configure(**settings)
    await note(linked, "Between us")
    await linked.settle()
    assert await notes_there(linked) == []


async def test_what_joins_a_last_attempt_is_not_given_up_on_with_it(linked: Town) -> None:
    linked.sandbox.faults.api_error = 1.0
    await linked.edit(title="Tried for long")
    for _ in range(4):
        await linked.settle()
        linked.clock.at += LONGEST_WAIT
    await note(linked, "Written just now")
    await linked.settle()
    assert [letter.field for letter in await linked.dead_letters()] == ["title"]
    linked.sandbox.faults.api_error = 0.0
    linked.clock.at += LONGEST_WAIT
    await linked.settle()
    assert [text for _, text in await notes_there(linked)] == ["Written just now"]


async def test_what_has_arrived_is_not_given_up_on_with_what_has_not(linked: Town) -> None:
    connector = linked.crew.account.connector

    async def fails(*given: object, **named: object) -> object:
        raise Unavailable("no notes today")

    connector.put_note = fails  # type: ignore[method-assign, assignment]
    await note(linked, "Never")
    for _ in range(4):
        await linked.settle()
        linked.clock.at += LONGEST_WAIT
    await linked.edit(title="Arrives with the last attempt")
    await linked.settle()
    assert [letter.field_name for letter in await linked.dead_letters()] == ["note"]
    assert (await linked.there())["title"] == "Arrives with the last attempt"
    assert (await linked.field("title")).blocked is None


async def test_a_note_that_is_refused_is_a_dead_letter_and_can_be_tried_again(
    linked: Town,
) -> None:
    connector = linked.crew.account.connector
    real = connector.put_note

    async def refuses(*given: object, **named: object) -> object:
        raise Refused("2000 notes are enough", status=400)

    connector.put_note = refuses  # type: ignore[method-assign, assignment]
    await note(linked, "One too many")
    await linked.edit(title="Goes on")
    await linked.settle()
    (letter,) = await linked.dead_letters()
    assert (letter.field, letter.body) == ("note:5", "One too many")
    assert (await linked.there())["title"] == "Goes on"
    connector.put_note = real  # type: ignore[method-assign]
    await linked.db.run(dead_letters.retry, letter.id, now=linked.clock())
    await linked.settle()
    assert [text for _, text in await notes_there(linked)] == ["One too many"]
