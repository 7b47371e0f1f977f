"""The webhook subscription, looked after: look -> enable -> sweep; replaced -> deleted.

PagerDuty disables a subscription for a day when three deliveries in a row were refused, and
drops what it owed and everything meanwhile. Nobody is told: the flag has to be looked at.
Nothing dropped is sent again, so whatever a gap may have hidden is swept for at once.

One that was deleted is not made again by itself: somebody may have meant it. It is a
problem in the sync-status until a person installs another.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Subscription, Unusable
from imsync.core.fields import Instant, Side
from imsync.engine.account import Account
from imsync.engine.addresses import leads_to
from imsync.engine.bell import Bell
from imsync.errors import ExternalError, Gone, NotFound, Refused, Unauthorized
from imsync.store import audit, inbox, integrations, subscriptions
from imsync.store.audit import Action, Asking, Change
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.subscriptions import State, Watched

log = logging.getLogger(__name__)

EVERY: Final = 60.0
"""Seconds between looks: one call a minute, and no gap is longer before it is found."""

_LAGS: Final = 100
"""So many deliveries tell how long they take."""

GRACE: Final = 600_000
"""How long (ms) a secret stays in force once its subscription is deleted.

A deleted subscription sends nothing more, so the 48 hours of retries do not count. What was
on its way has the five seconds that PagerDuty waits; a proxy that holds and repeats requests
may take minutes.
"""


@dataclass(frozen=True, slots=True)
class Watch:
    """The loop that looks at one integration's subscription. `drift` is rung after a gap."""

    account: Account
    bell: Bell
    drift: Bell

    async def run(self) -> None:
        while not self.bell.stopped:
            await self.step()
            await self.bell.wait(EVERY)

    async def step(self) -> bool:
        """Look once, and mend what can be mended. False if it could not be looked at."""
        account = self.account
        try:
            if await account.suspended():
                return False
            await account.db.run(integrations.drop_expired_secrets, account.id, now=account.now())
            if await retire(account):
                self.drift.ring()  # what the deleted ones still owed us is not sent any more
            if await mend(account):
                self.drift.ring()
        except NotFound:
            return False  # the integration has just been deleted: this loop is about to stop
        except (Refused, Unauthorized) as error:
            # Not a reason to suspend: a key may well sync incidents and not see subscriptions.
            await account.db.run(subscriptions.hidden, account.id, str(error), now=account.now())
            return False
        except ExternalError as error:
            log.warning("%s: cannot see its subscription: %s", account.integration.slug, error)
            return False
        return True


async def mend(account: Account, asking: Asking | None = None) -> bool:
    """Look at the subscription, and enable it if it needs that. True if a gap has ended.

    What is seen is kept, also that enabling failed. `asking`: who has this done, if anybody.
    Raises ExternalError.
    """
    was = await account.db.read(subscriptions.get, account.id)
    found = await look(account, was)
    stands = await account.db.run(note, was, found, now=account.now())
    if found is None or not stands or not await enable(account, found, asking):
        return False
    return not found.active or was.state is State.DISABLED


async def look(account: Account, was: Watched) -> Subscription | None:
    """How the subscription that was known stands now; None if none leads here.

    Costs one call as long as it is there. Raises ExternalError.
    """
    connector = account.connector
    if was.external_id is not None and was.state is not State.DELETED:
        known = was.external_id
        try:
            return await account.ask(lambda: connector.subscription(known))
        except Gone:
            log.warning("%s: its subscription %s is gone", account.integration.slug, known)
    return next(iter(await leading_here(account)), None)


async def leading_here(account: Account) -> Sequence[Subscription]:
    """All subscriptions there that lead to this integration, whoever made them.

    Those that deliver come first. Raises ExternalError.
    """
    found: list[Subscription] = []
    start: int | None = 0
    while start is not None:
        page = await account.ask(partial(account.connector.subscriptions, start))
        found += [one for one in page.items if leads_to(one.url, account.id)]
        start = page.next
    return sorted(found, key=lambda one: (not one.active, one.id))


async def enable(account: Account, found: Subscription, asking: Asking | None = None) -> bool:
    """Let it deliver again. False if that failed; why is kept."""
    if found.active:
        return True
    log.warning("%s: %s: enabling it", account.integration.slug, found.because)
    try:
        await account.ask(lambda: account.connector.enable(found.id))
    except ExternalError as error:
        failed = replace(found, because=f"{found.because}; enabling it failed: {error}")
        await account.db.run(see, account.id, failed, now=account.now())
        return False
    await account.db.run(enabled, account.id, found, asking, now=account.now())
    return True


async def retire(account: Account) -> int:
    """Delete there what a newer subscription has replaced; how many of them.

    What cannot be deleted now is tried again at every look.
    """
    deleted = 0
    for old in await account.db.read(subscriptions.replaced, account.id):
        try:
            await account.ask(partial(account.connector.unsubscribe, old))
        except ExternalError as error:
            slug = account.integration.slug
            log.warning("%s: cannot delete the old subscription %s: %s", slug, old, error)
            continue
        await account.db.run(retired, account.id, old, now=account.now())
        deleted += 1
    return deleted


# Units of work.


def note(conn: Connection, was: Watched, found: Subscription | None, *, now: Instant) -> bool:
    """Remember what a look has seen. False if another has been installed since it began."""
    integration_id = was.integration_id
    if subscriptions.get(conn, integration_id).external_id != was.external_id:
        return False
    if found is None:
        subscriptions.missed(conn, integration_id, now=now)
    else:
        see(conn, integration_id, found, now=now)
    return True


def see(conn: Connection, integration_id: str, found: Subscription, *, now: Instant) -> None:
    """Remember how a subscription stands there."""
    subscriptions.seen(
        conn,
        integration_id,
        found.id,
        found.url,
        active=found.active,
        because=found.because,
        now=now,
    )


def enabled(
    conn: Connection,
    integration_id: str,
    found: Subscription,
    asking: Asking | None,
    *,
    now: Instant,
) -> None:
    """It delivers again."""
    subscriptions.enabled(conn, integration_id, found.id, now=now)
    if asking is not None:
        asking = replace(asking, action=Action.ENABLED)
    changes = {f"subscription {found.id}": Change(found.because or "disabled", "enabled")}
    audit.integration_changed(conn, asking, integration_id, changes, now=now)


def retired(conn: Connection, integration_id: str, external_id: str, *, now: Instant) -> None:
    """It is deleted there. With the last of them, all secrets go but the present one's.

    Nothing goes while the present one is one whose secret was given by hand.
    """
    subscriptions.gone(conn, integration_id, external_id)
    present = subscriptions.get(conn, integration_id).external_id
    owners = integrations.secret_owners(conn, integration_id)
    if present in owners and present and not subscriptions.replaced(conn, integration_id):
        integrations.expire_secrets(conn, integration_id, but=present, at=Instant(now + GRACE))


def knows_the_secret(conn: Connection, integration_id: str, external_id: str | None) -> bool:
    """Whether a secret in force is that subscription's, or was given by hand and may be."""
    return not integrations.secret_owners(conn, integration_id).isdisjoint({external_id, None})


def lags(conn: Connection, integration: Integration) -> list[int]:
    """How long (ms, sorted) the last deliveries took, of those that say when they left."""
    translation, offset = TRANSLATIONS[integration.integration_type], integration.clock_offset
    found = list[int]()
    for kept in inbox.latest(conn, integration.id, last=_LAGS):
        with suppress(Unusable):
            if left := translation.parse(kept.body, offset=offset).at:
                found.append(max(0, kept.received_at - left))
    return sorted(found)


def problems(conn: Connection, integration: Integration) -> Iterator[str]:
    """What is wrong with an integration's deliveries, and what to do about it."""
    slug, known = integration.slug, subscriptions.get(conn, integration.id)
    install = f"`im integration webhook install {slug}`"
    if known.state is State.NONE and integration.sync_direction.lets(Side.EXTERNAL):
        yield (
            "no webhook subscription leads here, so what happens in PagerDuty is found only by"
            f" looking: {install}"
        )
    if known.state is State.DELETED:
        yield (
            f"the webhook subscription {known.external_id} was deleted in PagerDuty, so nothing"
            f" is told at once: {install} makes a new one"
        )
    if known.state is State.DISABLED:
        yield (
            f"the webhook subscription {known.external_id} delivers nothing: {known.because};"
            f" `im integration webhook enable {slug}`"
        )
    standing = known.external_id is not None and known.state in (State.ACTIVE, State.DISABLED)
    if standing and not knows_the_secret(conn, integration.id, known.external_id):
        yield (
            f"the webhook subscription {known.external_id} signs with a secret that is not known"
            f" here: {install} makes one whose secret is"
        )
    if refused := integration.refused_since_delivery:
        what = "delivery was" if refused == 1 else "deliveries were"
        yield (
            f"{refused} {what} refused since the last good one: wrong secret?"
            f" `im integration webhook ping {slug}` tells, `… rotate {slug}` makes a new one"
        )
