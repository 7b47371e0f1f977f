"""/integrations: configure them, test them, and see how they are doing."""

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web
from pydantic import SecretStr
from yarl import URL

from imsync.api import access, audit, plans, shapes
from imsync.api.answers.integrations import Integration as Shape
from imsync.api.answers.integrations import Link
from imsync.api.bodies import IntegrationChanges, NewIntegration, given, read
from imsync.api.caller import CALLER, asking_of
from imsync.api.context import Context, context_of
from imsync.api.headers import actor_of
from imsync.api.links import shape as shape_of_link
from imsync.api.parameters import LinkQuery, asked, cursor_of, limit_of
from imsync.connectors.base import Check
from imsync.engine import checkup, configure, installing, services
from imsync.engine.status import sync_status
from imsync.errors import Clash, UserError
from imsync.store import dead_letters, incidents, integrations, links
from imsync.store.audit import SECRET, Change, Told
from imsync.store.database import Connection, undone
from imsync.store.integrations import Integration

_MAY_BE_EMPTY = ("organization_id", "from_email", "default_service")


async def create(request: web.Request) -> web.Response:
    """Configure a new integration, and set it to work."""
    context, body = context_of(request), await read(request, NewIntegration)
    id_, settings, secret = context.new_id("int_"), _settings(body), _secret(body)
    now, by = context.now(), actor_of(request)

    def work(conn: Connection) -> Integration:
        return configure.create(
            conn,
            id_,
            settings,
            integration_type=body.integration_type,
            webhook_secret=secret,
            now=now,
            by=by,
        )

    await _check_service(context, settings, work)
    made = await audit.recorded(
        request, work, lambda made: _told_made(made, has_secret=secret is not None)
    )
    await context.fleet.refresh(made.id)
    return shapes.answer(await _shape(context, made), status=201)


async def change(request: web.Request) -> web.Response:
    """Set only what is given. It takes effect at once on what is pending, and says how."""
    context, body = context_of(request), await read(request, IntegrationChanges)
    name, settings, secret = request.match_info["name"], _settings(body), _secret(body)
    now, by, trusted = context.now(), actor_of(request), request[CALLER].is_at_socket

    def work(conn: Connection) -> Integration:
        before = integrations.named(conn, name)
        after = configure.change(conn, name, settings, webhook_secret=secret, now=now, by=by)
        if not trusted and "token" not in settings:
            must_stay(before, after)
        return after

    await _check_service(context, settings, work)
    changed = await plans.change(request, name, work)
    if not changed.dry_run:
        await context.fleet.refresh(changed.result.id)
    return changed.answer(await _shape(context, changed.result))


def must_stay(before: Integration, after: Integration) -> None:
    """A token goes where it was given for, or to this very host. Raises Clash.

    Who may change settings cannot read it, nor have it sent to a server of their own.
    """
    there = URL(after.base_url).origin()
    nearby = access.is_loopback(there.host or "") or there.host == "localhost"
    if before.token is not None and not nearby and there != URL(before.base_url).origin():
        raise Clash(
            f"base_url {after.base_url!r} leads elsewhere, and the token was not given for there",
            hint="give credentials.token as well, or use `im` on the daemon's host",
        )


async def _check_service(
    context: Context, settings: dict[str, Any], work: Callable[[Connection], Integration]
) -> None:
    """Put the id of the default service that is named in its place.

    The account that the integration would have by then is asked. Raises NotFound.
    """
    if (wanted := settings.get("default_service")) is None:
        return
    integration = await context.db.run(rehearsed, work)
    if integration.token is not None:
        account = context.fleet.assemble(integration).account
        settings["default_service"] = await services.default(account, wanted)


def _settings(body: NewIntegration | IntegrationChanges) -> dict[str, Any]:
    """What was given, as the store names it. Null empties what may be empty; else it is nothing."""
    settings = {
        name: value
        for name, value in given(body, but=["credentials", "integration_type"]).items()
        if value is not None or name in _MAY_BE_EMPTY
    }
    for name in _MAY_BE_EMPTY:
        if settings.get(name) == "":
            settings[name] = None
    if (token := _told("token", body.credentials.token)) is not None:
        settings["token"] = token
    return settings


def _secret(body: NewIntegration | IntegrationChanges) -> str | None:
    return _told("webhook_secret", body.credentials.webhook_secret)


def _told(name: str, secret: SecretStr | None) -> str | None:
    """A credential that was given, or None. Raises UserError, which does not say what it was."""
    if secret is None:
        return None
    told = secret.get_secret_value().strip()
    if not told or not told.isascii() or not told.isprintable():
        raise UserError(f"credentials.{name} is not one: printable ASCII, and not empty")
    return told


async def page(request: web.Request) -> web.Response:
    """The integrations, by their slugs."""
    context, limit, start = context_of(request), limit_of(request), cursor_of(request) or 0
    rows = (await context.db.read(integrations.every))[start : start + limit + 1]
    shown = [await _shape(context, row) for row in rows]
    return shapes.page(shown, lambda row: row, limit=limit, cursor=lambda _: start + limit)


async def get(request: web.Request) -> web.Response:
    """An integration as it is configured."""
    context = context_of(request)
    return shapes.answer(await _shape(context, await _named(request)))


async def delete(request: web.Request) -> web.Response:
    """Forget an integration and its links; incidents stay on both sides."""
    context, integration = context_of(request), await _named(request)
    # Its loops first: none is to find it gone in the middle of a step.
    await context.fleet.dismiss(integration.id)
    if integration.token is not None:
        account, asking = context.fleet.assemble(integration).account, await asking_of(request)
        await installing.uninstall(account, asking)
    now, by = context.now(), actor_of(request)
    id_ = await audit.recorded(
        request,
        lambda conn: configure.delete(conn, integration.id, now=now, by=by),
        lambda id_: Told(id_, integration.slug, {"name": Change(integration.name, None)}),
    )
    await context.fleet.refresh(id_)
    return web.Response(status=204)


def _told_made(made: Integration, *, has_secret: bool) -> Told:
    settings = {name: getattr(made, name) for name in sorted(integrations.CHANGEABLE - {"token"})}
    changes = {name: Change(None, now) for name, now in settings.items() if now is not None}
    if made.token is not None:
        changes["token"] = SECRET
    if has_secret:
        changes["webhook_secret"] = SECRET
    return Told(made.id, made.slug, changes)


async def test(request: web.Request) -> web.Response:
    """Ask the other side whether it would let us work; a suspended integration resumes."""
    context, integration = context_of(request), await _named(request)
    if integration.token is None:
        hint = f"`im integration configure {integration.slug} --token-file FILE`"
        checks: Sequence[Check] = [Check("token", False, "there is none", hint)]
    else:
        crew = context.fleet.crew(integration.id) or context.fleet.assemble(integration)
        root, sleep = context.public_url, context.sleep
        checks = await checkup.check_up(crew.account, root=root, sleep=sleep)
        if integration.suspended_because:
            await context.fleet.refresh(integration.id)
    return shapes.answer(
        {
            "integration": integration.slug,
            "healthy": all(one.ok for one in checks),
            "checks": [
                {"name": one.name, "ok": one.ok, "detail": one.detail, "hint": one.hint}
                for one in checks
            ],
        }
    )


async def status(request: web.Request) -> web.Response:
    """Is it in sync? What is pending, how long edits take, and what is not well."""
    context, integration = context_of(request), await _named(request)
    crew = context.fleet.crew(integration.id)
    trouble = crew.account.trouble if crew else None
    found = await context.db.read(
        sync_status,
        integration,
        trouble=trouble,
        bug=context.fleet.bugs.get(integration.id),
        now=context.now(),
    )
    heard = crew.account.limiter.heard if crew else None
    full_in = crew.account.limiter.full_in if crew else None
    limit = {
        "limit": heard.limit if heard else None,
        "remaining": heard.remaining if heard else None,
        "reset_s": None if full_in is None else round(full_in / 1000),
        "own_limit": integration.rate_limit,
    }
    return shapes.answer(shapes.with_times(found) | {"limit": limit})


async def page_of_links(request: web.Request) -> web.Response:
    """What each linked incident stands at, field by field, the newest link first."""
    context, integration = context_of(request), await _named(request)
    query, limit = asked(request, LinkQuery), limit_of(request)
    rows = await context.db.read(links_of, integration.id, query, limit=limit + 1)
    return shapes.page(rows, lambda row: row, limit=limit, cursor=lambda row: row["id"])


async def page_of_dead_letters(request: web.Request) -> web.Response:
    """What was given up on, the newest first."""
    context, integration, limit = context_of(request), await _named(request), limit_of(request)
    rows = await context.db.read(
        dead_letters.page, integration.id, limit=limit + 1, before=cursor_of(request)
    )
    return shapes.page(rows, shapes.dead_letter, limit=limit, cursor=lambda row: row.id)


async def _named(request: web.Request) -> Integration:
    return await context_of(request).db.read(integrations.named, request.match_info["name"])


async def _shape(context: Context, row: Integration) -> Shape:
    secrets = await context.db.read(integrations.secrets, row.id)
    url = context.public_url or f"http://{context.listen}"
    return shapes.integration(row, has_secret=bool(secrets), public_url=url)


# Units of work.


def rehearsed(conn: Connection, work: Callable[[Connection], Integration]) -> Integration:
    """What the work would make of an integration; nothing of it is kept."""
    with undone(conn):
        return work(conn)


def links_of(conn: Connection, integration_id: str, query: LinkQuery, *, limit: int) -> list[Link]:
    """Raises NotFound."""
    named = query.incident
    rows = links.page(
        conn,
        integration_id,
        limit=limit,
        before=query.cursor,
        incident_id=incidents.get(conn, incidents.number_of(named)).id if named else None,
        external_id=query.external_id,
        state=query.state,
        field_state=query.field_state,
    )
    return [shape_of_link(conn, row.id) for row in rows]
