"""A door to knock at: deliveries as PagerDuty sends them, to the webhook route of a town."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from imsync.store import integrations
from imsync.store.database import Connection
from tests.town import Town

from .asking import Answer, Api, signed

SAMPLES = Path(__file__).parents[3] / "shared" / "pagerduty" / "samples"
HOOKS = "/api/v1/webhooks"
FIRST = str(UUID(int=1))


class Door:
    """Knocks at the webhook route of a town's integration, as PagerDuty does."""

    def __init__(self, town: Town, secret: str) -> None:
        self.town, self.secret = town, secret
        self.api = Api(town.session, town.server)
        self._knocks = 0

    async def knock(
        self,
        body: bytes,
        *,
        at: str = "int_test",
        signature: str | None = None,
        id_: str | None = None,
        by: str | None = None,
    ) -> Answer:
        """Rightly signed, and under an id of its own, unless it says otherwise."""
        self._knocks += 1
        signature = signed(body, by or self.secret) if signature is None else signature
        headers = {"X-PagerDuty-Signature": signature} if signature else {}
        headers["X-Webhook-Id"] = id_ or str(UUID(int=self._knocks))
        return await self.api("POST", f"{HOOKS}/{at}", data=body, **headers)

    async def kept(self) -> list[dict[str, Any]]:
        def look(conn: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in conn.execute("SELECT * FROM inbox ORDER BY id")]

        return await self.town.db.read(look)

    async def outcomes(self) -> list[tuple[str, str | None]]:
        return [(row["state"], row["outcome"]) for row in await self.kept()]

    async def step(self) -> None:
        """Apply all that was kept."""
        while await self.town.crew.inbound.step():
            pass


async def door_of(town: Town) -> Door:
    (secret,) = await town.db.read(integrations.secrets, "int_test")
    return Door(town, secret)


def event(type_: str = "pagey.ping", data: object = None, **more: object) -> bytes:
    return orjson.dumps(
        {
            "event": {
                "id": "01EVENT",
                "event_type": type_,
                "occurred_at": "2027-01-15T08:30:00.000Z",
                "data": data,
                **more,
            }
        }
    )


async def acknowledged(
    town: Town, external_id: str, shown: Mapping[str, object] | None = None, **more: object
) -> bytes:
    """The delivery that says so, an hour after whatever went before; what is `shown` besides."""
    town.clock.at += 3_600_000
    incident = await town.there()
    data = {
        "id": external_id,
        "type": "incident",
        "status": "acknowledged",
        "title": incident["title"],
        "urgency": incident["urgency"],
        "incident_key": incident["incident_key"],
        "service": incident["service"],
        "assignees": [],
        "priority": incident["priority"],
        "escalation_policy": incident["escalation_policy"],
        **(shown or {}),
    }
    return event("incident.acknowledged", data, **more)
