"""The integration that a path names, with the crew that asks its account."""

from aiohttp import web

from imsync.api.context import context_of
from imsync.engine.fleet import Crew
from imsync.errors import Clash
from imsync.store import integrations
from imsync.store.integrations import Integration


async def crew_of(request: web.Request) -> tuple[Integration, Crew]:
    """The crew at work, or for a disabled integration one that only asks.

    Raises NotFound, and Clash where there is no token to ask with.
    """
    context = context_of(request)
    integration = await context.db.read(integrations.named, request.match_info["name"])
    if integration.token is None:
        raise Clash(
            f"{integration.slug} has no token to ask with",
            hint=f"`im integration configure {integration.slug} --token-file FILE`",
        )
    return integration, context.fleet.crew(integration.id) or context.fleet.assemble(integration)
