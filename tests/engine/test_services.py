"""Services mapped to incident types, both ways; what fits none is left alone and counted."""

from dataclasses import replace

import pytest

from imsync.core.fields import Field
from imsync.engine import routing, services
from imsync.errors import NotFound, UserError
from tests.town import Town


async def add(town: Town, service_id: str, incident_type: str) -> None:
    await town.db.run(
        services.add, await town.integration(), service_id, incident_type, now=town.clock()
    )


def service(town: Town, index: int) -> str:
    return str(town.account["services"][index]["id"])


async def trigger_on(town: Town, service_id: str, title: str = "Disk full") -> str:
    reference = {"id": service_id, "type": "service_reference"}
    return await town.trigger(title, service=reference)


async def test_a_mapped_service_comes_in_as_its_type_and_others_are_left_alone(town: Town) -> None:
    await town.configure(default_service=service(town, 0))
    await add(town, service(town, 1), "infrastructure")
    await trigger_on(town, service(town, 1), "Mapped")
    await trigger_on(town, service(town, 2), "Not mapped")
    await trigger_on(town, service(town, 0), "Of the default service")
    await town.settle()
    here = [await town.here(number) for number in (1, 2)]
    assert [(one[Field.TITLE], one.incident_type) for one in here] == [
        ("Mapped", "infrastructure"),
        ("Of the default service", None),
    ]
    assert (await town.sync_status())["left_alone"] == 1
    await town.sweep()
    assert (await town.sync_status())["left_alone"] == 1, "the same one"

    await add(town, service(town, 2), "storage")
    await town.sweep()
    assert (await town.here(3)).incident_type == "storage"
    assert (await town.sync_status())["left_alone"] == 0


async def test_an_incident_goes_to_the_service_of_its_type(town: Town) -> None:
    await add(town, service(town, 2), "infrastructure")
    await town.declare("Typed", incident_type="Infrastructure")
    await town.declare("Untyped")
    await town.settle()
    assert (await town.there(1))["service"]["id"] == service(town, 2)
    assert (await town.there(2))["service"]["id"] == town.account["default_service"]


async def test_without_a_default_service_only_mapped_types_go(town: Town) -> None:
    await town.configure(default_service=None)
    await town.declare("Typed", incident_type="infrastructure")
    await town.declare("Untyped")
    await town.settle()
    assert (await town.sync_status())["waiting_for_a_service"] == 2
    await add(town, service(town, 1), "infrastructure")
    await town.settle()
    (there,) = await town.all_there()
    assert (there["title"], there["service"]["id"]) == ("Typed", service(town, 1))
    assert (await town.sync_status())["waiting_for_a_service"] == 1


async def test_a_type_with_two_services_goes_to_the_first(town: Town) -> None:
    await add(town, service(town, 2), "infrastructure")
    await add(town, service(town, 1), "infrastructure")
    await town.declare(incident_type="infrastructure")
    found = await town.db.read(routing.service_for, await town.integration(), 1)
    assert found == service(town, 2)


async def test_taken_back_it_leaves_what_is_linked(town: Town) -> None:
    await add(town, service(town, 1), "infrastructure")
    await trigger_on(town, service(town, 1))
    await town.settle()
    integration = await town.integration()
    removed = await town.db.run(services.remove, integration, 1, now=town.clock())
    assert removed.incident_type == "infrastructure"
    await town.edit(title="Still linked")
    await town.settle()
    assert (await town.there())["title"] == "Still linked"
    with pytest.raises(NotFound, match="no service mapping map_1"):
        await town.db.run(services.remove, integration, 1, now=town.clock())


@pytest.mark.parametrize("pair", [("", "x"), ("P1", " ")])
async def test_half_a_mapping_is_none(town: Town, pair: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="needs a service's id and an incident type"):
        await add(town, *pair)


async def test_moved_to_another_service_it_says_so_and_is_of_its_type(town: Town) -> None:
    await add(town, service(town, 1), "infrastructure")
    await town.declare()
    await town.settle()
    await town.move(await town.external_id(), service(town, 1))
    await town.settle()
    name = town.account["services"][1]["name"]
    assert [one.text for one in await town.timeline() if one.kind == "note"] == [
        f"moved to the service {name} in Production PagerDuty"
    ]
    assert (await town.here()).incident_type == "infrastructure"


async def test_moved_to_a_mapped_service_an_incident_comes_in(town: Town) -> None:
    await add(town, service(town, 1), "infrastructure")
    external_id = await trigger_on(town, service(town, 2))
    await town.settle()
    assert (await town.sync_status())["left_alone"] == 1
    await town.move(external_id, service(town, 1))
    await town.settle()
    assert (await town.here()).incident_type == "infrastructure"
    assert (await town.sync_status())["left_alone"] == 0


async def test_merged_there_it_is_resolved_here_and_says_into_what(town: Town) -> None:
    await town.declare("The source")
    await town.declare("The target")
    await town.settle()
    source, target = await town.external_id(1), await town.external_id(2)
    body = {"source_incidents": [{"id": source, "type": "incident_reference"}]}
    await town.call("PUT", f"/incidents/{target}/merge", body)
    await town.settle()
    here = await town.here(1)
    assert here[Field.STATUS] == "resolved"
    notes = [one.text for one in await town.timeline(1) if one.kind == "note"]
    assert notes == ["merged into INC-2 in Production PagerDuty"]
    await town.sweep()
    assert len([one for one in await town.timeline(1) if one.kind == "note"]) == 1


async def test_taken_by_somebody_before_we_heard_of_it(town: Town) -> None:
    external_id = await town.trigger()
    body = {"incident": {"type": "incident_reference", "status": "acknowledged"}}
    await town.call("PUT", f"/incidents/{external_id}", body)
    await town.settle()
    assert (await town.here())[Field.STATUS] == "mitigated"


async def test_moved_to_a_service_that_is_not_mapped_it_stays_linked(town: Town) -> None:
    await add(town, service(town, 1), "infrastructure")
    external_id = await trigger_on(town, service(town, 1))
    await town.settle()
    await town.move(external_id, service(town, 2))
    await town.settle()
    assert (await town.here()).incident_type == "infrastructure"
    name = town.account["services"][2]["name"]
    notes = [one.text for one in await town.timeline() if one.kind == "note"]
    assert notes == [f"moved to the service {name} in Production PagerDuty"]
    await town.edit(title="Followed there")
    await town.settle()
    assert (await town.there())["title"] == "Followed there"


async def test_merged_there_before_anybody_here_had_heard_of_either(town: Town) -> None:
    source, target = await town.trigger("The source"), await town.trigger("The target")
    body = {"source_incidents": [{"id": source, "type": "incident_reference"}]}
    await town.call("PUT", f"/incidents/{target}/merge", body)
    await town.settle()
    await town.sweep()
    found = {(await town.here(n))[Field.TITLE]: n for n in (1, 2)}
    merged = found["The source"]
    assert (await town.here(merged))[Field.STATUS] == "resolved"
    assert (await town.here(found["The target"]))[Field.STATUS] == "open"
    notes = [one.text for one in await town.timeline(merged) if one.kind == "note"]
    assert notes in (
        [f"merged into INC-{found['The target']} in Production PagerDuty"],
        [f"merged into {target} in Production PagerDuty"],
    )


@pytest.mark.parametrize(
    ("unheard", "known"), [("source", {"target": "open"}), ("target", {"source": "resolved"})]
)
async def test_merged_there_when_only_one_of_the_two_is_known_here(
    town: Town, unheard: str, known: dict[str, str]
) -> None:
    faults, made = town.sandbox.faults, dict[str, str]()
    for which in ("source", "target"):
        faults.delivery_drop = float(which == unheard)
        made[which] = await town.trigger(which)
        await town.settle()
    faults.delivery_drop = 0.0
    body = {"source_incidents": [{"id": made["source"], "type": "incident_reference"}]}
    await town.call("PUT", f"/incidents/{made['target']}/merge", body)
    await town.settle()
    here = await town.here(1)
    assert {here[Field.TITLE]: here[Field.STATUS]} == known
    notes = [one.text for one in await town.timeline(1) if one.kind == "note"]
    merged = f"merged into {made['target']} in Production PagerDuty"
    assert notes == ([merged] if unheard == "target" else [])
    await town.sweep()  # finds what is open and unknown, and not what is over
    assert await town.titles() == sorted({*known, "target"})
    assert (await town.sync_status())["healthy"]


async def test_snoozed_there_it_is_as_it_was_here(town: Town) -> None:
    """A snooze is PagerDuty's own affair; that it is over, and nobody has it any more, is not."""
    await town.declare()
    await town.settle()
    await town.act(status="acknowledged")
    await town.settle()
    writes, path = town.sandbox.writes, f"/incidents/{await town.external_id()}/snooze"
    await town.call("POST", path, {"duration": 3_600})
    await town.settle()
    await town.sweep()
    assert (await town.here())[Field.STATUS] == "mitigated"
    assert (await town.there())["status"] == "acknowledged"
    town.clock.at += 3_601_000
    await town.settle()
    assert (await town.here())[Field.STATUS] == "open"
    assert (await town.there())["status"] == "triggered"
    assert town.sandbox.writes - writes <= 1, "the snooze itself, and nothing of ours"


async def test_a_policy_that_was_renamed_there_is_known_by_its_new_name(town: Town) -> None:
    await town.declare()
    await town.settle()
    policies, before = town.sandbox._records.policies, (await town.here())[Field.ESCALATION_POLICY]
    renamed = next(one for one in policies if one.name == before)
    policies.put(replace(renamed, name="On call, renamed"))
    other = next(one for one in policies if one.id != renamed.id)
    await town.edit(escalation_policy=other.name)
    await town.settle()
    assert (await town.there())["escalation_policy"]["id"] == other.id
    await town.edit(escalation_policy="On call, renamed")
    await town.settle()
    assert (await town.there())["escalation_policy"]["id"] == renamed.id
    assert (await town.field("escalation_policy")).blocked is None
