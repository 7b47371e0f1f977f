"""Value maps as people set them: in force at once, and refused where they break a law."""

from collections.abc import Mapping
from typing import Any

import pytest

from imsync.core.fields import Field, Value
from imsync.core.maps import Pairs
from imsync.engine import maps
from imsync.errors import NotFound, Refused, UserError
from tests.town import Town


async def set_map(
    town: Town,
    name: str,
    out: Mapping[str, str] | None = None,
    back: Mapping[str, str] | None = None,
) -> None:
    pairs = Pairs(out or {}, back or {})
    await town.db.run(maps.set_map, await town.integration(), name, pairs, now=town.clock())


@pytest.mark.parametrize(
    ("name", "out", "back", "shown"),
    [
        ("urgency", {"SEV-2": "low"}, {}, "'high' reads as 'SEV-2', which is written as 'low'"),
        ("urgency", {}, {"low": "SEV-1"}, "'low' reads as 'SEV-1', which is written as 'high'"),
        ("status", {"open": "acknowledged"}, {"acknowledged": "resolved"}, "'acknowledged' reads"),
        ("priority", {}, {"P1": "SEV-3"}, "'high P1' reads as 'SEV-3', which is written as"),
        ("priority", {"SEV-1": "none"}, {}, "no way to take a priority away"),
    ],
)
async def test_a_map_that_breaks_a_law_is_refused_with_the_values_that_show_it(
    town: Town, name: str, out: Mapping[str, str], back: Mapping[str, str], shown: str
) -> None:
    with pytest.raises(UserError, match="would not come out even") as caught:
        await set_map(town, name, out, back)
    assert shown in str(caught.value)
    _, _, default = await town.db.read(maps.shown, await town.integration(), name)
    assert default, "nothing was changed"


@pytest.mark.parametrize(
    ("name", "out", "back", "said"),
    [
        ("urgency", {"SEV-9": "high"}, {}, "'SEV-9' is not one of SEV-1, SEV-2, SEV-3, SEV-4"),
        ("urgency", {"SEV-1": "urgent"}, {}, "'urgent' is not one of high, low"),
        ("priority", {"SEV-1": "P9"}, {}, "'P9' is not one of P1, P2, P3, P4, P5, none"),
        ("status", {}, {"triggered": "ajar"}, "'ajar' is not one of open, mitigated"),
    ],
)
async def test_a_value_that_is_none_is_named_with_those_there_are(
    town: Town, name: str, out: Mapping[str, str], back: Mapping[str, str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        await set_map(town, name, out, back)


async def test_a_map_that_is_none(town: Town) -> None:
    with pytest.raises(NotFound, match="no map 'colour'") as caught:
        await set_map(town, "colour", {"red": "blue"})
    assert "urgency, priority, status" in caught.value.hint


async def test_urgencies_and_priorities_of_ones_own(town: Town) -> None:
    await set_map(town, "urgency", {"sev-3": "HIGH"}, {"low": "SEV-4", "high": "SEV-3"})
    await set_map(town, "priority", {"SEV-1": "p2"}, {"P1": "SEV-1", "P2": "SEV-1"})
    await town.declare(severity="SEV-1")
    await town.declare("Another", severity="SEV-3")
    await town.settle()
    there = await town.there()
    assert (there["urgency"], there["priority"]["summary"]) == ("high", "P2")
    assert (await town.there(2))["urgency"] == "high"
    await town.act(2, priority="P1")
    await town.settle()
    assert (await town.here(2))[Field.SEVERITY] == "SEV-1"
    await town.sweep()
    assert await town.conflicts() == []


async def test_priorities_left_alone(town: Town) -> None:
    await set_map(town, "priority", dict.fromkeys(("SEV-1", "SEV-2", "SEV-3", "SEV-4"), "none"))
    await town.declare(severity="SEV-1")
    await town.settle()
    there = await town.there()
    assert (there["urgency"], there["priority"]) == ("high", None)
    await town.edit(severity="SEV-4")
    await town.settle()
    assert (await town.there())["urgency"] == "low"
    assert (await town.here())[Field.SEVERITY] == "SEV-4"


async def test_statuses_of_ones_own(town: Town) -> None:
    """Here nobody is paged for what is open: it counts as taken from the start."""
    await set_map(
        town, "status", {"open": "acknowledged"}, {"triggered": "open", "acknowledged": "open"}
    )
    # mitigated is written as acknowledged too, and kept.
    await town.declare()
    await town.settle()
    assert (await town.there())["status"] == "acknowledged"
    assert (await town.here())[Field.STATUS] == "open"
    await town.edit(status="mitigated")
    await town.settle()
    await town.sweep()
    assert (await town.here())[Field.STATUS] == "mitigated"


async def test_a_map_set_anew_moves_nothing_that_stands(town: Town) -> None:
    await town.declare(severity="SEV-3")
    await town.settle()
    quiet = town.sandbox.writes
    await set_map(town, "urgency", {"SEV-3": "high"}, {"low": "SEV-4"})
    await town.settle()
    await town.sweep()
    assert town.sandbox.writes == quiet
    assert (await town.here())[Field.SEVERITY] == "SEV-3"


async def test_what_had_no_counterpart_is_tried_again_under_the_new_map(town: Town) -> None:
    """It stood still until either side was edited, though the map had been mended for it."""
    await town.declare(severity="SEV-1")
    await town.settle()
    connector = town.crew.account.connector
    real = connector.write

    async def knows_no_p3(external_id: str, values: Mapping[Field, Value], **how: Any) -> Any:
        if "P3" in str(values):
            raise Refused("Priority Not Found", status=400)
        return await real(external_id, values, **how)

    connector.write = knows_no_p3  # type: ignore[method-assign, assignment]
    await town.edit(severity="SEV-3")
    await town.settle()
    (letter,) = await town.dead_letters()
    assert (letter.field, (await town.field("severity")).blocked) == (
        "severity",
        "Priority Not Found",
    )
    await set_map(town, "priority", {"SEV-3": "P4", "SEV-4": "P5"}, {"P4": "SEV-3", "P5": "SEV-4"})
    await town.settle()
    assert (await town.there())["priority"]["summary"] == "P4"
    assert await town.dead_letters() == []
