"""Who is on call: asked at most once a minute, and told from memory when it cannot be asked.

PagerDuty limits these questions more narrowly than others. While that limit is used up, or
PagerDuty does not answer, what it said last is told, with its age.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from imsync.connectors.base import Kind, OnCall, Operation
from imsync.core.maps import NotLookedUp, NoTranslation
from imsync.engine import lookup
from imsync.engine.account import Account
from imsync.errors import NotFound, Refused, Unavailable
from imsync.store import oncall
from imsync.store.database import Connection
from imsync.store.directory import Directory
from imsync.store.oncall import Of, Roster, Shift

log = logging.getLogger(__name__)

FRESH: Final = 60_000
"""How long (ms) an answer is told again without asking."""

_PATIENCE: Final = 5.0
"""Seconds that somebody waits for a newer answer where there is an older one."""

_KIND: Final = {Of.SCHEDULE: Kind.SCHEDULE, Of.ESCALATION_POLICY: Kind.ESCALATION_POLICY}


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers for one integration. Those who ask at once wait for one another's answer."""

    account: Account
    _line: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def by_schedule(self, schedule_id: str) -> Roster:
        """Who is on call by that schedule. Raises NotFound, ExternalError."""
        async with self._line:
            return await self._who(Of.SCHEDULE, schedule_id)

    async def by_policy(self, policy: str) -> Roster:
        """Who is on call for that escalation policy, by its name or id. The same errors."""
        async with self._line:
            known = await self.account.db.read(known_policy, self.account.id, policy)
            if known is not None:
                try:
                    return await self._who(Of.ESCALATION_POLICY, known)
                except NotFound:
                    log.info("%s: %s is no longer known there", policy, known)
            id_ = await lookup.find(self.account, Kind.ESCALATION_POLICY, policy)
            return await self._who(Of.ESCALATION_POLICY, id_)

    async def _who(self, of: Of, id_: str) -> Roster:
        account = self.account
        kept = await account.db.read(oncall.get, account.id, of, id_)
        if kept is not None and 0 <= account.now() - kept.checked_at < FRESH:
            return kept
        try:
            async with asyncio.timeout(_PATIENCE if kept is not None else None):
                fresh = await self._ask(of, id_)
        except (Unavailable, TimeoutError) as error:
            if kept is None:
                raise
            slug = account.integration.slug
            log.warning("%s: who is on call is told from memory: %s", slug, error or "no answer")
            return kept
        except NotFound:
            await account.db.run(oncall.drop, account.id, of, id_)
            raise
        await account.db.run(oncall.put, account.id, of, id_, fresh)
        return fresh

    async def _ask(self, of: Of, id_: str) -> Roster:
        account, connector = self.account, self.account.connector
        account.must_answer_soon(Operation.ON_CALL)
        which = {"schedule_id": id_} if of is Of.SCHEDULE else {"policy_id": id_}
        asked = account.now()
        try:
            found = await account.ask(lambda: connector.on_call(**which), Operation.ON_CALL)
        except Refused:
            await lookup.by_id(account, _KIND[of], id_)
            raise
        if not found:  # nobody is on call, or there is no such thing: the answer looks the same
            await lookup.by_id(account, _KIND[of], id_)
        first = sorted(found, key=lambda one: one.level)  # who is to be asked first; else as told
        return Roster([shift(one) for one in first], asked)


def shift(found: OnCall) -> Shift:
    """Somebody on call, as it is kept and told."""
    return Shift(
        user=found.user,
        email=found.email,
        level=found.level,
        escalation_policy=found.policy,
        schedule=found.schedule,
        since=found.start,
        until=found.end,
    )


# Units of work.


def known_policy(conn: Connection, integration_id: str, wanted: str) -> str | None:
    """The id that a policy's name or id has in the directory, if it is there."""
    directory = Directory(conn, integration_id)
    try:
        return directory.id_of(Kind.ESCALATION_POLICY, wanted)
    except (NotLookedUp, NoTranslation):
        try:
            directory.name_of(Kind.ESCALATION_POLICY, wanted)
        except NotLookedUp:
            return None
        return wanted
