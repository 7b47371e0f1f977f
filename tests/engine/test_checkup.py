"""`im integration test`: each line is well, or says what to do."""

from imsync.connectors.base import Check
from imsync.core.maps import Pairs
from imsync.engine import checkup, maps, services
from imsync.errors import Unauthorized
from imsync.store import value_maps
from tests.town import Town


async def check_up(town: Town) -> dict[str, Check]:
    async def sleep(_: float) -> object:
        return await town.sandbox.step()

    found = await checkup.check_up(town.crew.account, root=None, sleep=sleep)
    assert all(one.ok or one.hint for one in found)
    return {one.name: one for one in found}


async def test_all_is_well(town: Town) -> None:
    found = await check_up(town)
    assert {name for name, one in found.items() if not one.ok} == set()
    assert {"reach", "credentials", "clock", "from", "service", "priorities"} <= found.keys()


async def test_a_mapped_service_that_is_not_there(town: Town) -> None:
    integration, now = await town.integration(), town.clock()
    await town.db.run(services.add, integration, "PGONE", "infrastructure", now=now)
    found = await check_up(town)
    assert not found["service"].ok
    assert found["service"].detail == "PagerDuty has no service PGONE"


async def test_a_priority_in_the_map_that_is_no_longer_there(town: Town) -> None:
    names = {"SEV-1": "P1", "SEV-2": "P2", "SEV-3": "P3", "SEV-4": "P4"}
    await town.db.run(
        maps.set_map, await town.integration(), "priority", Pairs(names), now=town.clock()
    )
    assert (await check_up(town))["priorities"].ok
    names["SEV-4"] = "P9"
    await town.db.run(value_maps.replace, "int_test", "priority", Pairs(names), now=town.clock())
    found = await check_up(town)
    assert "names P9, which the account does not have" in found["priorities"].detail


async def test_without_a_service_it_says_so_and_resumes_all_the_same(town: Town) -> None:
    await town.configure(default_service=None)
    await town.crew.account.suspend(Unauthorized("a wrong key"))
    found = await check_up(town)
    assert not found["service"].ok
    assert (await town.integration()).state == "active"


async def test_what_it_cannot_do_without_keeps_it_suspended(town: Town) -> None:
    await town.crew.account.suspend(Unauthorized("a wrong key"))
    town.sandbox.faults.api_error = 1.0
    assert not (await check_up(town))["reach"].ok
    assert (await town.integration()).state == "suspended"
