"""Created there, once, whatever happens on the way: and what was edited on the way arrives."""

from imsync.core.fields import Field
from imsync.core.schedule import LONGEST_WAIT
from tests.town import Town


async def wait_out(town: Town) -> None:
    town.clock.at += LONGEST_WAIT
    await town.settle()


async def lose_the_answer_to_the_creation(town: Town) -> None:
    town.sandbox.faults.api_lost = 1.0
    assert await town.crew.outbound.step()
    town.sandbox.faults.api_lost = 0.0


async def test_a_status_set_there_before_we_heard_of_the_creation_arrives(town: Town) -> None:
    """Seeds 331 and 872: what stood there when we looked was taken for what was created."""
    await town.declare()
    await lose_the_answer_to_the_creation(town)
    (there,) = await town.all_there()
    changes = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
    await town.call("PUT", f"/incidents/{there['id']}", changes)
    await wait_out(town)
    assert (await town.here())[Field.STATUS] == "mitigated"


async def test_what_only_an_attempt_that_never_landed_had_said_is_still_owed(town: Town) -> None:
    """Seed 911: between two attempts the draft changed, and the first was taken as having landed."""
    user = town.user(-2)
    await town.declare(assigned_to=user["email"])
    town.sandbox.faults.api_error = 1.0
    assert await town.crew.outbound.step()
    town.sandbox.faults.api_error = 0.0
    policy = town.account["escalation_policies"][0]["name"]
    await town.edit(escalation_policy=policy)  # so that it is created without the person
    await wait_out(town)
    assert (await town.here())[Field.ASSIGNED_TO] == user["email"]
    assert (await town.there())["assignments"][0]["assignee"]["id"] == user["id"]
