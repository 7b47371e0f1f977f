"""/integrations/{i}/webhook: what is answered, what is never told, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from imsync.connectors.base import Page
from imsync.store import inbox, integrations
from tests.engine import hooks
from tests.town import Town, town_of

from .asking import House, asks

PATH = "/api/v1/integrations/prod-pd/webhook"
SHAPE = {
    *("integration", "subscription_id", "state", "because", "url", "webhook_url", "points_here"),
    *("made_by", "knows_secret", "secrets_in_force", "replaced", "installed_at", "checked_at"),
    *("times_disabled", "times_enabled", "times_deleted", "disabled_at", "enabled_at"),
    *("last_delivery_at", "lag", "refused_signatures", "refused_since_delivery", "problems"),
}


@pytest.fixture
async def bare() -> AsyncIterator[Town]:
    """A town that nothing leads to yet."""
    async with town_of() as town:
        await town.connect(subscribed=False)
        yield town


def here(town: Town) -> dict[str, str]:
    return {"public_url": town.webhook_url.partition("/api/v1")[0]}


async def secrets(town: Town) -> list[str]:
    return await town.db.read(integrations.secrets, "int_test")


async def test_nothing_is_known_before_it_is_looked_at(bare: Town) -> None:
    found = await asks(bare).found(PATH)
    assert set(found) == SHAPE
    assert (found["state"], found["subscription_id"], found["points_here"]) == (
        "unknown",
        None,
        None,
    )
    assert (found["problems"], found["knows_secret"]) == ([], None)
    await bare.crew.watch.step()
    found = await asks(bare).found(PATH)
    assert found["state"] == "none"
    assert "found only by looking" in found["problems"][0]
    await bare.configure(sync_direction="outbound")
    assert (await asks(bare).found(PATH))["problems"] == [], "nothing of it would be taken in"


async def test_how_long_deliveries_take_is_told(town: Town) -> None:
    assert (await asks(town).found(PATH))["lag"] == {"count": 0, "p50_ms": None, "p99_ms": None}
    await town.trigger("Disk full")
    town.clock.at += 4_000
    await town.settle()
    await town.db.run(
        inbox.put,
        integration_id="int_test",
        delivery_id="junk",
        event_id=None,
        event_type=None,
        external_id=None,
        incident_key=None,
        body=b"junk",
        now=town.clock(),
    )
    lag = (await asks(town).found(PATH))["lag"]
    assert lag["count"] == 1, "what makes no sense tells nothing"
    assert 4_000 <= lag["p50_ms"] <= 4_100


async def test_installed_it_is_shown_and_the_secret_is_not(bare: Town) -> None:
    api = asks(bare)
    answer = await api("POST", PATH, here(bare))
    assert answer.status == 201, answer.text
    made = answer.json
    assert set(made) == SHAPE | {"made", "detail"}
    assert (made["state"], made["made"], made["made_by"]) == ("active", True, "imsync")
    assert (made["url"], made["knows_secret"]) == (bare.webhook_url, True)
    again = await api("POST", PATH, here(bare))
    assert (again.status, again.json["made"]) == (200, False)
    assert again.json["subscription_id"] == made["subscription_id"]
    (secret,) = await secrets(bare)
    shown = await api("GET", PATH)
    assert set(shown.json) == SHAPE
    for told in (answer, again, shown, await api("GET", "/api/v1/integrations/prod-pd")):
        assert secret not in told.text
    assert (await api.found("/api/v1/integrations/prod-pd"))["has_webhook_secret"] is True


async def test_the_secret_is_told_on_request_when_it_is_made_and_never_again(bare: Town) -> None:
    api, asked = asks(bare), {**here(bare), "show_secret": True}
    made = await api.made(PATH, asked)
    assert [made["secret"]] == await secrets(bare)
    assert (await api("POST", PATH, asked)).json["secret"] is None
    rotated = await api.made(f"{PATH}/rotate", {"show_secret": True})
    assert rotated["secret"] in await secrets(bare)
    assert rotated["secret"] != made["secret"]
    assert "secret" not in await api.made(f"{PATH}/rotate", {})


@pytest.mark.parametrize("path", [PATH, f"{PATH}/rotate"])
async def test_a_body_may_be_left_out(town: Town, path: str) -> None:
    """The sandbox is on this host: it reaches us where we listen."""
    answer = await asks(town)("POST", path)
    assert answer.status == 201, answer.text


async def test_where_nobody_has_said_how_it_is_reached(house: House) -> None:
    await house.api.made(
        "/api/v1/integrations",
        {
            "name": "Production PagerDuty",
            "integration_type": "pagerduty",
            "credentials": {"token": "u+token"},
        },
    )
    answer = await house.api("POST", PATH)
    assert "nobody has said" in answer.problem(400, "invalid_request")
    assert "--public-url https://" in answer.hint
    assert "`public_url`" in answer.hint


@pytest.mark.parametrize("action", ["", "/rotate"])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"public_url": "http://a.example"}, "in the clear"),
        ({"public_url": "nonsense"}, "'nonsense'"),
        ({"public_url": 5}, "public_url"),
        ({"show_secret": "perhaps"}, "show_secret"),
        ({"url": "https://a.example"}, "'url' is not a field"),
        ([], "not a JSON object"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_nothing_is_made(
    town: Town, action: str, body: object, says: str
) -> None:
    before = await hooks.ids(town)
    answer = await asks(town)("POST", f"{PATH}{action}", body)
    assert says in answer.problem(400, "invalid_request")
    assert await hooks.ids(town) == before


async def test_a_full_account_is_an_error_that_says_what_to_do(bare: Town) -> None:
    for number in range(10):
        await hooks.make(bare, f"https://x.example/{number}")
    answer = await asks(bare)("POST", PATH, here(bare))
    assert "limit exceeded" in answer.problem(502, "external_refused")
    assert "delete one that nobody needs" in answer.hint


async def test_it_is_rotated(town: Town) -> None:
    (old,) = await hooks.ids(town)
    made = await asks(town).made(f"{PATH}/rotate", {})
    assert await hooks.ids(town) == [made["subscription_id"]]
    assert old in made["detail"]
    assert (made["secrets_in_force"], made["replaced"]) == (2, [])


async def test_there_is_none_to_rotate_ping_or_enable(bare: Town) -> None:
    for action in ("rotate", "ping", "enable"):
        answer = await asks(bare)("POST", f"{PATH}/{action}")
        answer.problem(404, "not_found")
        assert "webhook install prod-pd" in answer.hint


async def test_a_ping_arrives(town: Town) -> None:
    answer = await asks(town)("POST", f"{PATH}/ping")
    assert answer.status == 200
    found = answer.json
    assert set(found) == {
        *("integration", "subscription_id", "url", "arrived", "took_ms", "detail", "hint"),
    }
    assert (found["arrived"], found["hint"]) == (True, "")
    assert found["took_ms"] >= 0


async def test_a_ping_does_not_arrive(town: Town) -> None:
    await town.db.run(integrations.set_secret, "int_test", "another", now=town.clock())
    found = (await asks(town)("POST", f"{PATH}/ping")).json
    assert (found["arrived"], found["took_ms"]) == (False, None)
    assert "wrong signature" in found["detail"]
    assert found["hint"]


async def test_a_disabled_one_is_not_pinged_but_enabled(town: Town) -> None:
    await hooks.have_it_disabled(town)
    answer = await asks(town)("POST", f"{PATH}/ping")
    assert "delivers nothing" in answer.problem(409, "clash")
    assert "webhook enable prod-pd" in answer.hint
    enabled = (await asks(town)("POST", f"{PATH}/enable")).json
    assert set(enabled) == SHAPE
    assert (enabled["state"], enabled["times_disabled"], enabled["times_enabled"]) == (
        "active",
        1,
        1,
    )
    assert enabled["disabled_at"].endswith("Z")
    assert (await asks(town)("POST", f"{PATH}/ping")).json["arrived"] is True


async def test_enabling_what_delivers_changes_nothing(town: Town) -> None:
    found = (await asks(town)("POST", f"{PATH}/enable")).json
    assert (found["state"], found["times_enabled"]) == ("active", 0)


async def test_a_key_that_may_not_is_refused_with_what_would_do(bare: Town) -> None:
    await bare.token(bare.sandbox.read_only_token)
    answer = await asks(bare)("POST", PATH, here(bare))
    assert answer.status == 502
    assert "--webhook-secret-file -" in answer.hint
    await hooks.make(bare)
    answer = await asks(bare)("POST", f"{PATH}/ping")
    answer.problem(502, "external_refused")
    assert answer.hint == "its API key may not do that"


async def test_it_points_here_or_elsewhere_or_nobody_knows(bare: Town) -> None:
    api = asks(bare)
    await api.made(PATH, {"public_url": "https://elsewhere.example"})
    assert (await api.found(PATH))["points_here"] is None, "nobody has said where here is"
    await api.made(PATH, {})
    assert (await api.found(PATH))["points_here"] is True


async def test_without_a_token_there_is_nothing_to_ask_with(house: House) -> None:
    await house.api.made(
        "/api/v1/integrations", {"name": "Production PagerDuty", "integration_type": "pagerduty"}
    )
    for path in ("", "/ping", "/rotate", "/enable"):
        answer = await house.api("POST", f"{PATH}{path}")
        assert "no token" in answer.problem(409, "clash")
        assert "--token-file" in answer.hint
    assert (await house.api.found(PATH))["state"] == "unknown"


async def test_an_integration_that_is_none_lists_those_there_are(town: Town) -> None:
    for method, path in (
        *(("GET", ""), ("POST", ""), ("POST", "/ping"), ("POST", "/rotate"), ("POST", "/enable")),
    ):
        answer = await asks(town)(method, f"/api/v1/integrations/nowhere/webhook{path}")
        answer.problem(404, "not_found")
        assert "prod-pd" in answer.hint


async def test_what_imsync_has_made_goes_with_its_integration(bare: Town) -> None:
    await asks(bare).made(PATH, here(bare))
    answer = await asks(bare)("DELETE", "/api/v1/integrations/prod-pd")
    assert answer.status == 204
    assert await hooks.ids(bare) == []


async def test_what_was_made_by_hand_stays(town: Town) -> None:
    await town.crew.watch.step()
    before = await hooks.ids(town)
    assert (await asks(town)("DELETE", "/api/v1/integrations/prod-pd")).status == 204
    assert await hooks.ids(town) == before


async def test_an_account_that_is_gone_keeps_no_integration_alive(bare: Town) -> None:
    await asks(bare).made(PATH, here(bare))
    bare.sandbox.faults.api_error = 1.0
    assert (await asks(bare)("DELETE", "/api/v1/integrations/prod-pd")).status == 204
    (await asks(bare)("GET", PATH)).problem(404, "not_found")


async def test_deleting_an_integration_in_the_middle_of_a_sweep_stops_no_daemon(
    town: Town,
) -> None:
    """Its loops are let finish before it goes."""
    await town.fleet.start()
    crew = town.fleet.crew("int_test")
    assert crew is not None
    real, asked, answers = crew.account.connector.list_open, asyncio.Event(), asyncio.Event()

    async def slow(start: int = 0) -> Page:
        found = await real(start)
        asked.set()
        await answers.wait()
        return found

    crew.account.connector.list_open = slow  # type: ignore[method-assign]
    await asked.wait()
    deleting = asyncio.create_task(asks(town)("DELETE", "/api/v1/integrations/prod-pd"))
    await crew.drift.bell.wait(60)  # its loop is told to stop
    answers.set()
    assert (await deleting).status == 204
    failed = asyncio.create_task(town.fleet.run())
    await asyncio.sleep(0)
    assert not failed.done()
    assert town.fleet.bugs == {}, "a loop that ends so is no bug"
    failed.cancel()


async def test_the_test_of_an_integration_has_lines_about_its_subscription(bare: Town) -> None:
    api = asks(bare)

    async def checks() -> dict[str, Any]:
        answer = await api("POST", "/api/v1/integrations/prod-pd/test")
        return {check["name"]: check["ok"] for check in answer.json["checks"]}

    found = await checks()
    assert found["subscription"] is found["webhook secret"] is False
    await api.made(PATH, here(bare))
    found = await checks()
    assert {"subscription", "deliveries", "address", "signature", "webhook secret"} <= set(found)
    assert all(found.values())


async def test_a_token_that_is_not_good_is_not_asked_about_subscriptions(town: Town) -> None:
    await town.token("u+wrong")
    answer = await asks(town)("POST", "/api/v1/integrations/prod-pd/test")
    names = {check["name"] for check in answer.json["checks"]}
    assert "credentials" in names
    assert "subscription" not in names
