"""The subscription looked after: what is found, what is mended, and what is only said."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from imsync.connectors.base import Subscription
from imsync.core.fields import Field
from imsync.engine import configure, installing, subscription
from imsync.engine.status import sync_status
from imsync.engine.subscription import GRACE
from imsync.errors import Unavailable
from imsync.store import integrations
from imsync.store.subscriptions import State
from tests.engine import hooks
from tests.town import Town, town_of

HOUR = 3_600_000


@pytest.fixture
async def installed() -> AsyncIterator[Town]:
    """A town whose subscription imsync has made itself, an hour ago."""
    async with town_of() as town:
        await town.connect(subscribed=False)
        await installing.install(town.crew.account, town.webhook_url)
        town.clock.at += HOUR
        yield town


async def problems(town: Town) -> list[str]:
    integration = await town.integration()
    found = await town.db.read(sync_status, integration, trouble=None, now=town.clock())
    problems: list[str] = found["problems"]
    assert found["healthy"] is not bool(problems)
    return problems


async def test_whatever_happened_in_an_hour_of_silence_arrives_once_it_is_found(
    installed: Town,
) -> None:
    """The subscription is disabled, and everybody goes on editing there."""
    town = installed
    for title in ("One", "Two", "Three"):
        await town.declare(title)
    await town.settle()
    await hooks.have_it_disabled(town)
    for minute in range(60):
        town.clock.at += 60_000
        match minute:
            case 5:
                await town.act(1, status="acknowledged")
            case 15:
                await town.act(2, title="Two, renamed", urgency="high")
            case 25:
                await town.act(3, status="resolved")
            case 35:
                await town.trigger("Four, which nobody heard of")
            case 45:
                await town.act(1, status="resolved")
    await town.settle()
    assert (await town.here(1))[Field.STATUS] == "open", "nothing is told"
    assert town.sandbox.deliveries_pending == 0, "nor is it owed"

    assert await town.crew.watch.step()
    assert await hooks.has_rung(town.crew.drift.bell)
    await town.sweep()

    assert (await town.here(1))[Field.STATUS] == "resolved"
    assert (await town.here(2))[Field.TITLE] == "Two, renamed"
    assert (await town.here(3))[Field.STATUS] == "resolved"
    titles = {(await town.here(number))[Field.TITLE] for number in range(4, 8)}
    assert "Four, which nobody heard of" in titles
    found = await hooks.known(town)
    assert (found.state, found.times_disabled, found.times_enabled) == (State.ACTIVE, 1, 1)

    await town.act(2, status="acknowledged")
    await town.settle()
    assert (await town.here(2))[Field.STATUS] == "mitigated", "and it is told again from now on"


async def test_a_look_costs_one_call_and_changes_nothing_while_all_is_well(
    installed: Town,
) -> None:
    await installed.crew.watch.step()
    before = await hooks.known(installed)
    requests = installed.sandbox.requests
    installed.clock.at += 60_000
    assert await installed.crew.watch.step()
    assert installed.sandbox.requests == requests + 1
    after = await hooks.known(installed)
    assert after.checked_at is not None
    assert before.checked_at is not None
    assert after.checked_at > before.checked_at
    assert not await hooks.has_rung(installed.crew.drift.bell)
    assert await problems(installed) == []


async def test_what_somebody_switched_off_is_switched_on_again(installed: Town) -> None:
    (id_,) = await hooks.ids(installed)
    await hooks.switch_off(installed, id_)
    assert await installed.crew.watch.step()
    (found,) = await hooks.listed(installed)
    assert found["active"] is True
    assert await hooks.has_rung(installed.crew.drift.bell)


async def test_one_that_was_deleted_is_said_and_not_made_again(installed: Town) -> None:
    (id_,) = await hooks.ids(installed)
    await hooks.delete(installed, id_)
    for _ in range(3):
        assert await installed.crew.watch.step()
    assert await hooks.ids(installed) == []
    found = await hooks.known(installed)
    assert (found.state, found.times_deleted, found.external_id) == (State.DELETED, 1, id_)
    (problem,) = await problems(installed)
    assert id_ in problem
    assert "`im integration webhook install prod-pd`" in problem

    await installing.install(installed.crew.account, installed.webhook_url)
    assert await problems(installed) == []


async def test_one_made_by_hand_is_found_by_its_address_and_watched(town: Town) -> None:
    """The town's own was subscribed with no id kept, as who follows the description does."""
    (id_,) = await hooks.ids(town)
    await hooks.make(town, "https://elsewhere.example/api/v1/webhooks/int_other")
    assert await town.crew.watch.step()
    found = await hooks.known(town)
    assert (found.state, found.external_id, found.installed_at) == (State.ACTIVE, id_, None)
    await hooks.have_it_disabled(town)
    assert await town.crew.watch.step()
    assert (await hooks.known(town)).times_enabled == 1
    assert await hooks.has_rung(town.crew.drift.bell)


async def test_one_that_is_made_anew_by_hand_is_found_in_place_of_the_deleted(
    installed: Town,
) -> None:
    (id_,) = await hooks.ids(installed)
    await hooks.delete(installed, id_)
    await installed.crew.watch.step()
    made = await hooks.make(installed)
    await installed.crew.watch.step()
    found = await hooks.known(installed)
    assert (found.state, found.external_id, found.installed_at) == (State.ACTIVE, made["id"], None)
    (problem,) = await problems(installed)
    assert "a secret that is not known here" in problem

    await installed.db.run(
        configure.change,
        "int_test",
        {},
        webhook_secret=made["delivery_method"]["secret"],
        now=installed.clock(),
    )
    await installed.crew.watch.step()
    assert (await hooks.known(installed)).external_id == made["id"]
    assert await problems(installed) == []


async def test_a_key_that_may_not_see_subscriptions_breaks_nothing(town: Town) -> None:
    async def denied(*_: object) -> None:
        raise await refusal(town)

    town.crew.account.connector.subscriptions = denied  # type: ignore[method-assign, assignment]
    assert not await town.crew.watch.step()
    found = await hooks.known(town)
    assert (found.state, "403" in found.because) == (State.UNKNOWN, True)
    assert await problems(town) == []
    assert not await town.crew.account.suspended()


async def refusal(town: Town) -> Exception:
    """What the sandbox answers a key that may only read."""
    before = await town.token(town.sandbox.read_only_token)
    try:
        await town.fleet.assemble(await town.integration()).account.connector.ping("PNONE")
    except Exception as error:
        return error
    finally:
        await town.token(before)
    raise AssertionError("it was not refused")


async def test_enabling_that_is_refused_is_a_problem_and_tried_again(installed: Town) -> None:
    await hooks.have_it_disabled(installed)
    full = await installed.token(installed.sandbox.read_only_token)
    for _ in range(2):
        assert await installed.crew.watch.step()
    found = await hooks.known(installed)
    assert (found.state, found.times_disabled) == (State.DISABLED, 1)
    (problem,) = [one for one in await problems(installed) if "delivers nothing" in one]
    assert "because deliveries were refused; enabling it failed" in problem
    assert "`im integration webhook enable prod-pd`" in problem
    assert not await hooks.has_rung(installed.crew.drift.bell)

    await installed.token(full)
    assert await installed.crew.watch.step()
    assert await hooks.has_rung(installed.crew.drift.bell)
    assert (await hooks.known(installed)).state is State.ACTIVE


async def test_a_gap_that_somebody_else_has_ended_is_swept_too(installed: Town) -> None:
    await hooks.have_it_disabled(installed)
    full = await installed.token(installed.sandbox.read_only_token)
    await installed.crew.watch.step()
    await installed.token(full)
    (id_,) = await hooks.ids(installed)
    await installed.call("POST", f"{hooks.HOOKS}/{id_}/enable")
    assert await installed.crew.watch.step()
    assert await hooks.has_rung(installed.crew.drift.bell)
    assert (await hooks.known(installed)).times_enabled == 0, "not by us"


@pytest.mark.parametrize("fault", ["api_error", "api_429", "api_429_bare", "api_malformed"])
async def test_a_look_that_fails_says_nothing_about_it(installed: Town, fault: str) -> None:
    before = await hooks.known(installed)
    setattr(installed.sandbox.faults, fault, 1.0)
    assert not await installed.crew.watch.step()
    assert await hooks.known(installed) == before


async def test_a_suspended_integration_is_left_alone(installed: Town) -> None:
    await installed.db.run(integrations.suspend, "int_test", "401", now=installed.clock())
    requests = installed.sandbox.requests
    assert not await installed.crew.watch.step()
    assert installed.sandbox.requests == requests


async def test_an_integration_deleted_under_a_look_stops_no_daemon(installed: Town) -> None:
    await installed.db.run(configure.delete, "int_test", now=installed.clock())
    assert not await installed.crew.watch.step()


async def test_what_could_not_be_deleted_at_once_is_deleted_later_and_its_secret_goes(
    installed: Town,
) -> None:
    (old,) = await hooks.ids(installed)
    connector = installed.crew.account.connector
    real = connector.unsubscribe

    async def unavailable(id_: str) -> None:
        raise Unavailable("503")

    connector.unsubscribe = unavailable  # type: ignore[method-assign]
    done = await installing.rotate(installed.crew.account, None)
    assert f"{old} could not be deleted yet" in done.detail
    await installed.crew.watch.step()
    assert await hooks.ids(installed) == [old, done.external_id]
    assert [row[4] for row in await hooks.secrets(installed)] == [None, None], "both stay good"

    connector.unsubscribe = real  # type: ignore[method-assign]
    await hooks.has_rung(installed.crew.drift.bell)
    await installed.crew.watch.step()
    assert await hooks.ids(installed) == [done.external_id]
    assert await hooks.has_rung(installed.crew.drift.bell), "what it owed us is not sent any more"
    installed.clock.at += GRACE
    await installed.crew.watch.step()
    (left,) = await hooks.secrets(installed)
    assert left[3] == done.external_id


async def test_a_secret_given_by_hand_meanwhile_does_not_go_with_the_replaced(
    installed: Town,
) -> None:
    account = installed.crew.account
    (old,) = await hooks.ids(installed)
    await installed.db.run(
        configure.change, "int_test", {}, webhook_secret="by hand", now=installed.clock()
    )
    await installed.db.run(subscription.retired, "int_test", old, now=installed.clock())
    installed.clock.at += GRACE
    await installed.crew.watch.step()
    assert await account.db.read(integrations.secrets, "int_test") == ["by hand"]


@pytest.mark.parametrize("active", [True, False])
async def test_a_look_that_was_overtaken_by_a_rotation_says_nothing(
    installed: Town, active: bool
) -> None:
    connector = installed.crew.account.connector
    real = connector.subscription

    async def and_meanwhile(id_: str) -> Subscription:
        found = await real(id_)
        connector.subscription = real  # type: ignore[method-assign]
        await installing.rotate(installed.crew.account, None)
        return replace(found, active=active)

    connector.subscription = and_meanwhile  # type: ignore[method-assign]
    assert await installed.crew.watch.step()
    (id_,) = await hooks.ids(installed)
    found = await hooks.known(installed)
    assert (found.external_id, found.state, found.times_disabled) == (id_, State.ACTIVE, 0)
    assert found.installed_at is not None


async def test_refused_signatures_are_a_problem_until_a_good_delivery(town: Town) -> None:
    await hooks.have_it_disabled(town)
    (problem,) = await problems(town)
    assert problem.startswith("3 deliveries were refused since the last good one: wrong secret?")
    await town.crew.watch.step()
    await town.trigger("Told again")
    await town.settle()
    assert await problems(town) == []
    assert (await town.integration()).refused_signatures == 3
