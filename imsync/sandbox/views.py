"""How rows are shown, in REST and in webhooks: the two differ, as they do at PagerDuty."""

from typing import Final

from imsync.sandbox import ids
from imsync.sandbox.account import Account
from imsync.sandbox.rows import (
    Incident,
    Json,
    Note,
    Policy,
    Priority,
    Service,
    Subscription,
    User,
)

API: Final = "https://api.pagerduty.com"
WEB: Final = "https://acme.pagerduty.com"

_PLACES: Final = {
    "user": ("users", "users"),
    "service": ("services", "service-directory"),
    "escalation_policy": ("escalation_policies", "escalation_policies"),
    "schedule": ("schedules", "schedules"),
    "incident": ("incidents", "incidents"),
}


def reference(kind: str, id_: str, summary: str) -> Json:
    api, web = _PLACES[kind]
    return {
        "id": id_,
        "type": f"{kind}_reference",
        "summary": summary,
        "self": f"{API}/{api}/{id_}",
        "html_url": f"{WEB}/{web}/{id_}",
    }


def user_reference(account: Account, id_: str) -> Json:
    return reference("user", id_, account.records.users[id_].name)


def service_reference(account: Account, id_: str) -> Json:
    return reference("service", id_, account.records.services[id_].name)


def policy_reference(account: Account, id_: str) -> Json:
    return reference("escalation_policy", id_, account.records.policies[id_].name)


def agent_reference(account: Account, id_: str) -> Json:
    """A user, or the service when nobody did it."""
    is_user = id_ in account.records.users
    return user_reference(account, id_) if is_user else service_reference(account, id_)


def summary(incident: Incident) -> str:
    return f"[#{incident.number}] {incident.title}"


def incident_reference(incident: Incident) -> Json:
    return reference("incident", incident.id, summary(incident))


def whole(kind: str, id_: str, name: str, **more: object) -> Json:
    """A resource that is not merely referred to."""
    return {**reference(kind, id_, name), "type": kind, "name": name, **more}


def user(row: User) -> Json:
    return whole(
        "user",
        row.id,
        row.name,
        email=row.email,
        time_zone="Etc/UTC",
        color="purple",
        role=row.role,
        avatar_url=f"{WEB}/avatars/{row.id}.png",
        description=None,
        invitation_sent=False,
        job_title=row.job_title,
        teams=[],
        contact_methods=[],
        notification_rules=[],
    )


def service(account: Account, row: Service) -> Json:
    switches = account.switches
    return whole(
        "service",
        row.id,
        row.name,
        description=row.description,
        created_at=ids.to_seconds(row.created_at),
        status="active",
        auto_resolve_timeout=switches.auto_resolve_timeout or None,
        acknowledgement_timeout=switches.acknowledgement_timeout or None,
        escalation_policy=policy_reference(account, row.policy),
        incident_urgency_rule={"type": "constant", "urgency": "high"},
        teams=[],
        integrations=[],
        addons=[],
        scheduled_actions=[],
        alert_creation="create_alerts_and_incidents",
    )


def policy(account: Account, row: Policy) -> Json:
    records = account.records
    rules = [
        {
            "id": f"{row.id}{level}",
            "escalation_delay_in_minutes": row.delay_minutes,
            "targets": [
                user_reference(account, target)
                if target in records.users
                else reference("schedule", target, records.schedules[target].name)
                for target in targets
            ],
            "escalation_rule_assignment_strategy": "assign_to_everyone",
        }
        for level, targets in enumerate(row.levels, 1)
    ]
    services = [
        service_reference(account, service.id)
        for service in records.services
        if service.policy == row.id
    ]
    return whole(
        "escalation_policy",
        row.id,
        row.name,
        description="",
        num_loops=0,
        on_call_handoff_notifications="if_has_services",
        escalation_rules=rules,
        services=services,
        teams=[],
    )


def priority(row: Priority) -> Json:
    created = ids.to_seconds(row.created_at)
    return {
        "id": row.id,
        "type": "priority",
        "summary": row.name,
        "self": f"{API}/priorities/{row.id}",
        "html_url": None,
        "account_id": "PACME00",
        "color": row.color,
        "created_at": created,
        "description": row.description,
        "name": row.name,
        "order": row.order,
        "schema_version": 0,
        "updated_at": created,
    }


def note(account: Account, row: Note) -> Json:
    is_user = row.user in account.records.users
    bot = {"id": row.user, "type": "bot_user_reference", "self": None, "html_url": None}
    return {
        "id": row.id,
        "user": (
            user_reference(account, row.user)
            if is_user
            else {**bot, "summary": account.records.services[row.user].name}
        ),
        "channel": {"summary": "The PagerDuty website or APIs"},
        "content": row.content,
        "created_at": ids.to_seconds(row.created_at),
        "updated_at": ids.to_seconds(row.updated_at),
    }


def subscription(row: Subscription, now: int, *, with_secret: bool = False) -> Json:
    """The secret is shown once, to whoever creates it; custom headers never again."""
    headers = [
        header if with_secret else {**header, "value": "-- redacted --"} for header in row.headers
    ]
    scope: Json = {"type": row.scope}
    if row.scope_id:
        scope["id"] = row.scope_id
    return {
        "id": row.id,
        "type": "webhook_subscription",
        "active": row.active,
        "delivery_method": {
            "id": row.method_id,
            "type": "http_delivery_method",
            "url": row.url,
            "secret": row.secret if with_secret else None,
            "temporarily_disabled": now < row.disabled_until,
            "custom_headers": headers,
        },
        "description": row.description,
        "events": row.events,
        "filter": scope,
    }
