"""Drift: look at the other side -> decide -> apply. What no webhook tells is found here.

The log tells who edited what since it was last read; a sweep lists what is open there and
fetches what was open and is no longer listed, or was edited though it is closed. Both run
when the daemon starts, for whatever happened while it was away, and at an interval.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from imsync.connectors.base import Change, Check, Snapshot
from imsync.core.fields import Instant
from imsync.core.merge import Verdict
from imsync.engine import inbound, linking, log_feed
from imsync.engine.account import Account, needs
from imsync.engine.bell import Bell
from imsync.engine.carry_out import reconcile, release_quiet
from imsync.engine.log_feed import Told
from imsync.engine.observe import observe
from imsync.errors import ExternalError, Gone, Unauthorized
from imsync.store import directory, integrations, links, outbox, writes
from imsync.store.database import Connection
from imsync.store.links import Link

log = logging.getLogger(__name__)

_MISSING_FOR = 600_000
"""How long (ms) a name that was not found is taken not to exist."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The loop that sweeps one integration. `outbound` is rung for what it finds owed."""

    account: Account
    bell: Bell
    outbound: Bell
    interval: float  # seconds

    async def run(self) -> None:
        while not self.bell.stopped:
            await self.step()
            await self.bell.wait(self.interval)

    async def step(self) -> bool:
        """Make one sweep. False if it could not be finished; the next one tries again."""
        account = self.account
        try:
            if await account.suspended() and not await self.resume():
                return False
            await account.db.run(release_quiet, account.id, now=account.now())
            await account.load_priorities()
            read_to = account.now()
            healed = await self.sweep(await self.read_log())
        except Unauthorized as error:
            await account.suspend(error)
            return False
        except ExternalError as error:
            log.warning("%s: the sweep stopped: %s", account.integration.slug, error)
            return False
        await account.db.run(swept, account.id, healed, read_to=read_to, now=account.now())
        self.outbound.ring()
        return True

    async def resume(self) -> bool:
        """Test a suspended integration; go on with it if it is well again."""
        checks = await self.account.connector.check()
        if not all_well(checks):
            return False
        log.warning("%s: resumed: the test passes again", self.account.integration.slug)
        await self.account.db.run(
            integrations.suspend, self.account.id, None, now=self.account.now()
        )
        return True

    async def read_log(self) -> Told:
        """Learn who edited what since the log was last read."""
        account, connector = self.account, self.account.connector
        current = await account.db.read(integrations.get, account.id)
        since = current.log_read_to or current.created_at
        changes: list[Change] = []
        start: int | None = 0
        while start is not None:
            page = await account.ask(lambda at=start: connector.feed(since, at))  # type: ignore[misc]
            changes = [*page.changes, *changes]
            start = page.next
        return await account.db.run(log_feed.read, account.id, changes, now=account.now())

    async def sweep(self, told: Told) -> int:
        """Look at what is open on either side or was edited; how many links had drifted."""
        account, connector = self.account, self.account.connector
        started, met, healed = account.now(), set[str](), 0
        start: int | None = 0
        while start is not None:
            page = await account.ask(lambda at=start: connector.list_open(at))  # type: ignore[misc]
            met.update(snapshot.external_id for snapshot in page.items)
            healed += await self.look_at(page.items, told)
            start = page.next
        for link in await account.db.read(unmet, account.id, told.incidents, met):
            external_id = link.external_id
            if external_id is None or link.created_at >= started:
                continue
            try:
                snapshot = await account.ask(lambda id_=external_id: connector.fetch(id_))  # type: ignore[misc]
            except Gone as error:
                await account.db.run(linking.gone, link.id, because=str(error), now=account.now())
                continue
            healed += await self.look_at([snapshot], told)
        return healed

    async def look_at(self, found: Sequence[Snapshot], told: Told) -> int:
        account = self.account
        snapshots = [told.dates(snapshot, account.translation) for snapshot in found]
        wanted = await account.db.read(needs, account.id, snapshots=snapshots)
        try:
            await account.look_up(wanted)
        except ExternalError as error:
            log.warning("%s: cannot look up: %s", account.integration.slug, error)
        return await account.db.run(apply, account.id, snapshots, now=account.now())


def all_well(checks: Iterable[Check]) -> bool:
    return all(check.ok for check in checks)


# Units of work.


def unmet(
    conn: Connection, integration_id: str, edited: Iterable[str], met: Collection[str]
) -> list[Link]:
    """The links to look at singly: believed open but not listed, or edited since, though closed."""
    wanted = {link.id: link for link in links.believed_open(conn, integration_id)}
    for external_id in edited:
        link = links.to(conn, integration_id, external_id)
        if link is not None and link.state == "linked":
            wanted[link.id] = link
    return [link for _, link in sorted(wanted.items()) if link.external_id not in met]


def apply(
    conn: Connection, integration_id: str, snapshots: Iterable[Snapshot], *, now: Instant
) -> int:
    """Decide on what was seen; how many links had drifted.

    A link with a write under way is left alone: the write's own look sees more.
    """
    integration = integrations.get(conn, integration_id)
    drifted = 0
    for snapshot in snapshots:
        link = links.to(conn, integration_id, snapshot.external_id)
        if link is None:
            inbound.unlinked(conn, integration, snapshot, appeared=False, by=None, now=now)
            continue
        owed = outbox.owed(conn, link.id)
        if "sending" in owed.values() or writes.unsettled(conn, link.id):
            continue
        observe(conn, link.id, snapshot, now=now)
        decisions = reconcile(conn, link.id, now=now)
        moving = {
            field
            for field, decision in decisions.items()
            if getattr(decision, "verdict", None) in (Verdict.ADOPT, Verdict.PUSH)
        }
        drifted += bool(moving - owed.keys())
    return drifted


def swept(
    conn: Connection, integration_id: str, healed: int, *, read_to: Instant, now: Instant
) -> None:
    integrations.note_sweep(conn, integration_id, now)
    integrations.note_log_read(conn, integration_id, read_to)
    integrations.note_healed(conn, integration_id, healed, now=now)
    directory.forget_missing(conn, integration_id, before=Instant(now - _MISSING_FOR))
