"""What tests of the webhook subscription do on the other side, as people there would."""

from typing import Any

from imsync.engine.bell import Bell
from imsync.store import integrations, subscriptions
from imsync.store.subscriptions import Watched
from tests.town import Town

HOOKS = "/webhook_subscriptions"


async def listed(town: Town) -> list[dict[str, Any]]:
    """The subscriptions there."""
    found: list[dict[str, Any]] = (await town.call("GET", HOOKS))["webhook_subscriptions"]
    return found


async def ids(town: Town) -> list[str]:
    return [one["id"] for one in await listed(town)]


async def make(town: Town, url: str | None = None, **more: object) -> dict[str, Any]:
    """Make one by hand; the answer has its secret."""
    body = {
        "type": "webhook_subscription",
        "delivery_method": {"type": "http_delivery_method", "url": url or town.webhook_url},
        "events": ["incident.triggered", "incident.acknowledged", "incident.resolved"],
        "filter": {"type": "account_reference"},
        **more,
    }
    made = await town.call("POST", HOOKS, {"webhook_subscription": body})
    found: dict[str, Any] = made["webhook_subscription"]
    return found


async def switch_off(town: Town, id_: str) -> None:
    await town.call("PUT", f"{HOOKS}/{id_}", {"webhook_subscription": {"active": False}})


async def delete(town: Town, id_: str) -> None:
    await town.call("DELETE", f"{HOOKS}/{id_}")


async def have_it_disabled(town: Town) -> None:
    """Three deliveries in a row are refused, because nobody here knows the secret any more."""
    before = await secrets(town)
    await town.db.run(integrations.set_secret, "int_test", "another", now=town.clock())
    for number in range(3):
        await town.trigger(f"Refused {number}")
        while await town.sandbox.step():
            pass
    assert (await listed(town))[0]["delivery_method"]["temporarily_disabled"] is True

    def put_back(conn: Any) -> None:
        conn.execute("DELETE FROM webhook_secrets")
        conn.executemany("INSERT INTO webhook_secrets VALUES (?, ?, ?, ?, ?)", before)

    await town.db.run(put_back)


async def secrets(town: Town) -> list[tuple[Any, ...]]:
    """Every row of the secrets, newest first."""

    def look(conn: Any) -> list[tuple[Any, ...]]:
        rows = conn.execute("SELECT * FROM webhook_secrets ORDER BY created_at DESC")
        return [tuple(row) for row in rows]

    return await town.db.read(look)


async def known(town: Town) -> Watched:
    return await town.db.read(subscriptions.get, "int_test")


async def has_rung(bell: Bell) -> bool:
    """Whether somebody has rung it since it was last waited at."""
    rung = bell._rung.is_set()
    await bell.wait(0)
    return rung
