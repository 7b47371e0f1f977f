"""Both sides in one process, one step at a time: imsync's loops, its API, and the sandbox.

Nothing runs by itself here: a test edits on either side, then lets `settle` make steps
until nobody has anything to do. The clock is the test's.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from imsync.api import app
from imsync.api.context import CONTEXT, Context
from imsync.core.fields import Field, Value
from imsync.core.merge import Direction
from imsync.daemon import connecting, ids
from imsync.engine import configure, edits
from imsync.engine.fleet import Crew, Fleet, recover
from imsync.engine.status import sync_status
from imsync.sandbox.sandbox import Sandbox
from imsync.store import conflicts, dead_letters, incidents, integrations, links
from imsync.store.conflicts import Conflict
from imsync.store.database import Database
from imsync.store.dead_letters import DeadLetter
from imsync.store.incidents import Incident, TimelineEntry
from imsync.store.integrations import Integration
from imsync.store.links import FieldState
from tests.conftest import Clock
from tests.openapi.witness import Witness

Json = dict[str, Any]

ALICE = "alice@acme.example"


class Town:
    """One daemon without its loops running, and one PagerDuty."""

    def __init__(
        self,
        db: Database,
        sandbox: Sandbox,
        session: aiohttp.ClientSession,
        fleet: Fleet,
        clock: Clock,
        server: TestServer,
        witness: Witness,
    ) -> None:
        self.db, self.sandbox, self.session = db, sandbox, session
        self.fleet, self.clock, self.server = fleet, clock, server
        self.witness = witness  # of all that is asked of the sandbox, and answered
        self.crew: Crew

    @property
    def account(self) -> Json:
        return self.sandbox.describe()

    async def connect(self, *, subscribed: bool = True, **settings: object) -> None:
        """Configure the integration and have its webhooks sent here."""
        described = self.account
        integration = await self.db.run(
            configure.create,
            "int_test",
            {
                "name": "Production PagerDuty",
                "base_url": described["url"],
                "token": described["token"],
                "from_email": described["from_email"],
                "default_service": described["default_service"],
                "sync_escalations": True,
                **settings,
            },
            integration_type="pagerduty",
            webhook_secret=None,
            now=self.clock(),
        )
        self.crew = self.fleet.assemble(integration)
        if subscribed:
            made = await self.crew.account.connector.subscribe(self.webhook_url)
            assert made.secret is not None
            now = self.clock()
            await self.db.run(integrations.set_secret, integration.id, made.secret, now=now)
        await self.crew.account.load_priorities()

    @property
    def webhook_url(self) -> str:
        return str(self.server.make_url("/api/v1/webhooks/int_test"))

    async def reload(self) -> None:
        """The integration as it is configured now, as after a restart."""
        await self.db.run(recover)
        current = await self.db.read(integrations.get, "int_test")
        self.crew = self.fleet.assemble(current)
        await self.crew.account.load_priorities()

    async def settle(self, *, deliveries: bool = True, rounds: int = 60) -> None:
        """Let everyone make steps until nobody has anything to do."""
        for _ in range(rounds):
            moved = deliveries and await self.sandbox.step()
            moved = await self.crew.inbound.step() or moved
            moved = await self.crew.outbound.step() or moved
            if not moved:
                return
        raise AssertionError(f"not quiet after {rounds} rounds")

    async def sweep(self) -> None:
        assert await self.crew.drift.step(whole=True)
        await self.settle()

    # --- this side

    async def declare(
        self,
        title: str = "Checkout down",
        by: str | None = ALICE,
        incident_type: str | None = None,
        **values: Value,
    ) -> int:
        given = {Field(name): value for name, value in values.items()}
        incident = await self.db.run(
            edits.declare,
            {Field.TITLE: title, **given},
            integration=None,
            organization_id=None,
            incident_type=incident_type,
            by=by,
            now=self.clock(),
        )
        return incident.id

    async def edit(self, number: int = 1, by: str | None = ALICE, **values: Value) -> None:
        given = {Field(name): value for name, value in values.items()}
        await self.db.run(edits.update, number, given, by=by, now=self.clock())

    async def here(self, number: int = 1) -> Incident:
        return await self.db.read(incidents.get, number)

    async def timeline(self, number: int = 1) -> list[TimelineEntry]:
        return await self.db.read(incidents.timeline, number, limit=500)

    async def conflicts(self) -> list[Conflict]:
        return await self.db.read(conflicts.page, limit=100)

    async def dead_letters(self) -> list[DeadLetter]:
        return await self.db.read(dead_letters.page, "int_test", limit=100)

    async def field(self, name: str, number: int = 1) -> FieldState:
        """What one field of the link stands at."""
        link = await self.db.read(links.between, "int_test", number)
        assert link is not None
        return (await self.db.read(links.fields, link.id))[Field(name)]

    async def sync_status(self) -> Json:
        trouble, now = self.crew.account.trouble, self.clock()
        return await self.db.read(sync_status, await self.integration(), trouble=trouble, now=now)

    async def counted(self) -> None:
        """What was refused is on the disk, which nobody waits for otherwise."""
        await self.server.app[CONTEXT].refusals.written()

    async def integration(self) -> Integration:
        await self.counted()
        return await self.db.read(integrations.get, "int_test")

    async def configure(self, **settings: object) -> None:
        await self.db.run(
            configure.change, "int_test", settings, webhook_secret=None, now=self.clock()
        )
        await self.reload()

    async def direct(self, direction: Direction) -> None:
        await self.configure(sync_direction=direction)

    async def token(self, token: str) -> str:
        """Give the integration another token; the one it had."""
        before = (await self.integration()).token
        await self.db.run(
            configure.change, "int_test", {"token": token}, webhook_secret=None, now=self.clock()
        )
        self.crew = self.fleet.assemble(await self.integration())
        assert before is not None
        return before

    async def lose_the_answer_to(self, what: str, fault: str = "api_lost") -> None:
        """Make one outbound step whose `write` or `create` meets the fault.

        By default it is carried out there, unanswered.
        """
        connector, faults = self.crew.account.connector, self.sandbox.faults
        real = getattr(connector, what)

        async def unheard(*given: Any, **named: Any) -> Any:
            setattr(faults, fault, 1.0)
            try:
                return await real(*given, **named)
            finally:
                setattr(faults, fault, 0.0)

        setattr(connector, what, unheard)
        try:
            assert await self.crew.outbound.step()
        finally:
            setattr(connector, what, real)

    # --- that side

    async def call(
        self, method: str, path: str, body: Json | None = None, *, by: str | None = None
    ) -> Json:
        """What a person does in PagerDuty, over its REST API."""
        described = self.account
        headers = {
            "Accept": "application/vnd.pagerduty+json;version=2",
            "Authorization": f"Token token={described['token']}",
            "Content-Type": "application/json",
            "From": by or described["users"][-1]["email"],
        }
        async with self.session.request(
            method, described["url"] + path, json=body, headers=headers
        ) as answer:
            assert answer.status < 300, await answer.text()
            found: Json = await answer.json() if answer.status != 204 else {}
            return found

    async def act(self, number: int = 1, **changes: object) -> Json:
        """Edit the incident that this one is linked to, over there."""
        body = {"incident": {"type": "incident_reference", **changes}}
        answer = await self.call("PUT", f"/incidents/{await self.external_id(number)}", body)
        found: Json = answer["incident"]
        return found

    async def move(self, external_id: str, service_id: str) -> None:
        reference = {"id": service_id, "type": "service_reference"}
        body = {"incident": {"type": "incident_reference", "service": reference}}
        await self.call("PUT", f"/incidents/{external_id}", body)

    async def trigger(self, title: str = "Disk full", **more: object) -> str:
        service = {"id": self.account["default_service"], "type": "service_reference"}
        body = {"incident": {"type": "incident", "title": title, "service": service, **more}}
        return str((await self.call("POST", "/incidents", body))["incident"]["id"])

    async def external_id(self, number: int = 1) -> str:
        link = await self.db.read(links.between, "int_test", number)
        assert link is not None
        assert link.external_id is not None
        return link.external_id

    async def there(self, number: int = 1) -> Json:
        answer = await self.call("GET", f"/incidents/{await self.external_id(number)}")
        found: Json = answer["incident"]
        return found

    async def forget_there(self, number: int) -> None:
        """As if PagerDuty had never heard of it."""
        self.sandbox._records.incidents.drop(await self.external_id(number))

    async def all_there(self) -> list[Json]:
        answer = await self.call("GET", "/incidents?date_range=all&limit=100")
        found: list[Json] = answer["incidents"]
        return found

    async def titles(self) -> list[str]:
        """Of all incidents here, in alphabetical order."""
        found = await self.db.read(incidents.page, limit=500)
        return sorted(one[Field.TITLE] or "" for one in found)

    def user(self, index: int) -> Mapping[str, str]:
        found: Mapping[str, str] = self.account["users"][index]
        return found


def assembled(
    db: Database, session: aiohttp.ClientSession, clock: Clock, rng: Random, path: Path | str
) -> Context:
    """A daemon's parts, put together as `imsyncd` does; nothing of it runs yet."""
    fleet = Fleet(
        db=db,
        connects=connecting(session, clock),
        now=clock,
        rng=rng,
        drift_interval=60,
        sweep_interval=300,
        rate_limit_share=0.5,
        sleep=clock.sleep,
        max_attempts=5,
    )
    return Context(
        db=db,
        fleet=fleet,
        now=clock,
        new_id=ids(rng),
        database=Path(str(path)),
        started_at=clock(),
        listen="127.0.0.1:1",
    )


@asynccontextmanager
async def town_of(
    path: Path | str = ":memory:", *, seed: int = 1, clock: Clock | None = None
) -> AsyncIterator[Town]:
    clock, rng = clock or Clock(), Random(seed)
    db = await Database.open(path)
    async with aiohttp.ClientSession() as session:
        sandbox = Sandbox(session=session, now=clock, rng=rng)
        witness = Witness(sandbox)
        await sandbox.start()
        context = assembled(db, session, clock, rng, path)
        context.sleep = lambda _: sandbox.step()  # whoever waits lets deliveries arrive
        server = TestServer(app.make(context))
        await server.start_server()
        try:
            yield Town(db, sandbox, session, context.fleet, clock, server, witness)
            witness.verdict()
        finally:
            await server.close()
            await sandbox.stop()
            await db.close()
