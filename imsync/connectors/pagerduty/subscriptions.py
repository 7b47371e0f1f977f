"""Webhook subscriptions: the events we ask for, what PagerDuty shows of one, the requests."""

from contextlib import suppress
from typing import Final

from imsync.connectors.base import Subscription, Subscriptions
from imsync.connectors.pagerduty.reading import (
    Object,
    dig,
    each_at,
    object_at,
    object_if_any,
    text_at,
)
from imsync.connectors.pagerduty.requests import segment
from imsync.connectors.pagerduty.rest import Rest
from imsync.connectors.pagerduty.webhooks import ABOUT
from imsync.core.fields import Instant
from imsync.errors import Gone, Refused

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

_PATH: Final = "/webhook_subscriptions"
_PAGE: Final = 100
_FULL: Final = 2019
_FULL_HINT: Final = (
    "it takes ten of one account: delete one that nobody needs, in PagerDuty under"
    " Integrations → Generic Webhooks (v3), then try again"
)


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
    because = ""
    if found.get("active") is False:
        because = "somebody has switched it off in PagerDuty"
    elif method.get("temporarily_disabled") is True:
        because = "PagerDuty has disabled it, because deliveries were refused"
    return Subscription(
        id=text_at(found, "id"),
        url=text_at(method, "url"),
        active=not because,
        events=[event for event in events if isinstance(event, str)]
        if isinstance(events, list)
        else [],
        secret=dig(method, "secret"),
        because=because,
    )


async def page(road: Rest, start: int) -> Subscriptions:
    """A hundred of the account's, whatever their scope."""

    def read(answer: Object, _: Instant) -> Subscriptions:
        items = each_at(answer, "webhook_subscriptions", subscription)
        return Subscriptions(items, start + _PAGE if answer.get("more") is True else None)

    return await road.get(_PATH, read, ("limit", str(_PAGE)), ("offset", str(start)))


async def one(road: Rest, id_: str) -> Subscription:
    """As it is now. Raises Gone when it was deleted."""
    return await road.get(f"{_PATH}/{segment(id_)}", _shown)


async def subscribe(road: Rest, url: str) -> Subscription:
    """Have the account's incident events sent there. May take two requests.

    Events that PagerDuty does not promise to webhooks are asked for first, and left
    out when it refuses them.
    """
    try:
        return await _subscribe(road, url, (*DOCUMENTED, *HOPED_FOR))
    except Refused as error:
        if error.number == _FULL:
            error.hint = _FULL_HINT
        if error.status != 400 or error.number == _FULL:
            raise
        return await _subscribe(road, url, DOCUMENTED)


async def _subscribe(road: Rest, url: str, events: tuple[str, ...]) -> Subscription:
    return await road.write("POST", _PATH, _shown, to_subscribe(url, events), actor=None)


async def unsubscribe(road: Rest, id_: str) -> None:
    """The subscription is no longer there, whoever removed it."""
    with suppress(Gone):
        await road.write("DELETE", f"{_PATH}/{segment(id_)}", _nothing, actor=None)


async def enable(road: Rest, id_: str) -> None:
    """Let a subscription deliver again, whoever stopped it. May take two requests.

    Enabling is documented for those that PagerDuty has disabled. One that somebody has
    switched off is switched on by a change of its own, where the answer shows the need.
    """
    path = f"{_PATH}/{segment(id_)}"
    off = await road.write("POST", f"{path}/enable", _is_switched_off, actor=None)
    if off:
        on = {"webhook_subscription": {"active": True}}
        await road.write("PUT", path, _nothing, on, actor=None)


async def ping(road: Rest, id_: str) -> None:
    """Have a test event sent over that subscription."""
    await road.write("POST", f"{_PATH}/{segment(id_)}/ping", _nothing, actor=None)


def _shown(answer: Object, _: Instant) -> Subscription:
    return subscription(object_at(answer, "webhook_subscription"))


def _is_switched_off(answer: Object, _: Instant) -> bool:
    return (object_if_any(answer, "webhook_subscription") or {}).get("active") is False


def _nothing(_: Object, __: Instant) -> None:
    return None
