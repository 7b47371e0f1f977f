"""Installing a webhook subscription: make the new one -> keep its secret -> delete the old.

In this order, so that no moment is without one that delivers. A crash or a lost answer
leaves at worst one that leads here and whose secret nobody knows: the next install finds
it by its address, makes another, and deletes it.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from imsync.connectors.base import Subscription
from imsync.core.fields import Instant
from imsync.engine import subscription
from imsync.engine.account import Account
from imsync.engine.subscription import leading_here
from imsync.errors import NotFound, Refused, Unauthorized, Unknown
from imsync.store import audit, integrations, subscriptions
from imsync.store.audit import SECRET, Action, Asking, Change
from imsync.store.database import Connection
from imsync.store.subscriptions import State

log = logging.getLogger(__name__)

_PATIENCE: Final = 5.0
"""Seconds that deleting an integration waits for its account."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What came of it. `secret` only of a subscription that was made just now."""

    external_id: str
    url: str
    made: bool
    detail: str  # what was done, for people
    secret: str | None = field(default=None, repr=False)


async def install(account: Account, url: str, asking: Asking | None = None) -> Installed:
    """Have one subscription lead to `url` whose secret we have; doing it twice changes nothing.

    One made by hand, to that address and with its secret given by hand, is left as it is:
    its scope is somebody's choice. Unless deliveries are refused: then the secret is not its own.
    `asking`: who has this done, if anybody. Raises ExternalError.
    """
    ours = await _listed(account)
    known = await account.db.read(usable, account.id, ours, url)
    if known is None:
        return await _make(account, url, asking, replacing=ours)
    await account.db.run(keep_known, account.id, known, url, ours, asking, now=account.now())
    detail = f"{known.id} leads here already"
    if known.active:
        detail += ": nothing is changed"
    elif await subscription.enable(account, known, asking):
        detail += "; it was disabled, and is enabled again"
    else:
        detail += "; it is disabled, and could not be enabled"
    if deleted := await subscription.retire(account):
        detail += f"; {deleted} older ones are deleted" if deleted > 1 else "; an older is deleted"
    return Installed(known.id, url, False, detail)


async def rotate(account: Account, url: str | None, asking: Asking | None = None) -> Installed:
    """Put a new subscription, and so a new secret, in the place of the present one.

    Both secrets are good until the old one is deleted, and for `subscription.GRACE` after.
    `url` None: where the present one leads. `asking`: who has this done, if anybody.
    Raises NotFound where there is none, ExternalError.
    """
    ours = await _listed(account)
    if not ours:
        slug = account.integration.slug
        raise NotFound(
            f"{slug} has no webhook subscription to rotate",
            hint=f"`im integration webhook install {slug}` makes one",
        )
    if url is None:
        known = await account.db.read(subscriptions.get, account.id)
        stands = known.external_id in {one.id for one in ours}
        url = known.url if stands and known.url else ours[0].url
    return await _make(account, url, asking, replacing=ours)


async def uninstall(account: Account, asking: Asking | None = None) -> None:
    """Delete the subscription that we made before its integration goes: it would send forever.

    What fails is only logged: an integration can be deleted whose account is long gone.
    """
    await account.db.run(let_go, account.id, asking, now=account.now())
    try:
        async with asyncio.timeout(_PATIENCE):
            await subscription.retire(account)
    except TimeoutError:
        log.warning("%s: no time to delete its subscription", account.integration.slug)


async def _listed(account: Account) -> Sequence[Subscription]:
    """All that lead here. Raises ExternalError, with a hint for a key that may not look."""
    account.must_answer_soon()
    try:
        return await leading_here(account)
    except (Refused, Unauthorized) as error:
        raise _hinted(error, account) from None


async def _make(
    account: Account, url: str, asking: Asking | None, *, replacing: Iterable[Subscription]
) -> Installed:
    try:
        made = await account.ask(lambda: account.connector.subscribe(url))
    except Unknown as error:
        error.hint = "install again: what may have been made is found by its address and deleted"
        raise
    except (Refused, Unauthorized) as error:
        raise _hinted(error, account) from None
    if made.secret is None:
        raise Unknown(
            f"the subscription {made.id} was made, but its secret was not told",
            hint="install again: it is found by its address and deleted",
        )
    old = [one.id for one in replacing]
    await account.db.run(keep, account.id, made, url, old, asking, now=account.now())
    await subscription.retire(account)
    detail = f"made {made.id}"
    if old:
        detail += f" in place of {', '.join(old)}"
    if left := await account.db.read(subscriptions.replaced, account.id):
        detail += f"; {', '.join(left)} could not be deleted yet, and will be"
    return Installed(made.id, url, True, detail, made.secret)


def _hinted(error: Refused | Unauthorized, account: Account) -> Refused | Unauthorized:
    """The error, with a hint if the key may not do that."""
    if isinstance(error, Unauthorized) or error.status == 403:
        slug = account.integration.slug
        error.hint = (
            "use an API key that may do that, or make the webhook in PagerDuty by hand and"
            f" give its secret: `im integration configure {slug} --webhook-secret-file -`"
        )
    return error


# Units of work.


def usable(
    conn: Connection, integration_id: str, ours: Sequence[Subscription], url: str
) -> Subscription | None:
    """The one of these that leads to `url` and whose secret we have.

    A secret given by hand says not whose it is: it is taken to be that of the only one,
    unless deliveries were refused since the last good one.
    """
    known = subscriptions.get(conn, integration_id)
    owners = integrations.secret_owners(conn, integration_id)
    integration = integrations.get(conn, integration_id)
    by_hand = None in owners and len(ours) == 1 and not integration.refused_since_delivery
    for one in ours:
        # PagerDuty may write an address otherwise than we did.
        leads = known.url if one.id == known.external_id else one.url
        same = leads is not None and leads.casefold() == url.casefold()
        if same and (one.id in owners or by_hand):
            return one
    return None


def keep(
    conn: Connection,
    integration_id: str,
    made: Subscription,
    url: str,
    old: Iterable[str],
    asking: Asking | None = None,
    *,
    now: Instant,
) -> None:
    """The new subscription, its secret, and what it replaces: all of it, or nothing.

    Raises NotFound when the integration was deleted meanwhile.
    """
    assert made.secret is not None  # one without is never kept
    integrations.get(conn, integration_id)
    before = subscriptions.get(conn, integration_id)
    if before.external_id and before.state is not State.DELETED:
        old = {*old, before.external_id}  # somebody else may have installed it just now
    integrations.add_secret(conn, integration_id, made.secret, subscription_id=made.id, now=now)
    subscriptions.installed(conn, integration_id, made.id, url, now=now)
    subscriptions.note_replaced(conn, integration_id, old, now=now)
    changes = {
        "subscription": Change(before.external_id, made.id),
        "url": Change(before.url, url),
        "webhook_secret": SECRET,
    }
    audit.integration_changed(conn, asking, integration_id, changes, now=now)


def let_go(
    conn: Connection, integration_id: str, asking: Asking | None = None, *, now: Instant
) -> None:
    """The subscription that we have made is to be deleted; one made by hand is somebody's."""
    known = subscriptions.get(conn, integration_id)
    if known.external_id and known.installed_at is not None:
        subscriptions.note_replaced(conn, integration_id, [known.external_id], now=now)
        subscriptions.forget(conn, integration_id)
        if asking is not None:
            asking = replace(asking, action=Action.UNINSTALLED)
        changes = {"subscription": Change(known.external_id, None)}
        audit.integration_changed(conn, asking, integration_id, changes, now=now)


def keep_known(
    conn: Connection,
    integration_id: str,
    found: Subscription,
    url: str,
    ours: Iterable[Subscription],
    asking: Asking | None = None,
    *,
    now: Instant,
) -> None:
    """The one to look after is that; what else leads here has a secret that nobody knows."""
    before = subscriptions.get(conn, integration_id).external_id
    subscription.see(conn, integration_id, replace(found, url=url), now=now)
    others = [one.id for one in ours if one.id != found.id]
    subscriptions.note_replaced(conn, integration_id, others, now=now)
    changes = {f"subscription {id_}": Change(None, "to be deleted") for id_ in others}
    if before != found.id:
        changes["subscription"] = Change(before, found.id)
    if changes:
        audit.integration_changed(conn, asking, integration_id, changes, now=now)
