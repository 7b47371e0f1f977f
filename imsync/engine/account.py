"""One integration at work: the account over there, and the permits to ask it."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TypeVar

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import (
    LOOKED_UP,
    Connector,
    Entry,
    Kind,
    Operation,
    Snapshot,
    Translation,
)
from imsync.core.covered import IN_FLIGHT
from imsync.core.fields import Field, Instant, Value
from imsync.core.maps import NotLookedUp, NoTranslation
from imsync.core.schedule import RetryPolicy
from imsync.engine import acting
from imsync.engine.carry_out import maps_of
from imsync.engine.limiter import Limiter
from imsync.errors import (
    ExternalError,
    Gone,
    NoSuchUser,
    Refused,
    Unauthorized,
    Unavailable,
    Unknown,
)
from imsync.store import directory, inbox, integrations
from imsync.store.database import Connection, Database
from imsync.store.integrations import Integration

log = logging.getLogger(__name__)
T = TypeVar("T")

_BLIND = 1_000
"""How long (ms) to ask nothing more of what was refused as too often, when it is not said."""

_STALE = IN_FLIGHT // 3
"""How long (ms) after it was decided a write may leave: a host that slept, or a process that
was stopped, goes on where it was. The rest is for the way there."""

_PATIENCE = 5_000
"""How long (ms) somebody who asked is made to wait for a permit."""


@dataclass(frozen=True, slots=True)
class Need:
    """A name (or an id) that has to be looked up before a value can cross."""

    kind: Kind
    name: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """The other side does not answer as it should: since when, and what it did last."""

    since: Instant
    message: str


@dataclass(slots=True)
class Account:
    """What the loops of one integration share: connection, permits, clock, chance."""

    integration: Integration
    connector: Connector
    limiter: Limiter
    db: Database
    now: Callable[[], Instant]
    rng: Random
    max_attempts: int
    priorities: dict[str, str] = field(default_factory=dict)  # name -> id
    trouble: Trouble | None = None  # while requests fail
    loaded: bool = False  # the account's priorities are known

    @property
    def id(self) -> str:
        return self.integration.id

    @property
    def translation(self) -> Translation:
        return TRANSLATIONS[self.integration.integration_type]

    @property
    def retries(self) -> RetryPolicy:
        return RetryPolicy(self.integration.backoff_multiplier, self.max_attempts)

    async def ask(
        self, request: Callable[[], Awaitable[T]], operation: Operation = Operation.OTHER
    ) -> T:
        """Make one request to the other side, when there is a permit for it.

        This is the only place that meets a connector's bugs: they cost the item in hand
        an attempt, not the loop. Raises ExternalError.
        """
        await self.limiter.acquire(operation)
        return await self.ask_at_once(request, operation)

    def must_answer_soon(self, operation: Operation = Operation.OTHER) -> None:
        """Raise Unavailable when there is no permit for longer than somebody who asks waits."""
        if (wait := self.limiter.closed_for(operation)) > _PATIENCE:
            raise Unavailable(
                f"the rate limit of {self.integration.slug} is used up for another"
                f" {-(-wait // 1000)} s",
                hint="try again then",
                retry_after=wait,
            )

    async def ask_at_once(
        self, request: Callable[[], Awaitable[T]], operation: Operation = Operation.OTHER
    ) -> T:
        """The same with a permit that the caller has acquired."""
        try:
            answer = await request()
        except Unavailable as error:
            if error.limited:
                self.limiter.close(operation, for_ms=error.retry_after or _BLIND)
            else:
                since = self.trouble.since if self.trouble else self.now()
                self.trouble = Trouble(since, str(error))
            raise
        except ExternalError:
            self.trouble = None  # it said no, so it is there
            raise
        except Exception as error:
            log.exception("%s: a bug in the connector", self.integration.slug)
            raise Unknown(f"a bug in the connector: {type(error).__name__}") from error
        self.trouble = None
        return answer

    async def ask_for(
        self,
        actor: str | None,
        request: Callable[[str | None], Awaitable[T]],
        operation: Operation = Operation.OTHER,
        *,
        decided_at: Instant,
    ) -> tuple[T, str | None]:
        """Make a request on somebody's behalf, with a permit that the caller has acquired.

        The answer, and as whom it was made: as the integration's own user (None) when the
        other side no longer knows that person. Raises ExternalError: Unavailable, with nothing
        sent, when what was decided then is no longer to be relied on.
        """
        if (late := self.now() - decided_at) > _STALE:
            raise Unavailable(f"{late // 1000} s went by before it was sent: it is decided again")
        try:
            return await self.ask_at_once(lambda: request(actor), operation), actor
        except NoSuchUser as error:
            assert actor is not None  # nobody else can be unknown there
            log.warning("%s: %s", self.integration.slug, error)
            await self.db.run(keep, self.id, [Entry(Kind.USER, actor, None)], now=self.now())
        return await self.ask(lambda: request(None), operation), None

    async def suspended(self) -> bool:
        current = await self.db.read(integrations.get, self.id)
        return current.suspended_because is not None

    async def suspend(self, error: Unauthorized) -> None:
        """Stop until the test passes: one alarm, and no dead letters for what waits."""
        log.error("%s: suspended: %s %s", self.integration.slug, error, error.hint)
        because = f"{error}; {error.hint}" if error.hint else str(error)
        await self.db.run(integrations.suspend, self.id, because, now=self.now())

    async def resume(self) -> None:
        """The test passes: go on, and at once with all that has waited for it."""
        await self.db.run(resume, self.id, now=self.now())

    async def look_up(self, needs: Iterable[Need]) -> None:
        """Look names up and keep what was found, also that there was nothing.

        Who may not be asked about is as good as not there: that field stands still, and nothing
        else does. Raises ExternalError when the other side cannot say.
        """
        for need in needs:
            try:
                entries = await self.ask(partial(self._look_up, need))
            except Refused as error:
                log.warning("%s: cannot look up: %s", self.integration.slug, error)
                entries = [_unknown(need)]
            await self.db.run(keep, self.id, entries, now=self.now())

    async def _look_up(self, need: Need) -> Sequence[Entry]:
        if need.name is not None:
            return await self.connector.look_up(need.kind, need.name)
        assert need.id is not None  # a Need has one or the other
        try:
            return [await self.connector.look_up_id(need.kind, need.id)]
        except Gone:
            return [_unknown(need)]  # someone who has left the account

    async def get_ready(self, *, again: bool = False) -> None:
        """Learn what no value can be read or written without. Raises ExternalError.

        `again`: although it was learnt before.
        """
        if self.loaded and not again:
            return
        try:
            await self.load_priorities()
        except Refused as error:
            # Not for this key: as where there are none. `im integration test` says so.
            log.warning("%s: cannot list priorities: %s", self.integration.slug, error)
            self.loaded = True

    async def priorities_changed(self) -> bool:
        """Whether the account has others by now than we knew; nobody tells of that."""
        known = dict(self.priorities)
        try:
            await self.load_priorities()
        except ExternalError as error:
            log.warning("%s: cannot list priorities: %s", self.integration.slug, error)
            return False
        return known != self.priorities

    async def load_priorities(self) -> None:
        """Learn the account's priorities, if it has any. Raises ExternalError."""
        entries = await self.ask(self.connector.list_priorities)
        await self.db.run(keep_all, self.id, Kind.PRIORITY, entries, now=self.now())
        self.loaded = True
        self.priorities.clear()
        self.priorities.update({entry.name: entry.id for entry in entries if entry.id})


def _unknown(need: Need) -> Entry:
    """A name that nobody has there, or an id that is known by itself alone."""
    return Entry(need.kind, need.name or need.id or "", need.id)


# Units of work.


def resume(conn: Connection, integration_id: str, *, now: Instant) -> None:
    integrations.suspend(conn, integration_id, None, now=now)
    inbox.hurry(conn, integration_id, now=now)


def keep(conn: Connection, integration_id: str, entries: Iterable[Entry], *, now: Instant) -> None:
    for entry in entries:
        directory.put(conn, integration_id, entry.kind, entry.name, entry.id, now=now)


def keep_all(
    conn: Connection, integration_id: str, kind: Kind, entries: Sequence[Entry], *, now: Instant
) -> None:
    """Keep these, and forget every other of their kind: there are no more."""
    directory.forget_kind(conn, integration_id, kind)
    keep(conn, integration_id, entries, now=now)


def needs(
    conn: Connection,
    integration_id: str,
    *,
    snapshots: Iterable[Snapshot] = (),
    outgoing: Iterable[tuple[Field, Value]] = (),
    people: Iterable[str] = (),
) -> list[Need]:
    """What has to be looked up before these snapshots can be read, and these values written
    on behalf of these people."""
    integration = integrations.get(conn, integration_id)
    maps = maps_of(conn, integration)
    found: dict[Need, None] = {}
    for snapshot in snapshots:
        learnt = {(entry.kind, entry.id) for entry in snapshot.learnt}
        for field_, kind in LOOKED_UP.items():
            id_ = snapshot.fields.get(field_)
            if id_ is not None and (kind, id_) not in learnt:
                try:
                    maps[field_].decode(id_, given=None)
                except NotLookedUp:
                    found[Need(kind, id=id_)] = None
                except NoTranslation:
                    continue
    makers = [(Field.ASSIGNED_TO, by) for by in people if acting.may_act(integration, by)]
    for field_, value in [*outgoing, *makers]:
        if field_ in LOOKED_UP and value is not None:
            try:
                maps[field_].encode(value)
            except NotLookedUp:
                found[Need(LOOKED_UP[field_], name=value)] = None
            except NoTranslation:
                continue
    return list(found)
