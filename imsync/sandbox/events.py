"""What webhooks are told, and who of the subscribers is owed it."""

from typing import Final

import orjson

from imsync.sandbox import ids, incident_views, queues, views
from imsync.sandbox.account import Account
from imsync.sandbox.rows import Incident, Json, Note, Subscription

DOCUMENTED: Final = frozenset(
    """
    incident.triggered incident.acknowledged incident.unacknowledged incident.resolved
    incident.reopened incident.reassigned incident.delegated incident.escalated
    incident.priority_updated incident.service_updated incident.incident_type.changed
    incident.annotated incident.status_update_published
    incident.responder.added incident.responder.replied
    incident.conference_bridge.updated incident.custom_field_values.updated
    incident.role.assigned
    incident.task.created incident.task.updated incident.task.completed
    incident.workflow.started incident.workflow.completed
    incident.action_invocation.created incident.action_invocation.updated
    incident.action_invocation.terminated
    service.created service.updated service.deleted service.custom_field_values.updated
    """.split()  # noqa: SIM905 - thirty quoted words would be harder to read
)
SWITCHED: Final = frozenset({"incident.title_updated", "incident.urgency_updated"})
"""Seen inside PagerDuty; whether webhooks may have them is a switch."""


def known(account: Account) -> frozenset[str]:
    return DOCUMENTED | SWITCHED if account.switches.title_and_urgency_events else DOCUMENTED


def of_incident(account: Account, event_type: str, incident: Incident, *, by: str | None) -> None:
    """Tell of an incident, as it is at this moment."""
    _emit(account, event_type, incident, incident_views.webhook(account, incident), by)


def of_note(account: Account, incident: Incident, note: Note, *, by: str | None) -> None:
    data: Json = {
        "incident": incident_views.named_in_webhook(incident),
        "id": note.id,
        "content": note.content,
        "trimmed": False,
        "type": "incident_note",
    }
    _emit(account, "incident.annotated", incident, data, by)


def of_status_update(
    account: Account, incident: Incident, id_: str, message: str, *, by: str | None
) -> None:
    data: Json = {
        "incident": incident_views.named_in_webhook(incident),
        "id": id_,
        "message": message,
        "trimmed": False,
        "type": "incident_status_update",
    }
    _emit(account, "incident.status_update_published", incident, data, by)


def of_bridge(account: Account, incident: Incident, *, by: str | None) -> None:
    bridge = incident.bridge or {}
    number = bridge.get("conference_number")
    data: Json = {
        "incident": incident_views.named_in_webhook(incident),
        "conference_numbers": [{"label": "", "number": number}] if number else None,
        "conference_url": bridge.get("conference_url"),
        "type": "incident_conference_bridge",
    }
    _emit(account, "incident.conference_bridge.updated", incident, data, by)


def ping(account: Account, subscription: Subscription) -> None:
    """A test event for one subscription."""
    if account.now() < subscription.disabled_until or not subscription.active:
        return
    data: Json = {"message": "Hello from your friend Pagey!", "type": "ping"}
    at = account.now()
    body = _envelope(account, "pagey.ping", "pagey", data, by=None, at=at)
    queues.owe(account, subscription, "pagey.ping", body, queue="", at=at)


def _emit(
    account: Account, event_type: str, incident: Incident, data: Json, by: str | None
) -> None:
    if event_type not in known(account):
        return
    at = account.now()
    body = _envelope(account, event_type, "incident", data, by=by, at=at)
    for subscription in account.records.subscriptions:
        in_scope = subscription.scope == "account_reference" or (
            subscription.scope_id == incident.service
        )
        listens = subscription.active and at >= subscription.disabled_until
        if listens and in_scope and event_type in subscription.events:
            queues.owe(account, subscription, event_type, body, queue=incident.id, at=at)


def _envelope(
    account: Account, event_type: str, resource: str, data: Json, *, by: str | None, at: int
) -> str:
    event: Json = {
        "id": account.event_id(at),
        "event_type": event_type,
        "resource_type": resource,
        "occurred_at": ids.to_milliseconds(at),
        "agent": incident_views.in_webhook(views.user_reference(account, by)) if by else None,
        "client": None,
        "data": data,
    }
    return orjson.dumps({"event": event}).decode()
