"""Which events we subscribe to, and a webhook subscription as PagerDuty writes it. Pure."""

from typing import Final

from imsync.connectors.base import Subscription
from imsync.connectors.pagerduty.reading import Object, dig, object_at, text_at
from imsync.connectors.pagerduty.webhooks import ABOUT

DOCUMENTED: Final = (
    *(event for event in ABOUT if event != "incident.priority_changed"),  # no true name
    "incident.annotated",
    "incident.status_update_published",
    "incident.responder.added",
    "incident.responder.replied",
    "incident.conference_bridge.updated",
    "incident.custom_field_values.updated",
    "incident.role.assigned",
    "incident.task.created",
    "incident.task.updated",
    "incident.task.completed",
    "incident.workflow.started",
    "incident.workflow.completed",
    "incident.action_invocation.created",
    "incident.action_invocation.updated",
    "incident.action_invocation.terminated",
)
HOPED_FOR: Final = ("incident.title_updated", "incident.urgency_updated")
"""PagerDuty tells these to others; whether to webhooks is not documented."""


def to_subscribe(url: str, events: tuple[str, ...]) -> Object:
    """The body that asks for these events of the whole account."""
    return {
        "webhook_subscription": {
            "type": "webhook_subscription",
            "delivery_method": {"type": "http_delivery_method", "url": url},
            "description": "imsync: keeps incidents in step",
            "events": list(events),
            "filter": {"type": "account_reference"},
        }
    }


def subscription(found: Object) -> Subscription:
    """Active means that deliveries arrive: PagerDuty has not disabled it for a while either."""
    method = object_at(found, "delivery_method")
    events = found.get("events")
    return Subscription(
        id=text_at(found, "id"),
        url=text_at(method, "url"),
        active=found.get("active") is not False and method.get("temporarily_disabled") is not True,
        events=[event for event in events if isinstance(event, str)]
        if isinstance(events, list)
        else [],
        secret=dig(method, "secret"),
    )
