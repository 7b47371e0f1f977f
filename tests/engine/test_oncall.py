"""Who is on call: asked once a minute, within its own limit, and from memory when it must be."""

import asyncio
from typing import Any

import pytest

from imsync.connectors.base import Operation
from imsync.engine import configure, oncall
from imsync.engine.oncall import FRESH, Desk
from imsync.errors import NotFound, Unauthorized, Unavailable
from imsync.sandbox.rows import Policy
from imsync.store.oncall import Roster
from tests.town import Town


@pytest.fixture
def desk(town: Town) -> Desk:
    return town.crew.desk


def schedule(town: Town, number: int = 0) -> str:
    return str(town.account["schedules"][number]["id"])


def policy(town: Town, name: str) -> str:
    found = town.account["escalation_policies"]
    return next(str(one["id"]) for one in found if one["name"] == name)


async def test_who_is_on_call_by_a_schedule(town: Town, desk: Desk) -> None:
    found = await desk.by_schedule(schedule(town))
    assert {(one.schedule, one.escalation_policy) for one in found.shifts} == {
        ("Primary on call", "Payments on call"),
        ("Primary on call", "Platform on call"),
    }
    for one in found.shifts:
        assert one.since is not None
        assert one.until is not None
        assert one.since <= found.checked_at < one.until
        assert one.email in {user["email"] for user in town.account["users"]}


@pytest.mark.parametrize("wanted", ["Management", "MANAGEMENT", None])
async def test_who_is_on_call_for_a_policy_by_its_name_or_id(
    town: Town, desk: Desk, wanted: str | None
) -> None:
    found = await desk.by_policy(wanted or policy(town, "Management"))
    assert [(one.level, one.user, one.since, one.until) for one in found.shifts] == [
        (1, "Dave Okafor", None, None),
        (2, "Alice Martin", None, None),
        (2, "Bob Chen", None, None),
    ]


async def test_an_answer_is_told_again_for_a_minute_and_no_longer(town: Town, desk: Desk) -> None:
    first = await desk.by_schedule(schedule(town))
    requests = town.sandbox.requests
    town.clock.at += FRESH - 1_000
    assert await desk.by_schedule(schedule(town)) == first
    assert town.sandbox.requests == requests
    town.clock.at += 2_000
    again = await desk.by_schedule(schedule(town))
    assert town.sandbox.requests == requests + 1
    assert again.checked_at > first.checked_at


async def test_each_schedule_and_policy_has_its_own_answer(town: Town, desk: Desk) -> None:
    one, two = [await desk.by_schedule(schedule(town, n)) for n in (0, 1)]
    three = await desk.by_policy("Management")
    assert len({str(found.shifts) for found in (one, two, three)}) == 3


async def test_an_answer_survives_a_restart(town: Town, desk: Desk) -> None:
    first = await desk.by_schedule(schedule(town))
    await town.reload()
    town.sandbox.faults.api_error = 1.0
    town.clock.at += 3_600_000
    assert await town.crew.desk.by_schedule(schedule(town)) == first


@pytest.mark.parametrize("fault", ["api_error", "api_429", "api_429_bare", "api_malformed"])
async def test_when_it_cannot_be_asked_the_last_answer_is_told(
    town: Town, desk: Desk, fault: str
) -> None:
    first = await desk.by_policy("Management")
    town.clock.at += 300_000
    setattr(town.sandbox.faults, fault, 1.0)
    assert await desk.by_policy("management") == first
    setattr(town.sandbox.faults, fault, 0.0)
    town.clock.at += 300_000
    assert (await desk.by_policy("Management")).checked_at > first.checked_at


async def test_without_an_answer_that_it_cannot_be_asked_is_the_answer(
    town: Town, desk: Desk
) -> None:
    town.sandbox.faults.api_error = 1.0
    with pytest.raises(Unavailable):
        await desk.by_schedule(schedule(town))


async def test_a_token_that_is_not_good_is_told_and_not_hidden(town: Town, desk: Desk) -> None:
    await desk.by_schedule(schedule(town))
    town.clock.at += FRESH
    await town.token("u+wrong")
    with pytest.raises(Unauthorized):
        await town.crew.desk.by_schedule(schedule(town))


async def test_nobody_is_kept_waiting_for_a_newer_answer(
    town: Town, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await desk.by_schedule(schedule(town))
    town.clock.at += FRESH
    monkeypatch.setattr(oncall, "_PATIENCE", 0.0)

    async def never(**_: object) -> Any:
        await asyncio.Event().wait()

    town.crew.account.connector.on_call = never  # type: ignore[method-assign]
    assert await desk.by_schedule(schedule(town)) == first


async def test_its_own_limit_is_obeyed_and_stops_nothing_else(town: Town, desk: Desk) -> None:
    """The sandbox lets these be asked half as often as all else, and says so."""
    first = await desk.by_schedule(schedule(town))
    town.sandbox.rates.get_oncalls = 1
    town.clock.at += FRESH + 1_000
    second = await desk.by_schedule(schedule(town))
    assert second.checked_at > first.checked_at
    limiter = town.crew.account.limiter
    assert limiter.closed_for(Operation.ON_CALL) > 0
    assert limiter.closed_for() == 0, "the sync goes on"

    requests = town.sandbox.requests
    assert (await desk.by_schedule(schedule(town, 0))) == second
    with pytest.raises(Unavailable, match="is used up for another") as caught:
        await desk.by_schedule(schedule(town, 1))
    assert caught.value.hint == "try again then"
    assert town.sandbox.requests == requests


async def test_those_who_ask_at_once_share_one_answer(town: Town, desk: Desk) -> None:
    requests = town.sandbox.requests
    found = await asyncio.gather(*(desk.by_schedule(schedule(town)) for _ in range(20)))
    assert len({roster.checked_at for roster in found}) == 1
    assert town.sandbox.requests == requests + 1


async def test_nobody_is_on_call(town: Town, desk: Desk) -> None:
    """A schedule that no policy uses is not being on call."""
    records = town.sandbox._records
    with records.unit():
        for row in list(records.policies):
            levels = [[town.user(1)["id"]]]
            records.policies.put(Policy(row.id, row.name, levels))
    found = await desk.by_schedule(schedule(town))
    assert isinstance(found, Roster)
    assert found.shifts == []


async def test_a_schedule_that_is_none_lists_those_there_are(town: Town, desk: Desk) -> None:
    for wanted in ("PNOPE", "Primary on call", "../users", "..", "x" * 300):
        with pytest.raises(NotFound, match="no schedule") as caught:
            await desk.by_schedule(wanted)
        assert f"{schedule(town)} (Primary on call)" in caught.value.hint


async def test_a_policy_that_is_none_lists_those_there_are(town: Town, desk: Desk) -> None:
    with pytest.raises(NotFound, match="no escalation policy 'Nobody'") as caught:
        await desk.by_policy("Nobody")
    assert "(Management)" in caught.value.hint


async def test_what_there_is_cannot_be_listed_and_it_is_not_found_all_the_same(
    town: Town, desk: Desk
) -> None:
    async def down(*_: object) -> Any:
        raise Unavailable("503")

    town.crew.account.connector.list_names = down  # type: ignore[method-assign, assignment]
    with pytest.raises(NotFound) as caught:
        await desk.by_schedule("PNOPE")
    assert caught.value.hint == "look for its id in PagerDuty"


async def test_a_policy_that_was_made_anew_under_its_name_is_found(town: Town, desk: Desk) -> None:
    await desk.by_policy("Management")
    records = town.sandbox._records
    with records.unit():
        old = next(row for row in records.policies if row.name == "Management")
        records.policies.drop(old.id)
        records.policies.put(Policy("PANEW12", "Management", [[town.user(1)["id"]]]))
    town.clock.at += FRESH
    found = await desk.by_policy("Management")
    assert [one.user for one in found.shifts] == ["Alice Martin"]


async def test_a_schedule_that_was_deleted_is_no_longer_told_from_memory(
    town: Town, desk: Desk
) -> None:
    id_ = schedule(town)
    await desk.by_schedule(id_)
    records = town.sandbox._records
    with records.unit():
        for row in list(records.policies):
            records.policies.put(Policy(row.id, row.name, [[town.user(1)["id"]]]))
        records.schedules.drop(id_)
    town.clock.at += FRESH
    for _ in range(2):
        with pytest.raises(NotFound):
            await desk.by_schedule(id_)


async def test_another_account_has_other_people(town: Town, desk: Desk) -> None:
    first = await desk.by_schedule(schedule(town))
    token = (await town.integration()).token
    await town.db.run(
        configure.change, "int_test", {"token": token}, webhook_secret=None, now=town.clock()
    )
    assert (await desk.by_schedule(schedule(town))).checked_at > first.checked_at


async def test_the_first_level_is_told_first_in_whatever_order_it_comes(
    town: Town, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = town.crew.account.connector.on_call

    async def backwards(**which: str) -> Any:
        return list(reversed(await told(**which)))

    monkeypatch.setattr(town.crew.account.connector, "on_call", backwards)
    found = await desk.by_policy("Management")
    assert [one.level for one in found.shifts] == [1, 2, 2]
