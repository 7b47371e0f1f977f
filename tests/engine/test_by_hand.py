"""Links that people make and undo: what is refused, what is decided, and what is left alone."""

import pytest

from imsync.core.fields import Field
from imsync.engine import by_hand, review
from imsync.errors import Clash, NotFound, Refused
from imsync.store import integrations, kept_back, links, outbox, services
from imsync.store.links import Link
from tests.town import ALICE, Town


async def link(town: Town, external_id: str, number: int = 1) -> Link:
    """As the API does it: look there, then link in one unit of work."""
    snapshot = await by_hand.look(town.crew.account, external_id)
    integration = await town.integration()
    return await town.db.run(
        by_hand.link, number, integration, snapshot, by=ALICE, now=town.clock()
    )


async def unlink(town: Town, number: int = 1) -> Link:
    integration = await town.integration()
    return await town.db.run(by_hand.unlink, number, integration, by=ALICE, now=town.clock())


async def declare_alone(town: Town, title: str = "Checkout down", **values: str) -> int:
    """An incident that is linked nowhere."""
    await town.db.run(integrations.change, "int_test", {"enabled": False}, now=town.clock())
    number = await town.declare(title, **values)
    await town.db.run(integrations.change, "int_test", {"enabled": True}, now=town.clock())
    await town.db.run(kept_back.clear, "int_test")
    return number


async def stands_alone(town: Town, title: str = "Disk full", **more: object) -> str:
    """An incident there that nobody here has heard of."""
    await town.configure(sync_direction="none")
    external_id = await town.trigger(title, **more)
    await town.settle()
    await town.configure(sync_direction="bidirectional")
    return external_id


async def is_linked(town: Town, number: int = 1) -> bool:
    return await town.db.read(links.between, "int_test", number) is not None


async def kinds(town: Town, number: int = 1) -> list[tuple[str, str | None]]:
    return [(line.kind, line.by) for line in await town.timeline(number)]


# Linking.


async def test_two_that_were_strangers_are_kept_in_step_from_then_on(town: Town) -> None:
    external_id = await stands_alone(town)
    await declare_alone(town, "Disk full", severity="SEV-2")

    made = await link(town, external_id)

    assert (made.state, made.external_id) == ("linked", external_id)
    assert ("linked", ALICE) in await kinds(town)
    await town.settle()
    await town.edit(title="Disk full on db-1")
    await town.settle()
    assert (await town.there())["title"] == "Disk full on db-1"
    await town.act(status="acknowledged")
    await town.settle()
    assert (await town.here())[Field.STATUS] == "mitigated"
    assert len(await town.all_there()) == 1


async def test_who_was_last_is_told_by_the_log_not_by_when_we_looked(town: Town) -> None:
    external_id = await stands_alone(town, "Theirs, early")
    town.clock.at += 60_000
    await declare_alone(town, "Ours, later")
    town.clock.at += 60_000
    body = {"incident": {"type": "incident_reference", "urgency": "low"}}
    await town.call("PUT", f"/incidents/{external_id}", body)
    town.clock.at += 60_000

    await link(town, external_id)
    await town.settle()

    there = await town.there()
    assert there["title"] == "Ours, later", "nobody has edited theirs since it was created"
    assert (await town.here())[Field.SEVERITY] == "SEV-3"
    assert there["urgency"] == "low", "they were last"
    lost = {one.field: one for one in await town.conflicts()}
    assert lost[Field.TITLE].external.value == "Theirs, early"


async def test_what_one_side_has_left_open_is_the_others_to_fill_in(town: Town) -> None:
    """Nobody had assigned ours, and that was no edit that could win over an assignment."""
    external_id = await stands_alone(town)
    town.clock.at += 60_000
    await declare_alone(town, "Disk full")

    await link(town, external_id)
    await town.settle()

    assignee = (await town.there())["assignments"][0]["assignee"]["id"]
    emails = {user["id"]: user["email"] for user in town.account["users"]}
    assert (await town.here())[Field.ASSIGNED_TO] == emails[assignee]
    assert Field.ASSIGNED_TO not in {one.field for one in await town.conflicts()}


async def test_what_somebody_emptied_on_purpose_is_an_edit(town: Town) -> None:
    external_id = await stands_alone(town)
    await declare_alone(town, "Disk full", assigned_to=town.user(1)["email"])
    town.clock.at += 60_000
    await town.edit(assigned_to=None)
    await town.configure(conflict_strategy="manual-review")

    await link(town, external_id)

    assert Field.ASSIGNED_TO in {one.field for one in await town.conflicts()}


async def test_under_manual_review_what_differs_waits_for_a_person(town: Town) -> None:
    external_id = await stands_alone(town, "Theirs")
    await declare_alone(town, "Ours", severity="SEV-2")
    await town.configure(conflict_strategy="manual-review")

    await link(town, external_id)
    await town.settle()

    pending = [one for one in await town.conflicts() if one.status == "pending"]
    assert [(one.platform.value, one.external.value) for one in pending] == [("Ours", "Theirs")]
    assert (await town.here())[Field.TITLE] == "Ours"
    assert (await town.there())["title"] == "Theirs"


async def test_an_incident_there_may_be_named_by_its_number(town: Town) -> None:
    external_id = await stands_alone(town)
    await declare_alone(town)
    assert (await link(town, "1")).external_id == external_id


async def test_what_is_not_there_cannot_be_linked(town: Town) -> None:
    await declare_alone(town)
    with pytest.raises(NotFound, match="there is no incident 'QNOWHERE' in prod-pd"):
        await link(town, "QNOWHERE")
    assert not await is_linked(town)


async def test_neither_side_is_ever_linked_twice(town: Town) -> None:
    await town.declare("First")
    await town.settle()
    first = await town.external_id(1)
    other = await stands_alone(town)
    await declare_alone(town, "Second")

    with pytest.raises(Clash, match=f"INC-1 is linked to {first} already") as caught:
        await link(town, other, number=1)
    assert "im unlink INC-1 --integration prod-pd" in caught.value.hint
    with pytest.raises(Clash, match=f"{first} is linked to INC-1 already") as caught:
        await link(town, first, number=2)
    assert "im unlink INC-1 --integration prod-pd" in caught.value.hint


async def test_what_was_created_for_another_is_that_ones(town: Town) -> None:
    """Linked away, the other would have found it by its key, and failed on the second link."""
    await town.declare("First")
    await town.lose_the_answer_to("create")
    (there,) = await town.all_there()
    await declare_alone(town, "Second")
    with pytest.raises(Clash, match="was created for INC-1"):
        await link(town, there["id"], number=2)


async def test_one_that_was_left_alone_is_so_no_longer(town: Town) -> None:
    elsewhere = town.account["services"][1]["id"]
    await town.db.run(services.put, "int_test", "PMAPPED", "infrastructure", now=town.clock())
    service = {"id": elsewhere, "type": "service_reference"}
    body = {"incident": {"type": "incident", "title": "Elsewhere", "service": service}}
    external_id = (await town.call("POST", "/incidents", body))["incident"]["id"]
    await town.settle()
    assert (await town.sync_status())["left_alone"] == 1
    await declare_alone(town)

    await link(town, external_id)

    assert (await town.sync_status())["left_alone"] == 0


# Unlinking.


async def test_unlinking_leaves_both_as_they_are_and_says_so(town: Town) -> None:
    await town.declare()
    await town.settle()
    external_id = await town.external_id()

    undone = await unlink(town)

    assert (undone.state, undone.external_id) == ("unlinked", external_id)
    assert not await is_linked(town)
    line = (await town.timeline())[-1]
    assert (line.kind, line.by) == ("note", ALICE)
    assert "no longer synced" in (line.text or "")
    writes = town.sandbox.writes
    await town.edit(title="Ours alone")
    body = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
    await town.call("PUT", f"/incidents/{external_id}", body)
    await town.sweep()
    assert (await town.here())[Field.STATUS] == "open"
    assert town.sandbox.writes == writes + 1, "the one of the person there"


async def test_what_was_unlinked_is_not_taken_in_by_itself_again(town: Town) -> None:
    external_id = await town.trigger("Disk full")
    await town.settle()
    await unlink(town)

    body = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
    await town.call("PUT", f"/incidents/{external_id}", body)
    await town.settle()
    await town.sweep()
    await town.reload()
    await town.sweep()

    assert (await town.here()).id == 1
    with pytest.raises(NotFound):
        await town.here(2)


async def test_linking_it_again_ends_that(town: Town) -> None:
    external_id = await town.trigger("Disk full")
    await town.settle()
    await unlink(town)
    await declare_alone(town, "Another")

    await link(town, external_id, number=2)
    await town.settle()

    assert await town.external_id(2) == external_id
    assert (await town.here(2))[Field.TITLE] == (await town.there(2))["title"]
    await unlink(town, 2)
    again = await link(town, external_id, number=1)
    assert again.state == "linked", "and back to whom it was"


async def test_what_was_owed_is_forgotten_also_what_was_given_up_on(town: Town) -> None:
    await town.declare()
    await town.settle()
    town.sandbox.faults.api_error = 1.0
    await town.edit(title="Never sent")
    for _ in range(8):
        await town.crew.outbound.step()
        town.clock.at += 3_600_000
    assert await town.dead_letters()
    await town.edit(title="Never sent either")
    town.sandbox.faults.api_error = 0.0

    undone = await unlink(town)

    assert await town.dead_letters() == []
    assert await town.db.read(outbox.owed, undone.id) == {}
    writes = town.sandbox.writes
    await town.settle()
    assert town.sandbox.writes == writes


async def test_its_pending_conflicts_are_closed_saying_so(town: Town) -> None:
    external_id = await stands_alone(town, "Theirs")
    await declare_alone(town, "Ours", severity="SEV-2")
    await town.configure(conflict_strategy="manual-review")
    await link(town, external_id)

    await unlink(town)

    (conflict,) = await town.conflicts()
    assert (conflict.status, conflict.resolved_by) == ("ignored", ALICE)
    assert "unlinked INC-1" in conflict.because
    assert (await town.sync_status())["conflicts"] == 0


async def test_what_lost_before_can_still_be_brought_back(town: Town) -> None:
    await town.declare("First")
    await town.settle()
    await town.configure(conflict_strategy="ownership-priority")
    await town.act(title="Theirs")
    await town.edit(title="Ours")
    await town.settle()
    (conflict,) = await town.conflicts()
    await unlink(town)
    await town.db.run(review.restore, conflict.id, by=ALICE, now=town.clock())
    assert (await town.here())[Field.TITLE] == "Theirs"


async def test_one_that_is_yet_to_be_created_is_not_created_any_more(town: Town) -> None:
    await town.declare()
    await unlink(town)
    await town.settle()
    assert await town.all_there() == []


async def test_one_that_was_created_unheard_is_nobodys_and_can_be_linked(town: Town) -> None:
    await town.declare()
    await town.lose_the_answer_to("create")
    await unlink(town)
    await town.settle()
    await town.sweep()
    assert not await is_linked(town)
    (there,) = await town.all_there()
    assert (await link(town, there["id"])).state == "linked"


async def test_in_the_middle_of_being_created_is_no_time_to_unlink(town: Town) -> None:
    await town.declare()
    await town.db.run(outbox.claim, "int_test", now=town.clock(), lease=60_000)
    with pytest.raises(Clash, match="is being created in prod-pd at this moment"):
        await unlink(town)


async def test_a_write_that_was_on_its_way_then_changes_nothing_here(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.edit(title="On its way")
    connector = town.crew.account.connector
    real = connector.write

    async def unlinked_meanwhile(*given: object, **named: object) -> object:
        answer = await real(*given, **named)  # type: ignore[arg-type]
        await unlink(town)
        return answer

    connector.write = unlinked_meanwhile  # type: ignore[method-assign, assignment]
    before = await town.here()
    assert await town.crew.outbound.step()
    connector.write = real  # type: ignore[method-assign]
    await town.settle()
    assert (await town.here()).edits == before.edits
    assert await town.dead_letters() == []
    assert (await town.sync_status())["pending"] == 0


async def test_a_write_that_is_refused_then_is_no_dead_letter(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.edit(title="On its way")
    connector = town.crew.account.connector
    real = connector.write

    async def refused_meanwhile(*given: object, **named: object) -> object:
        await unlink(town)
        raise Refused("no", status=400)

    connector.write = refused_meanwhile  # type: ignore[method-assign, assignment]
    assert await town.crew.outbound.step()
    connector.write = real  # type: ignore[method-assign]
    assert await town.dead_letters() == []
    assert (await town.sync_status())["blocked"] == 0


async def test_what_is_not_linked_cannot_be_unlinked(town: Town) -> None:
    await declare_alone(town)
    with pytest.raises(NotFound, match="INC-1 is not linked in prod-pd") as caught:
        await unlink(town)
    assert caught.value.hint == "it is linked nowhere"
    with pytest.raises(NotFound, match="INC-9"):
        await unlink(town, 9)


async def test_one_that_is_gone_there_can_be_unlinked_and_linked_to_another(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.forget_there(1)
    await town.edit(title="Nobody there")
    await town.settle()
    await unlink(town)
    other = await stands_alone(town, "Checkout down")
    assert (await link(town, other)).state == "linked"
