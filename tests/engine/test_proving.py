"""A ping proves the way; the lines of a test say where it ends."""

import pytest

from imsync.connectors.base import Check
from imsync.engine import installing, proving
from imsync.errors import Unavailable
from imsync.store import integrations
from imsync.store.database import Connection
from tests.engine import hooks
from tests.town import Town


async def checked(town: Town, *, root: str | None = None) -> dict[str, Check]:
    async def sleep(_: float) -> None:
        await town.sandbox.step()

    found = await proving.checks(town.crew.account, root=root, sleep=sleep)
    assert all(check.ok or check.hint for check in found)
    return {check.name: check for check in found}


def failed(found: dict[str, Check]) -> list[str]:
    return [name for name, check in found.items() if not check.ok]


@pytest.fixture
async def ours(town: Town) -> Town:
    await installing.rotate(town.crew.account, None)
    return town


async def test_all_is_well(ours: Town) -> None:
    found = await checked(ours)
    assert list(found) == ["subscription", "deliveries", "address", "signature"]
    assert failed(found) == []
    assert "made by imsync" in found["subscription"].detail
    assert "rightly signed" in found["signature"].detail


async def test_one_made_by_hand_is_as_good(town: Town) -> None:
    found = await checked(town)
    assert failed(found) == []
    assert "made by hand" in found["subscription"].detail


async def test_none_leads_here(ours: Town) -> None:
    for id_ in await hooks.ids(ours):
        await hooks.delete(ours, id_)
    found = await checked(ours)
    assert list(found) == failed(found) == ["subscription"]
    assert "webhook install prod-pd" in found["subscription"].hint


async def test_it_delivers_nothing(ours: Town) -> None:
    (id_,) = await hooks.ids(ours)
    await hooks.switch_off(ours, id_)
    found = await checked(ours)
    assert failed(found) == ["deliveries"]
    assert "webhook enable prod-pd" in found["deliveries"].hint


async def test_its_secret_is_another(ours: Town) -> None:
    await ours.db.run(integrations.set_secret, "int_test", "another", now=ours.clock())
    found = await checked(ours)
    assert failed(found) == ["signature"]
    assert "a delivery with a wrong signature" in found["signature"].detail
    assert "webhook rotate prod-pd" in found["signature"].hint


async def test_its_secret_is_not_known_and_no_ping_is_sent(ours: Town) -> None:
    def forget(conn: Connection) -> None:
        conn.execute("DELETE FROM webhook_secrets")

    await ours.db.run(forget)
    found = await checked(ours)
    assert failed(found) == ["signature"]
    assert ours.sandbox.deliveries_made == 0


async def test_the_ping_gets_lost(ours: Town) -> None:
    ours.sandbox.faults.delivery_drop = 1.0
    found = await checked(ours)
    assert failed(found) == ["signature"]
    assert "no ping arrived within 10 s" in found["signature"].detail
    assert ours.webhook_url in found["signature"].hint


@pytest.mark.parametrize(("lost", "unwell"), [(0.0, []), (1.0, ["address", "signature"])])
async def test_another_name_of_this_host_is_no_failure_as_long_as_pings_arrive(
    ours: Town, lost: float, unwell: list[str]
) -> None:
    ours.sandbox.faults.delivery_drop = lost
    assert failed(await checked(ours, root="https://imsync.example")) == unwell


async def test_a_key_that_may_not_is_no_failure(ours: Town) -> None:
    await ours.token(ours.sandbox.read_only_token)
    found = await checked(ours)
    assert failed(found) == []
    assert "may not send a ping" in found["signature"].detail


async def test_a_pagerduty_that_is_down_is_one(ours: Town) -> None:
    ours.sandbox.faults.api_error = 1.0
    found = await checked(ours)
    assert list(found) == failed(found) == ["subscription"]


async def test_another_delivery_is_not_taken_for_the_ping(ours: Town) -> None:
    """One that is about no incident either, and one that nobody understands."""
    await ours.trigger()
    ours.sandbox.faults.delivery_drop = 1.0
    account = ours.crew.account
    (id_,) = await hooks.ids(ours)

    async def sleep(_: float) -> None:
        await ours.sandbox.step()

    proof = await proving.prove(account, id_, sleep=sleep)
    assert proof.took is None
    assert (await ours.integration()).refused_signatures == 0


async def test_the_limit_is_used_up(ours: Town) -> None:
    ours.sandbox.faults.api_429 = 1.0
    for _ in range(2):
        with pytest.raises(Unavailable):
            await proving.prove(ours.crew.account, "PHOOK", sleep=lambda _: ours.sandbox.step())
