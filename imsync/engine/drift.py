"""Drift: look at the other side -> decide -> apply. What no webhook tells is found here.

The log is polled at a short interval: it tells who edited what since it was last read, and
costs calls in proportion to what changed. A sweep lists what is open there and fetches what
was open and is no longer listed; it is made at a longer interval, and at once when the daemon
starts or the bell rings, for then there was a gap. Both keep to a share of the rate limit.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from imsync.connectors.base import Change, Snapshot
from imsync.core import brake
from imsync.engine import checkup, linking, log_feed, settling
from imsync.engine.account import Account, Need, needs
from imsync.engine.bell import Bell
from imsync.engine.dating import date, date_found
from imsync.engine.limiter import Limiter
from imsync.engine.log_feed import Told
from imsync.engine.sweeping import (
    Met,
    apply,
    decide,
    let_go,
    polled,
    rehearsed,
    stop,
    swept,
    turning,
    unmet,
    unnamed,
)
from imsync.errors import ExternalError, Gone, Refused, Unauthorized
from imsync.store import integrations, links, writes

log = logging.getLogger(__name__)
T = TypeVar("T")

_SINGLY = 20
"""So many edited incidents are fetched one by one; more are found by listing what is open."""


@dataclass(slots=True)
class Drift:
    """The loop that polls and sweeps one integration. `owed` is called after each look."""

    account: Account
    bell: Bell
    owed: Callable[[], None]
    share: Limiter  # what of the rate limit is for looking
    interval: float  # seconds between polls
    sweep_interval: float  # seconds between sweeps
    accepted: bool = False  # a person has said that the next sweep may change very much

    async def run(self) -> None:
        gap = True
        while not self.bell.stopped:
            await self.step(whole=gap)
            gap = await self.bell.wait(self.interval)

    async def step(self, *, whole: bool = False) -> bool:
        """Poll, and sweep if that is due (or asked for as `whole`).

        False if it could not be finished; the next one tries again.
        """
        account = self.account
        try:
            if await account.suspended():
                if not await self.resume():
                    return False
                whole = True
            await account.db.run(let_go, account.id, now=account.now())
            await self.settle()
            whole = whole or await self.is_due()
            if not await self.look(whole=whole):
                return False
            await self.read_names()
        except Unauthorized as error:
            await account.suspend(error)
            return False
        except ExternalError as error:
            log.warning("%s: the sweep stopped: %s", account.integration.slug, error)
            return False
        self.owed()
        return True

    async def is_due(self) -> bool:
        """Whether the last sweep is long enough ago; one that was stopped was none."""
        current = await self.account.db.read(integrations.get, self.account.id)
        last = current.last_sweep_at
        return last is None or self.account.now() - last >= self.sweep_interval * 1_000

    async def resume(self) -> bool:
        """Test a suspended integration; go on with it if it is well again."""
        if not checkup.is_well(await checkup.the_account(self.account)):
            return False
        log.warning("%s: resumed: the test passes again", self.account.integration.slug)
        await self.account.db.run(
            integrations.suspend, self.account.id, None, now=self.account.now()
        )
        return True

    async def settle(self) -> None:
        """Learn what became of writes that were given up on while nobody knew."""
        account = self.account
        for link_id in await account.db.read(writes.abandoned, account.id):
            try:
                await settling.ask(account, await account.db.read(links.get, link_id))
            except Gone as error:
                because = str(error)
                await account.db.run(linking.gone, link_id, because=because, now=account.now())
            except Refused as error:
                log.warning("%s: cannot be settled: %s", account.integration.slug, error)
                await account.db.run(writes.give_up, link_id)
            else:
                await account.db.run(decide, [link_id], now=account.now())

    async def look(self, *, whole: bool) -> bool:
        """Look at what was edited, or (`whole`) at all that is open on either side too.

        False when a sweep would change very much: nothing was decided then.
        """
        account = self.account
        await (account.load_priorities() if whole else account.get_ready())
        read_to = account.now()
        told = await self.read_log()
        listed = whole or len(told.incidents) > _SINGLY
        found = await self.list_open() if listed else []
        more = await self.fetch(told, {one.external_id for one in found}, whole=listed)
        snapshots = await self.dated([*found, *more], told)
        if listed and not self.accepted and len(snapshots) > brake.FEW:
            would = await account.db.run(
                rehearsed, account.id, snapshots, told.incidents, now=account.now()
            )
            if brake.stops(would.drifted, len(snapshots)):
                await account.db.run(stop, account.id, would, len(snapshots), now=account.now())
                slug = account.integration.slug
                log.error("%s: stopped: a sweep would change %d incidents", slug, would.drifted)
                return False
        met = Met()
        for start in range(0, len(snapshots), _AT_ONCE):
            part = snapshots[start : start + _AT_ONCE]
            met += await account.db.run(apply, account.id, part, told.incidents, now=account.now())
        over = partial(swept, open_there=len(found)) if listed else polled
        await account.db.run(over, account.id, met, read_to=read_to, now=account.now())
        self.accepted = False
        return True

    async def read_log(self) -> Told:
        """Learn who edited what since the log was last read."""
        account, connector = self.account, self.account.connector
        current = await account.db.read(integrations.get, account.id)
        since = current.log_read_to or current.created_at
        changes: list[Change] = []
        start: int | None = 0
        while start is not None:
            page = await self.ask(lambda at=start: connector.feed(since, at))  # type: ignore[misc]
            changes = [*page.changes, *changes]
            start = page.next
        return await account.db.run(log_feed.read, account.id, changes, now=account.now())

    async def list_open(self) -> list[Snapshot]:
        connector, found = self.account.connector, list[Snapshot]()
        start: int | None = 0
        while start is not None:
            page = await self.ask(lambda at=start: connector.list_open(at))  # type: ignore[misc]
            found += page.items
            start = page.next
        return found

    async def fetch(self, told: Told, met: set[str], *, whole: bool) -> list[Snapshot]:
        """Look singly at what was edited, or (`whole`) is believed open, and is not yet met."""
        account, connector = self.account, self.account.connector
        started, found = account.now(), list[Snapshot]()
        wanted = await account.db.read(unmet, account.id, told, met, whole=whole)
        for external_id in wanted:
            link = await account.db.read(links.to, account.id, external_id)
            if link is not None and link.created_at >= started:
                continue
            try:
                found.append(await self.ask(lambda id_=external_id: connector.fetch(id_)))  # type: ignore[misc]
            except Gone as error:
                if link is not None:
                    because = str(error)
                    await account.db.run(linking.gone, link.id, because=because, now=account.now())
        return found

    async def read_names(self) -> None:
        """Learn whose ids were seen when nobody could be asked: they may never be shown again."""
        account = self.account
        for kind, unread in (await account.db.read(unnamed, account.id)).items():
            await account.look_up(Need(kind, id=id_) for id_ in dict.fromkeys(unread.values()))
            await account.db.run(decide, unread, now=account.now())

    async def dated(self, found: Iterable[Snapshot], told: Told) -> Sequence[Snapshot]:
        """What was seen, with the times and the names that are needed to decide on it."""
        account = self.account
        snapshots = [told.dates(snapshot, account.translation) for snapshot in found]
        for at, link in await account.db.read(turning, account.id, snapshots):
            dates = date_found if link.state == "creating" else date
            snapshots[at] = await dates(account, link, snapshots[at])
        wanted = await account.db.read(needs, account.id, snapshots=snapshots)
        try:
            await account.look_up(wanted)
        except ExternalError as error:
            log.warning("%s: cannot look up: %s", account.integration.slug, error)
        return snapshots

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request within the share that is for looking."""
        await self.share.acquire()
        return await self.account.ask(request)


_AT_ONCE = 100
"""So many incidents are decided in one transaction: others wait for it."""
