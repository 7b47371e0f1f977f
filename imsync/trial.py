"""`imsyncd --sandbox`: a PagerDuty in the same process, and an integration set up with it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from imsync.connectors.base import Limits
from imsync.core.fields import Instant
from imsync.core.offset import Offset
from imsync.engine import configure
from imsync.engine.fleet import Connects
from imsync.errors import NotFound, UserError
from imsync.sandbox.records import Damaged
from imsync.sandbox.sandbox import Sandbox
from imsync.store import integrations
from imsync.store.database import Connection, Database
from imsync.store.integrations import Integration

NAME = "Production PagerDuty"
_SHOWN = ("url", "token", "from_email", "default_service")


class Trial:
    """The sandbox beside a database; its state is kept in a file of its own next to it."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        now: Callable[[], Instant],
        rng: Random,
        database: Path,
    ) -> None:
        state = database.with_name(database.name + ".sandbox")
        try:
            self.sandbox = Sandbox(session=session, now=now, rng=rng, state=state)
        except (OSError, Damaged) as error:
            raise UserError(
                f"the sandbox's state cannot be kept: {error}",
                hint=f"remove {state} to begin with a new account",
            ) from error
        self._now = now

    async def start(self) -> None:
        await self.sandbox.start()

    async def set_up(
        self,
        db: Database,
        connects: Connects,
        *,
        new_id: Callable[[str], str],
        listen: str,
    ) -> None:
        """Let the integration lead to this sandbox, and the sandbox's webhooks lead to us.

        Ports may have changed since the last start; then both are set anew.
        """
        integration = await db.run(
            configured, self.sandbox.describe(), new_id=new_id, now=self._now()
        )
        connector = connects(integration, heard=_unheard, priorities={})
        path = f"/api/v1/webhooks/{integration.id}"
        old = [one for one in await connector.subscriptions() if one.url.endswith(path)]
        secrets = await db.read(integrations.secrets, integration.id)
        if secrets and [(one.url, one.active) for one in old] == [(f"http://{listen}{path}", True)]:
            return  # what it still owes us arrives
        made = await connector.subscribe(f"http://{listen}{path}")
        assert made.secret is not None  # it is told when a subscription is made
        await db.run(integrations.set_secret, integration.id, made.secret, now=self._now())
        # Last, so that one that stands alone is the one whose secret we have.
        for one in old:
            await connector.unsubscribe(one.id)

    def describe(self) -> Mapping[str, Any]:
        described = self.sandbox.describe()
        shown: dict[str, Any] = {name: described[name] for name in _SHOWN}
        return {**shown, "requests": self.sandbox.requests}


def _unheard(limits: Limits | None, offset: Offset | None) -> None:
    """Its clock is ours, and its limit is far away."""


# Units of work.


def configured(
    conn: Connection,
    sandbox: Mapping[str, Any],
    *,
    new_id: Callable[[str], str],
    now: Instant,
) -> Integration:
    """The integration that leads to this sandbox: made, or pointed to where it is now."""
    account = {
        "base_url": sandbox["url"],
        "token": sandbox["token"],
        "from_email": sandbox["from_email"],
        "default_service": sandbox["default_service"],
    }
    slug = configure.slug_of(NAME)
    try:
        integrations.named(conn, slug)
    except NotFound:
        given = {**account, "name": NAME, "organization_id": "acme-corp", "sync_escalations": True}
        return configure.create(
            conn,
            new_id("int_"),
            given,
            integration_type="pagerduty",
            webhook_secret=None,
            now=now,
        )
    return configure.change(conn, slug, account, webhook_secret=None, now=now)
