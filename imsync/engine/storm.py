"""A storm: so many links owe something that they are looked at and written together.

Listing what is open looks at a hundred incidents for one request, and a bulk write changes
up to 250. A bulk write is all or nothing: one that is refused is halved, until what is bad
stands alone and is refused by itself. What needs more than that goes singly, as ever.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from imsync.connectors.base import Operation, Snapshot
from imsync.core.fields import Field
from imsync.engine import giving_up, writing
from imsync.engine.account import Account, Need, needs
from imsync.engine.observe import undated
from imsync.engine.sending import Sender
from imsync.engine.writing import Batch
from imsync.errors import Refused, Unauthorized, Unavailable, Unknown
from imsync.store import links, outbox
from imsync.store.database import Connection
from imsync.store.outbox import Claim

log = logging.getLogger(__name__)

LEAST = 12
"""So many links with something due are a storm."""

MOST = 250
"""PagerDuty takes no more in one bulk write (its REST reference, "Manage incidents")."""

ROUND = 1_000
"""So many links are written after one look at what is open: the next look sees what is newer."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What one link has ready to be written, and to which incident there."""

    claim: Claim
    external_id: str
    batch: Batch


@dataclass(slots=True)
class Round:
    """The claims that one step holds, and how many batches each has yet to write."""

    held: dict[int, Claim]
    batches: dict[int, int] = field(default_factory=dict)

    def hold(self, claim: Claim, batches: int) -> None:
        """Hold a claim until so many batches are written; none: it is over with already."""
        self.batches[claim.link_id] = batches
        if not batches:
            self.let_go(claim)

    def wrote(self, claim: Claim) -> None:
        self.hold(claim, self.batches[claim.link_id] - 1)

    def let_go(self, claim: Claim) -> None:
        self.held.pop(claim.link_id, None)


@dataclass(frozen=True, slots=True)
class Storm:
    """Delivers many claims with few requests."""

    account: Account
    sender: Sender
    lease: int  # ms

    async def step(self) -> bool:
        """Deliver what is due on many links. False if there are too few for a storm.

        The caller has acquired the permit for the first request.
        """
        account = self.account
        due = await account.db.read(outbox.count_plain, account.id, now=account.now())
        if due < LEAST:
            return False
        round_ = Round({})
        try:
            await account.get_ready()
            listed = await self.listed()
            claims = await account.db.run(
                outbox.claim_plain, account.id, most=ROUND, now=account.now(), lease=self.lease
            )
            round_.held |= {claim.link_id: claim for claim in claims}
            await self.deliver(claims, listed, round_)
        except Unauthorized as error:
            await account.suspend(error)
        except (Unavailable, Refused) as error:
            log.warning("%s: the storm stopped: %s", account.integration.slug, error)
            if not round_.held:
                return False  # one link at a time will meet the same, and wait for its turn
        for claim in round_.held.values():
            await account.db.run(giving_up.give_back, claim)
        return True

    async def deliver(
        self, claims: Sequence[Claim], listed: dict[str, Snapshot], round_: Round
    ) -> None:
        account = self.account
        together, singly = await account.db.read(sorted_out, claims, listed)
        await account.look_up(await account.db.read(names_for, account.id, together, listed))
        for start in range(0, len(together), MOST):
            ready = list[Ready]()
            for claim in together[start : start + MOST]:
                ready += await self.prepared(claim, listed, round_)
            for part in _parts(ready):
                held = [one for one in part if one.claim.link_id in round_.held]
                await self.write(held, round_)
        for claim in singly:
            await account.limiter.acquire()
            round_.let_go(claim)
            await self.sender.deliver(claim)

    async def listed(self) -> dict[str, Snapshot]:
        """What is open there, by id. The first request has its permit already."""
        account, found = self.account, dict[str, Snapshot]()
        start: int | None = 0
        while start is not None:
            if start:
                await account.limiter.acquire()
            page = await account.ask_at_once(partial(account.connector.list_open, start))
            found |= {snapshot.external_id: snapshot for snapshot in page.items}
            start = page.next
        return found

    async def prepared(
        self, claim: Claim, listed: dict[str, Snapshot], round_: Round
    ) -> list[Ready]:
        """What the link still has to write, one for each person; none when nothing differs."""
        account = self.account
        link = await account.db.read(links.get, claim.link_id)
        external_id = link.external_id or ""
        snapshot = listed[external_id]
        batches = await account.db.run(writing.prepare, claim, snapshot, now=account.now())
        round_.hold(claim, len(batches))
        return [Ready(claim, external_id, batch) for batch in batches]

    async def write(self, part: Sequence[Ready], round_: Round) -> None:
        """Write these together; when that is refused, by halves, to find the bad one.

        Raises Unauthorized, and Unavailable when the others are better left for later too.
        """
        if len(part) < 2:
            for one in part:
                await self.write_one(one, round_)
            return
        account = self.account
        await account.limiter.acquire(Operation.WRITE_MANY)
        changes = {
            one.external_id: {name: write.value for name, write in one.batch.writes.items()}
            for one in part
        }
        try:
            answer, actor = await account.ask_for(
                part[0].batch.actor,
                lambda actor: account.connector.write_many(changes, actor=actor),
                Operation.WRITE_MANY,
                decided_at=min(one.batch.decided_at for one in part),
            )
        except Refused:
            middle = len(part) // 2
            await self.write(part[:middle], round_)
            await self.write(part[middle:], round_)
            return
        except Unavailable as error:
            for one in part:
                await self.later(one, error, round_)
            raise
        for one in part:
            snapshot = answer.get(one.external_id)
            if snapshot is None:
                unsaid = Unknown(f"the answer says nothing of {one.external_id}")
                await self.later(one, unsaid, round_)
                continue
            round_.wrote(one.claim)
            await account.db.run(
                writing.confirm,
                one.claim,
                one.batch.writes,
                snapshot,
                actor=actor,
                now=account.now(),
            )

    async def write_one(self, one: Ready, round_: Round) -> None:
        """Write one link's batch by itself. Raises Unauthorized."""
        account = self.account
        await account.limiter.acquire()
        try:
            await self.sender.write(one.claim, one.external_id, one.batch)
        except Unavailable as error:
            await self.later(one, error, round_)
        except Refused as error:
            round_.let_go(one.claim)
            await account.db.run(giving_up.bury, one.claim, error, now=account.now())
        else:
            round_.wrote(one.claim)

    async def later(self, one: Ready, error: Unavailable, round_: Round) -> None:
        round_.let_go(one.claim)
        await self.sender.try_later(one.claim, error)


def _parts(ready: Iterable[Ready]) -> list[list[Ready]]:
    """What may go together: the same person's, one of each incident, and the status last."""
    parts = dict[tuple[bool, str | None, int], list[Ready]]()
    seen = dict[tuple[str | None, str], int]()
    for one in ready:
        nth = seen.get((one.batch.actor, one.external_id), 0)
        seen[one.batch.actor, one.external_id] = nth + 1
        last = Field.STATUS in one.batch.writes
        parts.setdefault((last, one.batch.actor, nth), []).append(one)
    ordered = sorted(parts.items(), key=lambda item: item[0][0])
    return [part for _, part in ordered]


# Units of work.


def sorted_out(
    conn: Connection, claims: Iterable[Claim], listed: dict[str, Snapshot]
) -> tuple[list[Claim], list[Claim]]:
    """The claims that may go together, and those that need a look of their own.

    That is what is not open there, and where a conflict turns on an edit without a time.
    """
    together, singly = list[Claim](), list[Claim]()
    for claim in claims:
        snapshot = listed.get(links.get(conn, claim.link_id).external_id or "")
        plain = snapshot is not None and not undated(conn, claim.link_id, snapshot)
        (together if plain else singly).append(claim)
    return together, singly


def names_for(
    conn: Connection,
    integration_id: str,
    claims: Iterable[Claim],
    listed: dict[str, Snapshot],
) -> list[Need]:
    found = dict[Need, None]()
    for claim in claims:
        outgoing, people = writing.outgoing(conn, claim)
        snapshot = listed[links.get(conn, claim.link_id).external_id or ""]
        wanted = needs(conn, integration_id, snapshots=[snapshot], outgoing=outgoing, people=people)
        found |= dict.fromkeys(wanted)
    return list(found)
