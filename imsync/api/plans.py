"""/integrations/{i}/plan, and what every change of rules shares: ?dry_run=true and ?plan=ID."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web

from imsync.api import shapes
from imsync.api.caller import asking_of
from imsync.api.context import Context, context_of
from imsync.api.parameters import ChangeQuery, asked
from imsync.core.fields import Instant
from imsync.engine import forecast
from imsync.engine.account import Need
from imsync.engine.foreseen import Forecast
from imsync.errors import ExternalError
from imsync.store import audit, integrations
from imsync.store.audit import Told
from imsync.store.database import Connection

T = TypeVar("T")

log = logging.getLogger(__name__)


async def show(request: web.Request) -> web.Response:
    """What the integration owes: the requests that would be made now, and what they cost."""
    context, name = context_of(request), request.match_info["name"]
    found = await context.db.run(of_what_is_owed, name, now=context.now())
    if await asked_for(context, found.unknown):
        found = await context.db.run(of_what_is_owed, name, now=context.now())
    return shapes.answer(shapes.forecast(found, dry_run=False))


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """What a change returned, and what it leads to. `dry_run`: it was taken back again."""

    result: T
    forecast: Forecast
    dry_run: bool

    def answer(self, shape: Mapping[str, Any], *, status: int = 200) -> web.Response:
        """The thing as it now is, with the effect that the change had; or what would come of it."""
        effect = shapes.forecast(self.forecast, dry_run=self.dry_run)
        if self.dry_run:
            return shapes.answer(effect)
        told = {**shape, "effect": effect} if self.forecast else shape
        return shapes.answer(told, status=status)


async def change(
    request: web.Request,
    name: str,
    work: Callable[[Connection], T],
    told: Callable[[T], Told] | None = None,
) -> Changed[T]:
    """Make a change to an integration's rules as the query asks: at all, and as it was shown.

    `told`: what the audit trail says of it; else which settings of the integration changed.
    Raises UserError, and PlanChanged when it would lead to something else than `plan`.
    """
    context, query = context_of(request), asked(request, ChangeQuery)
    asking, now = await asking_of(request), context.now()

    def audited(conn: Connection) -> T:
        if told is None:
            return audit.configured(conn, work, name, asking=asking, now=now)
        return audit.recorded(conn, work, told, asking=asking, now=now)

    async def made() -> tuple[T, Forecast]:
        return await context.db.run(
            forecast.change,
            name,
            audited,
            dry_run=query.dry_run,
            expected=query.plan,
            shown=context.plans,
            now=now,
        )

    result, found = await made()
    if query.dry_run and await asked_for(context, found.unknown):
        result, found = await made()
    if query.dry_run:
        context.remember(found)
    else:
        context.fleet.ring()
    return Changed(result, found, query.dry_run)


async def asked_for(context: Context, unknown: Mapping[str, Sequence[Need]]) -> bool:
    """Ask for these names, by integration, so that a plan can say them. Whether any answer came.

    Where nobody answers, the plan says that nobody has been asked.
    """
    asked_any = False
    for id_, wanted in unknown.items():
        integration = await context.db.read(integrations.get, id_)
        if integration.token is None:
            continue
        crew = context.fleet.crew(id_) or context.fleet.assemble(integration)
        try:
            await crew.account.look_up(wanted)
        except ExternalError as error:
            log.warning("%s: cannot look up names: %s", integration.slug, error)
        else:
            asked_any = True
    return asked_any


# Units of work.


def of_what_is_owed(conn: Connection, name: str, *, now: Instant) -> Forecast:
    return forecast.of_what_is_owed(conn, integrations.named(conn, name), now=now)
