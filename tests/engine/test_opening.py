"""What goes out as an integration is disabled, enabled, or its direction set."""

import pytest

from imsync.core.fields import Field
from imsync.engine import edits
from imsync.store import links
from tests.engine.test_by_hand import link
from tests.engine.test_faults import wait_out
from tests.engine.test_forecast import configured, foresee
from tests.store.rows import an_integration
from tests.town import Town

CLOSED = [{"sync_direction": "inbound"}, {"sync_direction": "none"}, {"enabled": False}]
OPEN = {"sync_direction": "bidirectional", "enabled": True}
each_way_to_close = pytest.mark.parametrize("closed", CLOSED, ids=lambda given: str(given))


@each_way_to_close
async def test_declared_while_closed_it_is_created_once_that_is_over(
    town: Town, closed: dict[str, object]
) -> None:
    await town.configure(**closed)
    await town.declare("Meanwhile")
    await town.settle()
    assert await town.all_there() == []
    assert (await town.sync_status())["waiting_for_a_service"] == 0

    shown = await foresee(town, configured(town, **OPEN))
    assert [(call.incident, call.request.method) for call in shown.calls] == [("INC-1", "POST")]
    await town.configure(**OPEN)
    await town.settle()
    assert await town.titles() == ["Meanwhile"]
    await town.configure(**closed)
    await town.configure(**OPEN)
    await town.settle()
    assert await town.titles() == ["Meanwhile"]


async def test_what_is_over_by_then_pages_nobody(town: Town) -> None:
    await town.configure(sync_direction="inbound")
    await town.declare("Meanwhile")
    await town.edit(status="resolved")
    await town.configure(**OPEN)
    await town.settle()
    assert await town.all_there() == []


async def test_what_was_declared_for_another_integration_stays_there(town: Town) -> None:
    await town.configure(enabled=False)
    named = {Field.TITLE: "For the other one"}
    await town.db.run(an_integration, "int_other", "other")
    await town.db.run(
        edits.declare,
        named,
        integration="other",
        organization_id=None,
        incident_type=None,
        by=None,
        now=town.clock(),
    )
    await town.configure(**OPEN)
    await town.settle()
    assert await town.all_there() == []


async def test_linked_by_hand_meanwhile_it_is_not_created_as_well(town: Town) -> None:
    await town.configure(sync_direction="inbound")
    await town.declare("Meanwhile")
    await link(town, await town.trigger("Meanwhile, there"))
    await town.configure(**OPEN)
    await town.settle()
    assert len(await town.all_there()) == 1


async def test_closing_ends_the_creations_that_are_queued(town: Town) -> None:
    """It was created there all the same, though nothing was to go out any more."""
    town.sandbox.faults.api_error = 1.0
    await town.declare("Queued")
    await town.settle()
    shown = await foresee(town, configured(town, sync_direction="inbound"))
    assert [(one.incident, one.because) for one in shown.still] == [
        ("INC-1", "it is no longer to be created")
    ]
    town.sandbox.faults.api_error = 0.0
    await town.configure(sync_direction="inbound")
    await wait_out(town)
    assert await town.all_there() == []
    await town.configure(**OPEN)
    await town.settle()
    assert await town.titles() == ["Queued"]


async def test_what_may_have_been_created_before_the_closing_is_found(town: Town) -> None:
    await town.declare("In doubt")
    await town.lose_the_answer_to("create")
    await town.configure(sync_direction="inbound")
    await town.sweep()
    assert await town.titles() == ["In doubt"]
    assert (await town.db.read(links.of_incident, 1))[0].state == "linked"
