"""The HTTP API: every route on one screen. The same over TCP and over the unix socket."""

from typing import Final

from aiohttp import web

from imsync.api import (
    access,
    audit,
    backup,
    conflicts,
    daemon,
    dead_letters,
    drift,
    events,
    incidents,
    integrations,
    key,
    links,
    maps,
    oncall,
    openapi,
    plans,
    rules,
    services,
    tokens,
    webhook_subscription,
    webhooks,
)
from imsync.api.answers.audit import AuditLine
from imsync.api.answers.conflicts import ToldConflict
from imsync.api.answers.daemon import (
    Backup,
    DaemonStatus,
    Health,
    Kept,
    RotatedKey,
    SignatureProof,
)
from imsync.api.answers.drift import Drift
from imsync.api.answers.incidents import Explanation, Incident, TimelineEntry
from imsync.api.answers.integrations import (
    ChangedFieldRule,
    ChangedIntegration,
    ChangedLink,
    ChangedMap,
    ChangedServiceMapping,
    DeadLetter,
    FieldRule,
    Integration,
    Link,
    Map,
    ServiceMapping,
    SyncStatus,
    TestResult,
)
from imsync.api.answers.lists import Page
from imsync.api.answers.oncall import Roster
from imsync.api.answers.plans import ChangedConflict, Forecast
from imsync.api.answers.tokens import MadeToken, Token
from imsync.api.answers.webhooks import InstalledWebhook, WebhookProof, WebhookSubscription
from imsync.api.bodies import (
    LARGEST,
    ConflictAnswer,
    DriftAnswer,
    IncidentChanges,
    Installation,
    IntegrationChanges,
    Loser,
    NewBackup,
    NewIncident,
    NewIntegration,
    NewLink,
    NewMap,
    NewNote,
    NewRule,
    NewServiceMapping,
    NewToken,
)
from imsync.api.context import CONTEXT, Context
from imsync.api.errors import ALWAYS, errors
from imsync.api.headers import (
    DELIVERY,
    FROM,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    LAST_EVENT_ID,
    SIGNATURE,
)
from imsync.api.parameters import (
    AuditQuery,
    ChangeQuery,
    ConflictQuery,
    EventQuery,
    ExplainQuery,
    IncidentQuery,
    LinkQuery,
    Listing,
    OncallQuery,
)
from imsync.api.route import delete, get, patch, post, put
from imsync.errors import (
    BadSignature,
    Clash,
    Gone,
    HeldOff,
    Missed,
    NotFound,
    Overloaded,
    Refused,
    Stale,
    Unauthorized,
    Unavailable,
    Unknown,
)
from imsync.store.audit import Action
from imsync.store.tokens import Scope

_W: Final = Scope.WRITE
_I: Final = "/integrations/{name}"
_THERE: Final = (Unavailable, Unknown, Unauthorized, Refused, Gone)
"""What can be refused because the external side, which is asked meanwhile, refuses it."""

_TIMELINE: Final = "the incident's timeline says who did it"
_ASKS: Final = "it changes nothing that people set"
_SIGNED: Final = "a delivery is no person's, and is kept whole"

# fmt: off
ROUTES: Final = (
    get("/health", daemon.health, Health, base=""),
    get("/health", daemon.health, Health),
    get("/status", daemon.status, DaemonStatus),
    get("/openapi.json", openapi.show, dict),
    get("/events", events.stream, str, asks=EventQuery, heeds=(LAST_EVENT_ID,), streams=True,
        fails=(Missed, Overloaded)),

    post("/incidents", incidents.declare, {201: Incident, 200: Incident}, takes=NewIncident,
         scope=_W, heeds=(FROM, IDEMPOTENCY_KEY), tagged=True, fails=(NotFound, Clash),
         unaudited=_TIMELINE),
    get("/incidents", incidents.page, Page[Incident], asks=IncidentQuery),
    get("/incidents/{id}", incidents.get, Incident, heeds=(IF_NONE_MATCH,), tagged=True),
    patch("/incidents/{id}", incidents.update, Incident, takes=IncidentChanges,
          scope=_W, heeds=(FROM, IF_MATCH), tagged=True, unaudited=_TIMELINE),
    get("/incidents/{id}/timeline", incidents.timeline, Page[TimelineEntry], asks=Listing),
    post("/incidents/{id}/notes", incidents.add_note, {201: TimelineEntry}, takes=NewNote,
         scope=_W, heeds=(FROM,), unaudited=_TIMELINE),
    get("/incidents/{id}/explain/{field}", incidents.explain_field, Explanation,
        asks=ExplainQuery),
    post("/incidents/{id}/links", links.add, {201: ChangedLink, 200: Forecast}, takes=NewLink,
         scope=_W, asks=ChangeQuery, fails=(Clash, *_THERE), audits=Action.LINKED),
    delete("/incidents/{id}/links/{name}", links.remove, ChangedLink | Forecast, asks=ChangeQuery,
           scope=_W, audits=Action.UNLINKED),

    post("/integrations", integrations.create, {201: Integration}, takes=NewIntegration,
         fails=(NotFound, Clash), audits=Action.CREATED),
    get("/integrations", integrations.page, Page[Integration], asks=Listing),
    get(_I, integrations.get, Integration),
    patch(_I, integrations.change, ChangedIntegration | Forecast, takes=IntegrationChanges,
          asks=ChangeQuery, audits=Action.CONFIGURED),
    delete(_I, integrations.delete, None, audits=Action.DELETED),
    post(f"{_I}/test", integrations.test, {200: TestResult}, scope=_W, unaudited=_ASKS),
    get(f"{_I}/sync-status", integrations.status, SyncStatus),
    get(f"{_I}/links", integrations.page_of_links, Page[Link], asks=LinkQuery),
    get(f"{_I}/plan", plans.show, Forecast),
    get(f"{_I}/drift", drift.show, Drift),
    post(f"{_I}/drift", drift.look, {202: Drift}, takes=DriftAnswer, optional=True,
         scope=_W, audits=Action.SWEEP),
    get(f"{_I}/oncall", oncall.get, Roster, asks=OncallQuery, fails=_THERE),
    get(f"{_I}/dead-letters", integrations.page_of_dead_letters, Page[DeadLetter], asks=Listing),
    post("/dead-letters/{id}/retry", dead_letters.retry, {202: DeadLetter}, scope=_W,
         audits=Action.RETRIED),
    delete("/dead-letters/{id}", dead_letters.discard, None, scope=_W, audits=Action.DISCARDED),

    get(f"{_I}/field-ownership", rules.page, Page[FieldRule], asks=Listing),
    get(f"{_I}/field-ownership/{{field}}", rules.get, FieldRule),
    put(f"{_I}/field-ownership/{{field}}", rules.put, ChangedFieldRule | Forecast, takes=NewRule,
        asks=ChangeQuery, audits=Action.RULE_SET),
    delete(f"{_I}/field-ownership/{{field}}", rules.delete, ChangedFieldRule | Forecast,
           asks=ChangeQuery, audits=Action.RULE_DELETED),
    get(f"{_I}/maps", maps.page, Page[Map], asks=Listing),
    get(f"{_I}/maps/{{map}}", maps.get, Map),
    put(f"{_I}/maps/{{map}}", maps.put, ChangedMap | Forecast, takes=NewMap, asks=ChangeQuery,
        audits=Action.MAP_SET),
    delete(f"{_I}/maps/{{map}}", maps.delete, ChangedMap | Forecast, asks=ChangeQuery,
           audits=Action.MAP_DELETED),
    get(f"{_I}/service-mappings", services.page, Page[ServiceMapping], asks=Listing),
    post(f"{_I}/service-mappings", services.add, {201: ChangedServiceMapping, 200: Forecast},
         takes=NewServiceMapping, asks=ChangeQuery, fails=_THERE,
         audits=Action.MAPPING_ADDED),
    delete(f"{_I}/service-mappings/{{id}}", services.remove, ChangedServiceMapping | Forecast,
           asks=ChangeQuery, audits=Action.MAPPING_REMOVED),

    post(f"{_I}/webhook", webhook_subscription.install,
         {201: InstalledWebhook, 200: InstalledWebhook}, takes=Installation, optional=True,
         fails=_THERE, audits=Action.INSTALLED),
    get(f"{_I}/webhook", webhook_subscription.show, WebhookSubscription),
    post(f"{_I}/webhook/ping", webhook_subscription.ping, {200: WebhookProof}, scope=_W,
         fails=_THERE, unaudited=_ASKS),
    post(f"{_I}/webhook/rotate", webhook_subscription.rotate,
         {201: InstalledWebhook, 200: InstalledWebhook}, takes=Installation, optional=True,
         fails=_THERE, audits=Action.ROTATED),
    post(f"{_I}/webhook/enable", webhook_subscription.enable, {200: WebhookSubscription},
         fails=_THERE, audits=Action.ENABLED),

    get("/conflicts", conflicts.page, Page[ToldConflict], asks=ConflictQuery),
    get("/conflicts/{id}", conflicts.get, ToldConflict),
    post("/conflicts/{id}/resolve", conflicts.resolve, {200: ChangedConflict | Forecast},
         scope=_W, takes=ConflictAnswer, asks=ChangeQuery, fails=(Clash,), audits=Action.RESOLVED),
    post("/conflicts/{id}/ignore", conflicts.ignore, {200: ChangedConflict | Forecast},
         scope=_W, asks=ChangeQuery, fails=(Clash,), audits=Action.IGNORED),
    post("/conflicts/{id}/restore", conflicts.restore, {200: ChangedConflict | Forecast},
         scope=_W, takes=Loser, optional=True, asks=ChangeQuery,
         fails=(Clash, Stale), audits=Action.RESTORED),

    post("/tokens", tokens.create, {201: MadeToken}, takes=NewToken, fails=(Clash,),
         audits=Action.TOKEN_CREATED),
    get("/tokens", tokens.page, Page[Token], asks=Listing, scope=Scope.ADMIN),
    delete("/tokens/{id}", tokens.revoke, Token, audits=Action.TOKEN_REVOKED),
    get("/audit", audit.page, Page[AuditLine], asks=AuditQuery, scope=Scope.ADMIN),

    post("/backup", backup.make, {201: Backup}, takes=NewBackup, fails=(Clash, Overloaded),
         audits=Action.BACKUP_BEGUN),
    post("/key/rotate", key.rotate, {200: RotatedKey}, fails=(Clash,), audits=Action.KEY_ROTATED),

    post("/webhooks/{integration_id}", webhooks.receive, {202: Kept}, raw=True, open=True,
         asks=None, heeds=(SIGNATURE, DELIVERY), fails=(BadSignature, HeldOff, Overloaded),
         unaudited=_SIGNED),
    post("/webhooks/{integration_id}/test", webhooks.test,
         {200: SignatureProof, 401: SignatureProof}, raw=True, open=True, asks=None,
         heeds=(SIGNATURE,), fails=(HeldOff, Overloaded), unaudited=_ASKS),
)
# fmt: on


def make(context: Context) -> web.Application:
    app = web.Application(middlewares=[errors], client_max_size=LARGEST)
    app[CONTEXT] = context
    app[openapi.DOCUMENT] = openapi.Document(ROUTES)
    app.add_routes(
        web.get(one.url, access.guarded(one))  # and HEAD
        if one.method == "GET"
        else web.route(one.method, one.url, access.guarded(one))
        for one in ROUTES
    )
    app.on_response_prepare.append(_say_always)
    app.on_shutdown.append(_end_what_is_long)
    app.on_cleanup.append(_keep_counts)
    return app


async def _say_always(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(ALWAYS)


async def _end_what_is_long(app: web.Application) -> None:
    app[CONTEXT].stopping.set()
    app[CONTEXT].feed.stop()


async def _keep_counts(app: web.Application) -> None:
    await app[CONTEXT].refusals.close()
