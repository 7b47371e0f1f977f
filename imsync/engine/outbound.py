"""Outbound: permit -> claim -> look -> decide -> write -> confirm.

The permit comes before the claim: whatever is edited while we wait our turn goes out
with the write we were waiting to make.
"""

from dataclasses import dataclass

from imsync.connectors.base import Operation
from imsync.engine.account import Account
from imsync.engine.bell import Bell
from imsync.engine.sending import Sender
from imsync.engine.storm import Storm
from imsync.store import outbox

LEASE = 180_000
"""Longer than all requests of one claim may take together (ms)."""

_IDLE = 30.0


@dataclass(frozen=True, slots=True)
class Outbound:
    """The loop that delivers what one integration owes."""

    account: Account
    bell: Bell

    async def run(self) -> None:
        while not self.bell.stopped:
            while not self.bell.stopped and await self.step():
                pass
            await self.bell.wait(await self.idle())

    async def idle(self) -> float:
        """Seconds until something is due that may be sent then."""
        account, closed = self.account, self.account.limiter.closed_for(Operation.CREATE)
        due = await account.db.read(outbox.next_due, account.id, creates=not closed)
        waits = [_IDLE, *([closed / 1000] if closed else [])]
        if due is not None:
            waits.append((due - account.now()) / 1000)
        return max(0.05, min(waits))

    async def step(self) -> bool:
        """Deliver what is due on one link, or in a storm on many. False if nothing is."""
        account, sender = self.account, Sender(self.account)
        # While no more may be created, what is there already still has its turn.
        creates = not account.limiter.closed_for(Operation.CREATE)
        due = await account.db.read(outbox.next_due, account.id, creates=creates)
        if due is None or due > account.now() or await account.suspended():
            return False
        await account.limiter.acquire()
        if await Storm(account, sender, lease=LEASE).step():
            return True
        claim = await account.db.run(
            outbox.claim, account.id, creates=creates, now=account.now(), lease=LEASE
        )
        if claim is None:
            return False
        await sender.deliver(claim)
        return True
