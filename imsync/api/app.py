"""The HTTP API: every route on one screen. The same over TCP and over the unix socket."""

from aiohttp import web

from imsync.api import (
    conflicts,
    daemon,
    dead_letters,
    drift,
    incidents,
    integrations,
    links,
    maps,
    oncall,
    plans,
    rules,
    services,
    webhook_subscription,
    webhooks,
)
from imsync.api.bodies import LARGEST
from imsync.api.context import CONTEXT, Context
from imsync.api.errors import errors

BASE = "/api/v1"


def make(context: Context) -> web.Application:
    app = web.Application(middlewares=[errors], client_max_size=LARGEST)
    app[CONTEXT] = context
    app.add_routes(
        [
            web.get("/health", daemon.health),
            web.get(f"{BASE}/health", daemon.health),
            web.get(f"{BASE}/status", daemon.status),
            web.post(f"{BASE}/incidents", incidents.declare),
            web.get(f"{BASE}/incidents", incidents.page),
            web.get(f"{BASE}/incidents/{{id}}", incidents.get),
            web.patch(f"{BASE}/incidents/{{id}}", incidents.update),
            web.get(f"{BASE}/incidents/{{id}}/timeline", incidents.timeline),
            web.post(f"{BASE}/incidents/{{id}}/notes", incidents.add_note),
            web.get(f"{BASE}/incidents/{{id}}/explain/{{field}}", incidents.explain_field),
            web.post(f"{BASE}/incidents/{{id}}/links", links.add),
            web.delete(f"{BASE}/incidents/{{id}}/links/{{name}}", links.remove),
            web.post(f"{BASE}/integrations", integrations.create),
            web.get(f"{BASE}/integrations", integrations.page),
            web.get(f"{BASE}/integrations/{{name}}", integrations.get),
            web.patch(f"{BASE}/integrations/{{name}}", integrations.change),
            web.delete(f"{BASE}/integrations/{{name}}", integrations.delete),
            web.post(f"{BASE}/integrations/{{name}}/test", integrations.test),
            web.get(f"{BASE}/integrations/{{name}}/sync-status", integrations.status),
            web.get(f"{BASE}/integrations/{{name}}/links", integrations.page_of_links),
            web.get(
                f"{BASE}/integrations/{{name}}/dead-letters", integrations.page_of_dead_letters
            ),
            web.post(f"{BASE}/dead-letters/{{id}}/retry", dead_letters.retry),
            web.delete(f"{BASE}/dead-letters/{{id}}", dead_letters.discard),
            web.get(f"{BASE}/conflicts", conflicts.page),
            web.get(f"{BASE}/conflicts/{{id}}", conflicts.get),
            web.post(f"{BASE}/conflicts/{{id}}/resolve", conflicts.resolve),
            web.post(f"{BASE}/conflicts/{{id}}/ignore", conflicts.ignore),
            web.post(f"{BASE}/conflicts/{{id}}/restore", conflicts.restore),
            web.get(f"{BASE}/integrations/{{name}}/field-ownership", rules.page),
            web.get(f"{BASE}/integrations/{{name}}/field-ownership/{{field}}", rules.get),
            web.put(f"{BASE}/integrations/{{name}}/field-ownership/{{field}}", rules.put),
            web.delete(f"{BASE}/integrations/{{name}}/field-ownership/{{field}}", rules.delete),
            web.get(f"{BASE}/integrations/{{name}}/maps", maps.page),
            web.get(f"{BASE}/integrations/{{name}}/maps/{{map}}", maps.get),
            web.put(f"{BASE}/integrations/{{name}}/maps/{{map}}", maps.put),
            web.delete(f"{BASE}/integrations/{{name}}/maps/{{map}}", maps.delete),
            web.get(f"{BASE}/integrations/{{name}}/plan", plans.show),
            web.get(f"{BASE}/integrations/{{name}}/drift", drift.show),
            web.post(f"{BASE}/integrations/{{name}}/drift", drift.look),
            web.get(f"{BASE}/integrations/{{name}}/service-mappings", services.page),
            web.post(f"{BASE}/integrations/{{name}}/service-mappings", services.add),
            web.delete(f"{BASE}/integrations/{{name}}/service-mappings/{{id}}", services.remove),
            web.post(f"{BASE}/integrations/{{name}}/webhook", webhook_subscription.install),
            web.get(f"{BASE}/integrations/{{name}}/webhook", webhook_subscription.show),
            web.post(f"{BASE}/integrations/{{name}}/webhook/ping", webhook_subscription.ping),
            web.post(f"{BASE}/integrations/{{name}}/webhook/rotate", webhook_subscription.rotate),
            web.post(f"{BASE}/integrations/{{name}}/webhook/enable", webhook_subscription.enable),
            web.get(f"{BASE}/integrations/{{name}}/oncall", oncall.get),
            web.post(f"{BASE}/webhooks/{{integration_id}}", webhooks.receive),
            web.post(f"{BASE}/webhooks/{{integration_id}}/test", webhooks.test),
        ]
    )
    return app
