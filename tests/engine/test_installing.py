"""Installing: make the new one, keep its secret, delete the old. In every order of misfortune."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from imsync.connectors.base import Subscription
from imsync.engine import configure, installing, subscription
from imsync.engine.subscription import GRACE
from imsync.errors import ExternalError, NotFound, Refused, Unavailable, Unknown
from imsync.store import integrations, subscriptions
from imsync.store.database import DatabaseError
from imsync.store.subscriptions import State
from tests.api.asking import signed
from tests.engine import hooks
from tests.store.rows import NOW, an_integration
from tests.town import Town, town_of


@pytest.fixture
async def fresh() -> AsyncIterator[Town]:
    """A town that nothing leads to yet."""
    async with town_of() as town:
        await town.connect(subscribed=False)
        yield town


async def install(town: Town, url: str | None = None) -> installing.Installed:
    return await installing.install(town.crew.account, url or town.webhook_url)


async def owners(town: Town) -> set[str | None]:
    return await town.db.read(integrations.secret_owners, "int_test")


async def knock(town: Town, secret: str, body: bytes = b"{}") -> int:
    """Knock at the door with something signed with that secret: the answer's status."""
    headers = {"X-PagerDuty-Signature": signed(body, secret)}
    async with town.session.post(town.webhook_url, data=body, headers=headers) as answer:
        return answer.status


async def test_a_subscription_is_made_its_secret_kept_and_deliveries_arrive(fresh: Town) -> None:
    done = await install(fresh)
    assert (done.made, done.url) == (True, fresh.webhook_url)
    (there,) = await hooks.listed(fresh)
    assert (there["id"], there["delivery_method"]["url"]) == (done.external_id, fresh.webhook_url)
    assert there["filter"] == {"type": "account_reference"}
    assert await owners(fresh) == {done.external_id}
    assert done.secret
    assert done.secret not in repr(done)
    found = await hooks.known(fresh)
    assert (found.state, found.external_id) == (State.ACTIVE, done.external_id)
    await fresh.trigger()
    await fresh.settle()
    assert await fresh.here(1)
    assert (await fresh.integration()).refused_signatures == 0


async def test_twice_is_once(fresh: Town) -> None:
    first = await install(fresh)
    before = await hooks.secrets(fresh), await hooks.ids(fresh)
    again = await install(fresh)
    assert (again.made, again.external_id, again.secret) == (False, first.external_id, None)
    assert "nothing is changed" in again.detail
    assert (await hooks.secrets(fresh), await hooks.ids(fresh)) == before


async def test_what_was_disabled_is_enabled_by_installing_it_again(fresh: Town) -> None:
    done = await install(fresh)
    await hooks.switch_off(fresh, done.external_id)
    again = await install(fresh)
    assert (again.made, "enabled again" in again.detail) == (False, True)
    assert (await hooks.listed(fresh))[0]["active"] is True


async def test_another_address_is_another_subscription_and_the_old_goes(fresh: Town) -> None:
    first = await install(fresh, "https://old.example/api/v1/webhooks/int_test")
    second = await install(fresh)
    assert second.made
    assert await hooks.ids(fresh) == [second.external_id]
    assert first.external_id in second.detail


async def test_others_are_left_alone(fresh: Town) -> None:
    other = await hooks.make(fresh, "https://x.example/api/v1/webhooks/int_other")
    for _ in range(2):
        await install(fresh)
        await installing.rotate(fresh.crew.account, None)
    assert other["id"] in await hooks.ids(fresh)
    assert len(await hooks.ids(fresh)) == 2


# When something goes wrong.


async def test_the_answer_is_lost_and_the_next_install_leaves_no_orphan(fresh: Town) -> None:
    fresh.sandbox.switches.title_and_urgency_events = True  # so that it takes one request
    account = fresh.crew.account
    listed = account.connector.subscriptions

    async def and_then_answers_get_lost(start: int = 0) -> Any:
        found = await listed(start)
        fresh.sandbox.faults.api_lost = 1.0
        return found

    account.connector.subscriptions = and_then_answers_get_lost  # type: ignore[method-assign]
    with pytest.raises(Unknown) as caught:
        await install(fresh)
    assert "install again" in caught.value.hint
    fresh.sandbox.faults.api_lost = 0.0
    account.connector.subscriptions = listed  # type: ignore[method-assign]
    (orphan,) = await hooks.ids(fresh)

    done = await install(fresh)
    assert done.external_id != orphan
    assert await hooks.ids(fresh) == [done.external_id]
    assert await owners(fresh) == {done.external_id}


async def test_keeping_fails_and_the_next_install_leaves_no_orphan(fresh: Town) -> None:
    def full(conn: sqlite3.Connection, on: bool) -> None:
        conn.execute("DROP TRIGGER IF EXISTS full")
        if on:
            conn.execute(
                "CREATE TRIGGER full BEFORE INSERT ON subscriptions"
                " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )

    await fresh.db.run(full, True)
    with pytest.raises(DatabaseError, match="disk full"):
        await install(fresh)
    assert await owners(fresh) == set(), "all of it, or nothing"
    assert len(await hooks.ids(fresh)) == 1
    await fresh.db.run(full, False)
    done = await install(fresh)
    assert await hooks.ids(fresh) == [done.external_id]


async def test_a_crash_before_the_old_is_deleted_is_finished_by_the_watch(fresh: Town) -> None:
    first = await install(fresh)
    made = await fresh.crew.account.connector.subscribe(fresh.webhook_url)
    await fresh.db.run(
        installing.keep,
        "int_test",
        made,
        fresh.webhook_url,
        [first.external_id],
        now=fresh.clock(),
    )
    await fresh.reload()
    await fresh.crew.watch.step()
    assert await hooks.ids(fresh) == [made.id]


async def test_two_at_once_leave_one(fresh: Town) -> None:
    await asyncio.gather(install(fresh), install(fresh))
    await fresh.crew.watch.step()
    (left,) = await hooks.ids(fresh)
    assert (await hooks.known(fresh)).external_id == left
    assert left in await owners(fresh)


async def test_ten_are_all_there_can_be_and_the_error_says_what_to_do(fresh: Town) -> None:
    for number in range(10):
        await hooks.make(fresh, f"https://x.example/{number}")
    with pytest.raises(Refused, match="limit exceeded") as caught:
        await install(fresh)
    assert "delete one that nobody needs" in caught.value.hint
    assert (await hooks.known(fresh)).state is State.UNKNOWN


async def test_a_key_that_may_not_make_one_is_told_how_to_do_without(fresh: Town) -> None:
    await fresh.token(fresh.sandbox.read_only_token)
    with pytest.raises(ExternalError, match="403") as caught:
        await install(fresh)
    assert "--webhook-secret-file -" in caught.value.hint
    assert not await fresh.crew.account.suspended()


async def test_nobody_waits_for_a_limit_that_is_used_up(fresh: Town) -> None:
    fresh.sandbox.faults.api_429 = 1.0
    with pytest.raises(Unavailable, match="429"):
        await install(fresh)
    requests = fresh.sandbox.requests
    for work in (install(fresh), installing.rotate(fresh.crew.account, None)):
        with pytest.raises(Unavailable, match="is used up for another") as caught:
            await work
        assert caught.value.hint == "try again then"
    assert fresh.sandbox.requests == requests


async def test_a_secret_that_is_not_told_is_not_taken_for_one(fresh: Town) -> None:
    connector = fresh.crew.account.connector
    real = connector.subscribe

    async def mute(url: str) -> Subscription:
        made = await real(url)
        return Subscription(made.id, made.url, made.active, made.events)

    connector.subscribe = mute  # type: ignore[method-assign]
    with pytest.raises(Unknown, match="its secret was not told"):
        await install(fresh)
    connector.subscribe = real  # type: ignore[method-assign]
    done = await install(fresh)
    assert await hooks.ids(fresh) == [done.external_id]


async def test_an_integration_deleted_meanwhile_keeps_nothing(fresh: Town) -> None:
    made = Subscription("PHOOK", fresh.webhook_url, True, [], "secret")
    await fresh.db.run(configure.delete, "int_test", now=fresh.clock())
    with pytest.raises(NotFound):
        await fresh.db.run(installing.keep, "int_test", made, made.url, [], now=fresh.clock())


# What was made by hand.


async def test_one_made_by_hand_with_its_secret_is_left_as_it_is(town: Town) -> None:
    (by_hand,) = await hooks.ids(town)
    done = await install(town)
    assert (done.made, done.external_id) == (False, by_hand)
    assert await hooks.ids(town) == [by_hand]


async def test_one_whose_deliveries_are_refused_has_another_secret_and_is_replaced(
    town: Town,
) -> None:
    await hooks.have_it_disabled(town)
    (by_hand,) = await hooks.ids(town)
    done = await install(town)
    assert (done.made, by_hand in done.detail) == (True, True)
    assert await hooks.ids(town) == [done.external_id]


async def test_one_whose_secret_nobody_has_given_is_replaced(fresh: Town) -> None:
    await hooks.make(fresh)
    done = await install(fresh)
    assert done.made
    assert await hooks.ids(fresh) == [done.external_id]


async def test_of_two_made_by_hand_nobody_knows_whose_the_secret_is(town: Town) -> None:
    await hooks.make(town)
    done = await install(town)
    assert done.made
    assert await hooks.ids(town) == [done.external_id]


async def test_what_else_leads_here_goes_when_one_is_known(fresh: Town) -> None:
    first = await install(fresh)
    orphan = await hooks.make(fresh)
    again = await install(fresh)
    assert (again.made, "an older is deleted" in again.detail) == (False, True)
    assert await hooks.ids(fresh) == [first.external_id]
    assert orphan["id"] not in await owners(fresh)


# Rotating.


async def test_both_secrets_are_good_while_one_takes_the_place_of_the_other(fresh: Town) -> None:
    first = await install(fresh)
    second = await installing.rotate(fresh.crew.account, None)
    assert second.made
    assert await hooks.ids(fresh) == [second.external_id]
    assert first.secret
    assert second.secret
    assert first.secret != second.secret
    for secret in (first.secret, second.secret):
        assert await knock(fresh, secret, secret.encode()) == 202, "it may be on its way"
    fresh.clock.at += GRACE - 60_000
    await fresh.crew.watch.step()
    assert await knock(fresh, first.secret) == 202
    fresh.clock.at += 60_000
    await fresh.crew.watch.step()
    assert await knock(fresh, first.secret) == 401
    assert await knock(fresh, second.secret) == 202


async def test_one_made_by_hand_is_rotated_into_ours(town: Town) -> None:
    (by_hand,) = await hooks.ids(town)
    done = await installing.rotate(town.crew.account, None)
    assert (done.url, by_hand in done.detail) == (town.webhook_url, True)
    assert await hooks.ids(town) == [done.external_id]
    town.clock.at += GRACE
    await town.crew.watch.step()
    assert await owners(town) == {done.external_id}


async def test_rotating_may_move_it_too(fresh: Town) -> None:
    await install(fresh)
    done = await installing.rotate(
        fresh.crew.account, "https://new.example/api/v1/webhooks/int_test"
    )
    (there,) = await hooks.listed(fresh)
    assert there["delivery_method"]["url"] == done.url == (await hooks.known(fresh)).url


async def test_there_is_nothing_to_rotate_before_the_first(fresh: Town) -> None:
    with pytest.raises(NotFound, match="to rotate") as caught:
        await installing.rotate(fresh.crew.account, None)
    assert "webhook install prod-pd" in caught.value.hint


async def test_the_new_one_cannot_be_made_and_the_old_one_stays(fresh: Town) -> None:
    first = await install(fresh)
    for number in range(9):
        await hooks.make(fresh, f"https://x.example/{number}")
    with pytest.raises(Refused, match="limit exceeded"):
        await installing.rotate(fresh.crew.account, None)
    assert first.external_id in await hooks.ids(fresh)
    assert await owners(fresh) == {first.external_id}
    await fresh.crew.watch.step()
    assert (await hooks.known(fresh)).state is State.ACTIVE


async def test_moments_of_a_rotation_all_have_one_that_delivers(fresh: Town) -> None:
    """Whatever request fails, what is there afterwards has a secret that is known here."""
    await install(fresh)
    connector = fresh.crew.account.connector
    for name in ("subscriptions", "subscribe", "unsubscribe"):
        real: Callable[..., Awaitable[Any]] = getattr(connector, name)

        async def fails(*_: object) -> None:
            raise Unavailable("503")

        setattr(connector, name, fails)
        try:
            await installing.rotate(fresh.crew.account, None)
        except Unavailable:
            assert name != "unsubscribe", "the new one is kept already"
        setattr(connector, name, real)
        known = await owners(fresh)
        assert {one["id"] for one in await hooks.listed(fresh)} <= known
        await fresh.crew.watch.step()
        assert len(await hooks.ids(fresh)) == 1


def test_an_address_is_the_same_however_it_is_spelled(conn: sqlite3.Connection) -> None:
    """PagerDuty may write it otherwise than we did."""
    an_integration(conn)
    url = "https://A.example/api/v1/webhooks/int_1"
    made = Subscription("PHOOK", url, True, [], "secret")
    installing.keep(conn, "int_1", made, url, [], now=NOW)
    shown = Subscription("PHOOK", "https://a.example:443/api/v1/webhooks/int_1", True, [])
    assert subscription.note(conn, subscriptions.get(conn, "int_1"), shown, now=NOW)
    assert installing.usable(conn, "int_1", [shown], url) == shown
    assert subscriptions.get(conn, "int_1").url == url
