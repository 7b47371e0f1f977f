"""/integrations/{i}/webhook: its subscription there, installed, shown, proved, rotated, enabled."""

from typing import Any

from aiohttp import web

from imsync.api import shapes
from imsync.api.bodies import Installation, read
from imsync.api.caller import asking_of
from imsync.api.context import context_of
from imsync.api.crews import crew_of
from imsync.core import lag
from imsync.engine import addresses, installing, proving, subscription
from imsync.engine.fleet import Crew
from imsync.engine.installing import Installed
from imsync.errors import Clash, NotFound
from imsync.store import integrations, subscriptions
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.subscriptions import State


async def install(request: web.Request) -> web.Response:
    """Let one subscription lead here; one that does already stays. 201 when it was made."""
    body = await _asked(request)
    integration, crew = await crew_of(request)
    root = _root(request, integration, body.public_url)
    url, asking = addresses.address(root, integration.id), await asking_of(request)
    done = await installing.install(crew.account, url, asking)
    return await _done(request, crew, done, show_secret=body.show_secret)


async def rotate(request: web.Request) -> web.Response:
    """Put a new subscription with a new secret in its place."""
    body = await _asked(request)
    integration, crew = await crew_of(request)
    url = None
    if body.public_url is not None:
        url = addresses.address(_root(request, integration, body.public_url), integration.id)
    done = await installing.rotate(crew.account, url, await asking_of(request))
    return await _done(request, crew, done, show_secret=body.show_secret)


async def show(request: web.Request) -> web.Response:
    """As it was last seen, at most a minute ago while the integration is enabled."""
    return shapes.answer(await _shown(request))


async def ping(request: web.Request) -> web.Response:
    """Have a ping sent, and say whether it arrived, rightly signed."""
    integration, crew = await crew_of(request)
    account = crew.account
    known = await account.db.read(subscriptions.get, account.id)
    found = await subscription.look(account, known)
    if found is None:
        raise _none(integration.slug)
    if not found.active:
        hint = f"`im integration webhook enable {integration.slug}`"
        raise Clash(f"{found.id} delivers nothing: {found.because}", hint=hint)
    proof = await proving.prove(account, found.id, sleep=context_of(request).sleep)
    return shapes.answer(
        {
            "integration": integration.slug,
            "subscription_id": found.id,
            "url": found.url,
            "arrived": proof.took is not None,
            "took_ms": proof.took,
            "detail": proof.detail,
            "hint": proof.hint(integration.slug, found.url),
        }
    )


async def enable(request: web.Request) -> web.Response:
    """Let it deliver again, and sweep for what it has missed. Answers it as it now is."""
    integration, crew = await crew_of(request)
    account = crew.account
    if await subscription.mend(account, await asking_of(request)):
        crew.drift.bell.ring()
    known = await account.db.read(subscriptions.get, account.id)
    if known.state in (State.NONE, State.DELETED):
        raise _none(integration.slug)
    return shapes.answer(await _shown(request))


async def _asked(request: web.Request) -> Installation:
    """The body, which may be left out."""
    return await read(request, Installation) if request.can_read_body else Installation()


def _root(request: web.Request, integration: Integration, given: str | None) -> str:
    context = context_of(request)
    return addresses.root_of(
        given, context.public_url, listen=context.listen, base_url=integration.base_url
    )


async def _done(
    request: web.Request, crew: Crew, done: Installed, *, show_secret: bool
) -> web.Response:
    """The subscription as it now is. Its secret is told only here, and only on request."""
    crew.drift.bell.ring()  # whatever was not told before is looked for
    body = {**await _shown(request), "made": done.made, "detail": done.detail}
    if show_secret:
        body["secret"] = done.secret
    return shapes.answer(body, status=201 if done.made else 200)


async def _shown(request: web.Request) -> dict[str, Any]:
    context, name = context_of(request), request.match_info["name"]
    found = await context.db.read(shown, name, root=context.public_url, listen=context.listen)
    return shapes.with_times(found)


def _none(slug: str) -> NotFound:
    return NotFound(
        f"{slug} has no webhook subscription there",
        hint=f"`im integration webhook install {slug}` makes one",
    )


# Units of work.


def shown(conn: Connection, name: str, *, root: str | None, listen: str | None) -> dict[str, Any]:
    """All that is known of an integration's subscription. Raises NotFound, Clash.

    Whether it points here is not known (None) where nobody has said how we are reached,
    `root`, and it does not lead to where we listen.
    """
    integration = integrations.named(conn, name)
    row = subscriptions.get(conn, integration.id)
    here = addresses.address(root or f"http://{listen}", integration.id)
    there = row.external_id is not None and row.state is not State.DELETED
    same = row.url is not None and row.url.casefold() == here.casefold()
    knows_secret = subscription.knows_the_secret(conn, integration.id, row.external_id)
    return {
        "integration": integration.slug,
        "subscription_id": row.external_id,
        "state": row.state,
        "because": row.because,
        "url": row.url,
        "webhook_url": here,
        "points_here": same if there and (root or same) else None,
        "made_by": row.external_id and ("imsync" if row.installed_at else "hand"),
        "knows_secret": knows_secret if there else None,
        "secrets_in_force": len(integrations.secrets(conn, integration.id)),
        "replaced": subscriptions.replaced(conn, integration.id),
        "installed_at": row.installed_at,
        "checked_at": row.checked_at,
        "times_disabled": row.times_disabled,
        "times_enabled": row.times_enabled,
        "times_deleted": row.times_deleted,
        "disabled_at": row.disabled_at,
        "enabled_at": row.enabled_at,
        "last_delivery_at": integration.last_delivery_at,
        "lag": lag.summary(subscription.lags(conn, integration)),
        "refused_signatures": integration.refused_signatures,
        "refused_since_delivery": integration.refused_since_delivery,
        "problems": list(subscription.problems(conn, integration)),
    }
