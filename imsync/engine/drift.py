"""Drift: look at the other side -> decide -> apply. What no webhook tells is found here.

The log is polled at a short interval: it tells who edited what since it was last read, and
costs calls in proportion to what changed. A sweep lists what is open there and fetches what
was open and is no longer listed; it is made at a longer interval, and at once when the daemon
starts or the bell rings, for then there was a gap. Both keep to a share of the rate limit.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
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
    Sweep,
    SweepState,
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

_AT_ONCE = 100
"""So many incidents are decided in one transaction: others wait for it."""


class _Unfinished(Exception):
    """Nothing went wrong, and yet the sweep comes to no good end."""

    def __init__(self, state: SweepState, because: str) -> None:
        super().__init__(because)
        self.state = state


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
    sweep: Sweep = field(default_factory=Sweep)  # waited for, else under way, else the last
    _current: Sweep | None = None  # the one under way

    def ask_for_sweep(self, *, accept: bool) -> None:
        """Have a sweep made that begins after now. `accept`: it may change very much."""
        self.accepted = accept
        if self.sweep.state is not SweepState.WAITING:
            self.sweep = Sweep()
        self.bell.ring()

    async def run(self) -> None:
        gap = True
        while not self.bell.stopped:
            await self.step(whole=gap)
            gap = await self.bell.wait(self.interval)

    async def step(self, *, whole: bool = False) -> bool:
        """Poll, and sweep if that is due (or asked for as `whole`).

        False if it could not be finished; the next one tries again.
        """
        self._current = self._begin() if whole else None
        state, because = await self._outcome(whole=whole)
        if self._current is not None:
            self._current.end(state, because, now=self.account.now())
        if state is SweepState.DONE:
            self.owed()
        return state is SweepState.DONE

    def _begin(self) -> Sweep:
        """The sweep that somebody waits for begins, or one that nobody has asked for."""
        if self.sweep.state is not SweepState.WAITING:
            self.sweep = Sweep()
        self.sweep.state = SweepState.RUNNING
        return self.sweep

    async def _outcome(self, *, whole: bool) -> tuple[SweepState, str]:
        """How a step ended, and why."""
        account, slug = self.account, self.account.integration.slug
        try:
            await self._step(whole=whole)
        except Unauthorized as error:
            await account.suspend(error)
            return SweepState.FAILED, f"{error}; {error.hint}" if error.hint else str(error)
        except ExternalError as error:
            log.warning("%s: the sweep stopped: %s", slug, error)
            return SweepState.FAILED, str(error)
        except _Unfinished as error:
            return error.state, str(error)
        return SweepState.DONE, ""

    async def _step(self, *, whole: bool) -> None:
        """Raises ExternalError and _Unfinished."""
        account = self.account
        if await account.suspended():
            if not await self.resume():
                raise _Unfinished(SweepState.FAILED, "it is suspended, and its test does not pass")
            whole = True
        await account.db.run(let_go, account.id, now=account.now())
        await self.settle()
        whole = whole or await self.is_due()
        if whole and self._current is None:
            self._current = self._begin()
        await self.look(whole=whole)
        await self.read_names()

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
        await self.account.resume()
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

    async def look(self, *, whole: bool) -> None:
        """Look at what was edited, or (`whole`) at all that is open on either side too.

        Raises _Unfinished when a sweep would change very much: nothing was decided then.
        """
        account, sweep, accepted = self.account, self._current, self.accepted
        await account.get_ready(again=whole)
        read_to = account.now()
        told = await self.read_log()
        listed = whole or len(told.incidents) > _SINGLY
        found = await self.list_open() if listed else []
        more = await self.fetch(told, {one.external_id for one in found}, whole=listed)
        snapshots = await self.dated([*found, *more], told)
        if listed and not accepted and len(snapshots) > brake.FEW:
            would = await account.db.run(
                rehearsed, account.id, snapshots, told.incidents, now=account.now()
            )
            if brake.stops(would.drifted, len(snapshots)):
                await account.db.run(stop, account.id, would, len(snapshots), now=account.now())
                slug = account.integration.slug
                log.error("%s: stopped: a sweep would change %d incidents", slug, would.drifted)
                because = f"it would change {would.drifted} of {len(snapshots)} incidents at once"
                raise _Unfinished(SweepState.STOPPED, because)
        met = Met()
        for start in range(0, len(snapshots), _AT_ONCE):
            part = snapshots[start : start + _AT_ONCE]
            met += await account.db.run(apply, account.id, part, told.incidents, now=account.now())
            if sweep is not None:
                sweep.drifted, sweep.taken_in = met.drifted, met.taken_in
        over = partial(swept, open_there=len(found)) if listed else polled
        await account.db.run(over, account.id, met, read_to=read_to, now=account.now())
        if accepted:
            self.accepted = False

    async def read_log(self) -> Told:
        """Learn who edited what since the log was last read."""
        account, connector = self.account, self.account.connector
        current = await account.db.read(integrations.get, account.id)
        since = current.log_read_to or current.created_at
        changes: list[Change] = []
        start: int | None = 0
        while start is not None:
            page = await self.ask(partial(connector.feed, since, start))
            changes = [*page.changes, *changes]
            start = page.next
        return await account.db.run(log_feed.read, account.id, changes, now=account.now())

    async def list_open(self) -> list[Snapshot]:
        connector, found = self.account.connector, list[Snapshot]()
        start: int | None = 0
        while start is not None:
            page = await self.ask(partial(connector.list_open, start))
            found += page.items
            self._has_met(len(page.items))
            start = page.next
        return found

    def _has_met(self, more: int) -> None:
        if self._current is not None:
            self._current.met += more

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
                found.append(await self.ask(partial(connector.fetch, external_id)))
                self._has_met(1)
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
