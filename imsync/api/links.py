"""/incidents/{id}/links: say which incident there this one is, or that it is none any more."""

from aiohttp import web

from imsync.api import plans, shapes
from imsync.api.answers.integrations import Link
from imsync.api.bodies import NewLink, read
from imsync.api.context import context_of
from imsync.api.headers import actor_of
from imsync.engine import by_hand
from imsync.engine.carry_out import view
from imsync.errors import Clash, UserError
from imsync.store import incidents, integrations, links, outbox
from imsync.store.audit import Change, Told
from imsync.store.database import Connection
from imsync.store.integrations import Integration


async def add(request: web.Request) -> web.Response:
    """Link the incident to one that stands there; fields that differ are decided at once."""
    context, body = context_of(request), await read(request, NewLink)
    number = incidents.number_of(request.match_info["id"])
    external_id = body.external_id.strip()
    if not external_id:
        raise UserError("external_id is empty", hint="take it from its web address there")
    integration = await context.db.read(
        linkable, number, name=body.integration, external_id=external_id
    )
    crew = context.fleet.crew(integration.id) or context.fleet.assemble(integration)
    snapshot = await by_hand.look(crew.account, external_id)
    by, now = actor_of(request), context.now()

    def work(conn: Connection) -> Link:
        current = integrations.get(conn, integration.id)
        return shape(conn, by_hand.link(conn, number, current, snapshot, by=by, now=now).id)

    changed = await plans.change(request, integration.id, work, _told_made)
    return changed.answer(changed.result, status=201)


async def remove(request: web.Request) -> web.Response:
    """Undo a link; both incidents stay as they are. Answers the link as it now is."""
    number, name = incidents.number_of(request.match_info["id"]), request.match_info["name"]
    by, now = actor_of(request), context_of(request).now()

    def work(conn: Connection) -> Link:
        integration = integrations.named(conn, name)
        return shape(conn, by_hand.unlink(conn, number, integration, by=by, now=now).id)

    changed = await plans.change(request, name, work, _told_undone)
    return changed.answer(changed.result)


def _told_made(link: Link) -> Told:
    where = f"link/{link['integration']}"
    return Told(link["incident"], link["integration"], {where: Change(None, link["external_id"])})


def _told_undone(link: Link) -> Told:
    where = f"link/{link['integration']}"
    return Told(link["incident"], link["integration"], {where: Change(link["external_id"], None)})


# Units of work.


def linkable(conn: Connection, number: int, *, name: str, external_id: str) -> Integration:
    """The integration, if the two can be linked in it as far as is known without asking there.

    Raises NotFound, and Clash: also where nobody can be asked.
    """
    incidents.get(conn, number)
    integration = integrations.named(conn, name)
    by_hand.must_be_free(conn, number, integration, external_id)
    if integration.token is None:
        raise Clash(
            f"{integration.slug} has no token: nothing can be looked at there",
            hint=f"`im integration configure {integration.slug} --token-file FILE`",
        )
    return integration


def shape(conn: Connection, link_id: int) -> Link:
    return shapes.link(view(conn, link_id), links.fields(conn, link_id), outbox.owed(conn, link_id))
