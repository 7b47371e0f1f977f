"""Created there, once, whatever happens on the way: and what was edited on the way arrives."""

from dataclasses import replace

from imsync.core.fields import Field
from imsync.core.schedule import LONGEST_WAIT
from imsync.engine import dead_letters, linking
from imsync.errors import Unknown
from tests.town import Json, Town


async def wait_out(town: Town) -> None:
    town.clock.at += LONGEST_WAIT
    await town.settle()


async def act(town: Town, there: Json, **changes: object) -> None:
    """Edit an incident there that nobody here knows of yet."""
    body = {"incident": {"type": "incident_reference", **changes}}
    await town.call("PUT", f"/incidents/{there['id']}", body)


async def test_a_status_set_there_before_we_heard_of_the_creation_arrives(town: Town) -> None:
    """Seeds 331 and 872: what stood there when we looked was taken for what was created."""
    await town.declare()
    await town.lose_the_answer_to("create")
    (there,) = await town.all_there()
    await act(town, there, status="acknowledged")
    await wait_out(town)
    assert (await town.here())[Field.STATUS] == "mitigated"


async def test_what_only_an_attempt_that_never_landed_had_said_is_still_owed(town: Town) -> None:
    """Seed 911: the draft changed between two attempts; the first was taken as having landed."""
    user = town.user(-2)
    await town.declare(assigned_to=user["email"])
    connector = town.crew.account.connector
    real = connector.create

    async def unanswered(draft: object, *, actor: object) -> object:
        raise Unknown("no answer, and nothing was done")

    connector.create = unanswered  # type: ignore[method-assign, assignment]
    assert await town.crew.outbound.step()
    connector.create = real  # type: ignore[method-assign]
    policy = town.account["escalation_policies"][0]["name"]
    await town.edit(escalation_policy=policy)  # so that it is created without the person
    await wait_out(town)
    assert (await town.here())[Field.ASSIGNED_TO] == user["email"]
    assert (await town.there())["assignments"][0]["assignee"]["id"] == user["id"]


async def test_who_hears_of_the_creation_later_decides_nothing_again(town: Town) -> None:
    """Seed 538: the sweep had linked it; the next attempt to create it then began all over."""
    await town.declare(severity="SEV-2")
    await town.lose_the_answer_to("create")
    (there,) = await town.all_there()
    await act(town, there, urgency="low")
    await town.sweep()
    quiet = town.sandbox.writes
    await wait_out(town)
    assert (await town.there())["urgency"] == "low"
    assert town.sandbox.writes == quiet


async def test_someone_assigned_there_before_we_heard_of_the_creation_is_not_filled_in(
    town: Town,
) -> None:
    """Seed 320: what stood there was taken for what PagerDuty fills in, and written over."""
    users = town.account["users"]
    await town.declare()
    await town.lose_the_answer_to("create")
    (there,) = await town.all_there()
    reference = {"id": users[1]["id"], "type": "user_reference"}
    await act(town, there, assignments=[{"assignee": reference}])
    await town.edit(assigned_to=users[2]["email"])
    await wait_out(town)
    (conflict,) = await town.conflicts()
    assert conflict.field is Field.ASSIGNED_TO
    assert {conflict.platform.value, conflict.external.value} == {
        users[2]["email"],
        users[1]["id"],
    }


async def of_another_imsync(town: Town) -> None:
    """An hour before this database was made: by a staging host, say, or before a restore."""
    service = {"id": town.account["default_service"], "type": "service_reference"}
    body = {"type": "incident", "title": "Theirs", "service": service}
    await town.call("POST", "/incidents", {"incident": body | {"incident_key": "imsync:INC-1"}})
    await town.settle()
    town.clock.at += 3_600_000


async def titles_there(town: Town) -> list[str]:
    return sorted(one["title"] for one in await town.all_there())


async def test_an_open_incident_of_another_imsync_keeps_none_from_being_created(
    town: Town,
) -> None:
    """It was refused for the key of the other one, and nobody was paged."""
    await of_another_imsync(town)
    await town.declare("Ours")
    await town.settle()
    await town.sweep()
    assert await town.dead_letters() == []
    assert await titles_there(town) == ["Ours", "Theirs"]
    assert (await town.there())["title"] == "Ours"
    await town.act(title="Ours, edited there")
    await town.sweep()
    assert (await town.here())[Field.TITLE] == "Ours, edited there"


async def created_unheard(town: Town) -> None:
    """Nobody heard that the first key was refused, nor that the second was taken."""
    await town.declare("Ours")
    await town.lose_the_answer_to("create")
    town.clock.at += LONGEST_WAIT
    await town.lose_the_answer_to("create")
    assert await titles_there(town) == ["Ours", "Theirs"]


async def test_after_a_doubt_it_is_found_by_its_second_key_as_well(town: Town) -> None:
    await of_another_imsync(town)
    await created_unheard(town)
    await wait_out(town)
    assert await titles_there(town) == ["Ours", "Theirs"]
    assert (await town.there())["title"] == "Ours"


async def test_a_delivery_links_what_was_created_with_its_second_key(town: Town) -> None:
    await of_another_imsync(town)
    await created_unheard(town)
    while await town.sandbox.step() or await town.crew.inbound.step():
        pass
    assert await titles_there(town) == ["Ours", "Theirs"]
    town.clock.at += LONGEST_WAIT
    await town.settle()
    assert (await town.there())["title"] == "Ours"


# A service to be created in.


async def test_declared_without_a_service_it_waits_for_one_and_says_so(town: Town) -> None:
    service = town.account["default_service"]
    await town.configure(default_service=None)
    await town.declare()
    await town.declare("Over already", status="resolved")
    await town.settle()
    assert await town.all_there() == []
    assert await town.dead_letters() == []
    status = await town.sync_status()
    assert status["waiting_for_a_service"] == 1
    assert "1 incident waits for a service" in status["problems"][0]

    await town.configure(default_service=service)
    await town.settle()
    (there,) = await town.all_there()
    assert there["title"] == "Checkout down"
    assert (await town.sync_status())["healthy"]


async def test_what_may_have_been_created_is_looked_for_in_the_service_it_was_asked_of(
    town: Town,
) -> None:
    elsewhere = town.account["services"][1]["id"]
    await town.declare()
    await town.lose_the_answer_to("create")
    await town.configure(default_service=elsewhere)
    await wait_out(town)
    (there,) = await town.all_there()
    assert there["incident_key"] == "imsync:INC-1"
    assert (await town.field("title")).base.external == "Checkout down"


async def test_a_dead_letter_is_tried_again_only_after_a_look(town: Town) -> None:
    """Created unheard and resolved there since: its key may be used again, so it would be two."""
    await town.declare()
    await town.lose_the_answer_to("create")
    (there,) = await town.all_there()
    await act(town, there, status="resolved")
    town.sandbox.faults.api_error = 1.0
    for _ in range(8):
        await wait_out(town)
    town.sandbox.faults.api_error = 0.0
    for letter in await town.dead_letters():
        await town.db.run(dead_letters.retry, letter.id, now=town.clock())
    await wait_out(town)
    assert len(await town.all_there()) == 1
    assert await town.dead_letters() == []
    assert (await town.here())[Field.STATUS] == "resolved"


async def test_what_cannot_be_read_of_what_appeared_says_why_it_stands_still(town: Town) -> None:
    """Where a field has a value of its own to begin with, it was taken for agreed upon."""
    there = await town.trigger()
    found = await town.crew.account.connector.fetch(there)
    fields = {Field.TITLE: "", Field.STATUS: "snoozed", Field.SEVERITY: "critical"}
    found = replace(found, fields={**found.fields, **fields})
    integration = await town.integration()
    await town.db.run(linking.appeared, integration, found, by=None, now=town.clock())
    here = await town.here()
    assert [here[field] for field in fields] == ["(no title)", "open", "SEV-3"]
    for field, value in fields.items():
        state = await town.field(field)
        assert state.blocked, field
        assert value in state.blocked
