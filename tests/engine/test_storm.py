"""A storm: many links written with few requests, and one bad one among them stops only itself."""

import pytest

from imsync.connectors.base import Page
from imsync.core.fields import Field
from imsync.core.schedule import LONGEST_WAIT
from imsync.engine import storm
from imsync.engine.outbound import LEASE
from imsync.errors import Refused
from imsync.store import outbox
from tests.town import Town

COUNT = 3 * storm.LEAST


@pytest.fixture
async def many(town: Town) -> Town:
    """So many incidents on both sides, and nothing owed."""
    for n in range(COUNT):
        await town.declare(f"Incident {n}", severity="SEV-3")
    await town.settle(rounds=20 * COUNT)
    return town


async def titles_there(town: Town) -> list[str]:
    return sorted(str(one["title"]) for one in await town.all_there())


async def rename_all(town: Town) -> None:
    for n in range(1, COUNT + 1):
        await town.edit(n, title=f"Renamed {n:02}")


async def test_many_changes_cost_few_requests(many: Town) -> None:
    await rename_all(many)
    for n in range(1, COUNT + 1):
        await many.edit(n, severity="SEV-1")
    before = many.sandbox.requests
    await many.settle(deliveries=False)
    assert many.sandbox.requests - before == 2, "a list of a hundred, and one bulk write"
    assert {one["urgency"] for one in await many.all_there()} == {"high"}
    assert await titles_there(many) == [f"Renamed {n:02}" for n in range(1, COUNT + 1)]
    await many.settle(rounds=20 * COUNT)
    await many.sweep()
    assert await many.conflicts() == []
    assert (await many.field("title", 3)).base.platform == "Renamed 03"


async def test_a_few_go_singly(many: Town) -> None:
    for n in range(1, storm.LEAST):
        await many.edit(n, title="Renamed")
    before = many.sandbox.requests
    await many.settle(deliveries=False)
    assert many.sandbox.requests - before == 2 * (storm.LEAST - 1)


async def test_one_that_is_refused_is_found_by_halving_and_the_others_are_written(
    many: Town,
) -> None:
    many.sandbox.switches.unacknowledge = False
    await many.act(5, status="acknowledged")
    await many.settle()
    await rename_all(many)
    await many.edit(5, status="open")
    await many.settle(rounds=40 * COUNT)
    assert await titles_there(many) == [f"Renamed {n:02}" for n in range(1, COUNT + 1)]
    status = await many.field("status", 5)
    assert status.blocked is not None
    assert (await many.there(5))["status"] == "acknowledged"
    assert await many.dead_letters() == []


async def test_what_was_edited_there_meanwhile_is_decided_like_any_other(many: Town) -> None:
    await rename_all(many)
    many.clock.at += 2_000
    await many.act(7, title="Theirs, later")
    many.clock.at += 2_000
    await many.settle(rounds=20 * COUNT)
    assert (await many.here(7))[Field.TITLE] == "Theirs, later"
    (conflict,) = await many.conflicts()
    assert conflict.platform.value == "Renamed 07"


async def test_what_was_resolved_there_goes_singly(many: Town) -> None:
    await many.act(9, status="resolved")
    await rename_all(many)
    await many.settle(rounds=20 * COUNT)
    assert (await many.there(9))["title"] == "Renamed 09"
    assert (await many.here(9))[Field.STATUS] == "resolved"


async def test_edits_of_several_people_are_written_as_each(many: Town) -> None:
    for n in range(1, COUNT + 1):
        by = "bob@acme.example" if n % 2 else "carol@acme.example"
        await many.edit(n, status="mitigated", by=by)
    before = many.sandbox.requests
    await many.settle(deliveries=False)
    assert many.sandbox.requests - before <= 5, "who they are, a list, and a bulk write each"
    for n, name in ((1, "Bob Chen"), (2, "Carol Diaz")):
        (one,) = (await many.there(n))["acknowledgements"]
        assert one["acknowledger"]["summary"] == name


@pytest.mark.parametrize("fault", ["api_error", "api_error_after", "api_malformed", "api_429"])
async def test_a_storm_that_fails_loses_nothing(many: Town, fault: str) -> None:
    await rename_all(many)
    setattr(many.sandbox.faults, fault, 0.5)
    for _ in range(3):
        many.clock.at += LONGEST_WAIT
        await many.settle(rounds=60 * COUNT)
    setattr(many.sandbox.faults, fault, 0.0)
    for _ in range(3):
        many.clock.at += LONGEST_WAIT
        await many.settle(rounds=60 * COUNT)
    assert await titles_there(many) == [f"Renamed {n:02}" for n in range(1, COUNT + 1)]
    assert await many.conflicts() == []


async def test_a_partial_answer_leaves_the_rest_in_doubt_and_it_is_settled(many: Town) -> None:
    many.sandbox.switches.bulk_partly = True
    many.sandbox.switches.unacknowledge = False
    await many.act(5, status="acknowledged")
    await many.settle()
    await rename_all(many)
    await many.edit(5, status="open")
    for _ in range(3):
        await many.settle(rounds=60 * COUNT)
        many.clock.at += LONGEST_WAIT
    assert await titles_there(many) == [f"Renamed {n:02}" for n in range(1, COUNT + 1)]


async def test_a_lease_that_nobody_came_back_with_runs_out(many: Town) -> None:
    await many.edit(1, title="Renamed")
    claim = await many.db.run(outbox.claim, "int_test", now=many.clock(), lease=LEASE)
    assert claim is not None
    await many.sweep()
    assert (await many.there(1))["title"] == "Incident 0"
    many.clock.at += LEASE
    await many.sweep()
    assert (await many.there(1))["title"] == "Renamed"


async def test_where_nothing_may_be_listed_each_goes_singly(many: Town) -> None:
    """The refusal ended the loop, and with it the daemon."""

    async def refused(start: int = 0) -> Page:
        raise Refused("PagerDuty says 402 to GET /incidents", status=402)

    many.crew.account.connector.list_open = refused  # type: ignore[method-assign]
    await rename_all(many)
    await many.settle(rounds=20 * COUNT)
    assert await titles_there(many) == [f"Renamed {n:02}" for n in range(1, COUNT + 1)]
    assert await many.dead_letters() == []
