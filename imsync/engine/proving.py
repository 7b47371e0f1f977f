"""Does it work? A ping is sent over the subscription, and its arrival is awaited.

That it arrives proves all of the way: the address, the proxy, the signature, the disk.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from imsync.connectors.base import Check, Sort, Subscription, Translation, Unusable
from imsync.core.fields import Instant
from imsync.engine import addresses, subscription
from imsync.engine.account import Account
from imsync.errors import ExternalError, Refused, Unauthorized
from imsync.store import inbox, integrations, subscriptions
from imsync.store.database import Connection

PATIENCE: Final = 10.0
"""Seconds that a ping is waited for; PagerDuty sends it within two or three."""

_PAUSE: Final = 0.1
"""Seconds between looks into the inbox."""

_LATER: Final = "test it again when PagerDuty answers"

Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a ping: ms until it arrived, rightly signed; None if it did not."""

    took: int | None
    refused: int  # deliveries with a wrong signature meanwhile: it may have been one of them

    @property
    def detail(self) -> str:
        if self.took is not None:
            return f"a ping arrived after {self.took} ms, rightly signed"
        if self.refused:
            what = "a delivery" if self.refused == 1 else f"{self.refused} deliveries"
            return f"no ping arrived, but {what} with a wrong signature did"
        return f"no ping arrived within {PATIENCE:g} s"

    def hint(self, slug: str, url: str) -> str:
        """What would do."""
        if self.took is not None:
            return ""
        if self.refused:
            return f"`im integration webhook rotate {slug}` makes one whose secret is known"
        return f"does {url} lead to this daemon, through firewall and proxy?"


async def prove(account: Account, external_id: str, *, sleep: Sleep) -> Proof:
    """Have a ping sent, and wait for it to arrive. Raises ExternalError."""
    account.must_answer_soon()
    mark, refused = await account.db.read(_before, account.id)
    sent = account.now()
    await account.ask(lambda: account.connector.ping(external_id))
    for _ in range(round(PATIENCE / _PAUSE)):
        at = await account.db.read(arrival, account.id, account.translation, after=mark)
        if at is not None:
            return Proof(max(0, at - sent), 0)
        await sleep(_PAUSE)
    current = await account.db.read(integrations.get, account.id)
    return Proof(None, current.refused_signatures - refused)


async def checks(account: Account, *, root: str | None, sleep: Sleep) -> Sequence[Check]:
    """The lines of a test about the subscription: there, delivering, pointing here, signed.

    `root`: where the daemon says that it is reached. One after the other: when the first
    fails, the others could tell nothing.
    """
    slug = account.integration.slug
    watched = await account.db.read(subscriptions.get, account.id)
    try:
        found = await subscription.look(account, watched)
    except (Refused, Unauthorized) as error:
        # Nothing is known to be wrong: incidents are synced without seeing subscriptions.
        return [Check("subscription", True, f"its API key may not look at it: {error}")]
    except ExternalError as error:
        return [Check("subscription", False, str(error), error.hint or _LATER)]
    if found is None:
        hint = f"`im integration webhook install {slug}`"
        return [Check("subscription", False, "none leads here", hint)]
    ours = watched.installed_at is not None and watched.external_id == found.id
    made = "made by imsync" if ours else "made by hand"
    there = Check("subscription", True, f"{found.id}, {made}")
    if not found.active:
        hint = f"`im integration webhook enable {slug}`"
        return [there, Check("deliveries", False, found.because, hint)]
    delivers = Check("deliveries", True, "PagerDuty sends them")
    if not await account.db.read(subscription.knows_the_secret, account.id, found.id):
        hint = f"`im integration webhook install {slug}`"
        return [there, delivers, Check("signature", False, "its secret is not known here", hint)]
    try:
        proof = await prove(account, found.id, sleep=sleep)
    except (Refused, Unauthorized) as error:
        signed = Check("signature", True, f"its API key may not send a ping: {error}")
        return [there, delivers, _address(found, root, account, arrived=False), signed]
    except ExternalError as error:
        return [there, delivers, Check("signature", False, str(error), error.hint or _LATER)]
    arrived = proof.took is not None
    signed = Check("signature", arrived, proof.detail, proof.hint(slug, found.url))
    return [there, delivers, _address(found, root, account, arrived=arrived), signed]


def _address(found: Subscription, root: str | None, account: Account, *, arrived: bool) -> Check:
    """An arrival says more than a name does: the same host may have several."""
    expected = root and addresses.address(root, account.id)
    if arrived or expected is None or expected.casefold() == found.url.casefold():
        return Check("address", True, found.url)
    slug = account.integration.slug
    return Check(
        "address",
        False,
        f"{found.url}, but this daemon is at {expected}",
        f"`im integration webhook install {slug}`",
    )


# Units of work.


def _before(conn: Connection, integration_id: str) -> tuple[int, int]:
    return inbox.last(conn), integrations.get(conn, integration_id).refused_signatures


def arrival(
    conn: Connection, integration_id: str, translation: Translation, *, after: int
) -> Instant | None:
    """When the first proof of the way arrived since that delivery; None if none did."""
    for kept in inbox.about_nothing(conn, integration_id, after=after):
        try:
            if translation.parse(kept.body, offset=0).sort is Sort.PROOF:
                return kept.received_at
        except Unusable:
            continue
    return None
