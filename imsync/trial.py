"""`imsyncd --sandbox`: a PagerDuty in the same process, and an integration set up with it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from imsync.core.fields import Instant
from imsync.engine import addresses, configure, installing
from imsync.engine.fleet import Fleet
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
        self, db: Database, fleet: Fleet, *, new_id: Callable[[str], str], listen: str
    ) -> None:
        """Let the integration lead to this sandbox, and the sandbox's webhooks lead to us.

        Ports may have changed since the last start; then both are set anew. A subscription
        that leads here still stays: what the sandbox owes us arrives.
        """
        integration = await db.run(
            configured, self.sandbox.describe(), new_id=new_id, now=self._now()
        )
        account = fleet.assemble(integration).account
        await installing.install(account, addresses.address(f"http://{listen}", account.id))

    def describe(self) -> Mapping[str, Any]:
        described = self.sandbox.describe()
        shown: dict[str, Any] = {name: described[name] for name in _SHOWN}
        return {**shown, "requests": self.sandbox.requests}


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
