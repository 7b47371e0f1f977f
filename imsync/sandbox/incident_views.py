"""An incident as REST shows it, and as webhooks do."""

from collections.abc import Collection, Mapping

from imsync.sandbox import ids, log, views
from imsync.sandbox.account import Account
from imsync.sandbox.rows import Incident, Json


def rest(account: Account, row: Incident, include: Collection[str] = ()) -> Json:
    """The incident, with what is included shown whole instead of by reference."""
    records = account.records
    service = views.service_reference(account, row.service)
    shown: Json = {
        "incident_number": row.number,
        "title": row.title,
        "description": row.title,
        "created_at": ids.to_seconds(row.created_at),
        "updated_at": ids.to_seconds(row.updated_at),
        "status": row.status,
        "incident_key": row.key,
        "service": (
            views.service(account, records.services[row.service])
            if "services" in include
            else service
        ),
        "assignments": _held(account, row.assignees, "assignee", whole="assignees" in include),
        "assigned_via": "direct_assignment" if row.direct else "escalation_policy",
        "last_status_change_at": ids.to_seconds(row.changed_at),
        "resolved_at": ids.to_seconds(row.resolved_at) if row.resolved_at else None,
        "first_trigger_log_entry": log.first(
            account, row, whole="first_trigger_log_entries" in include
        ),
        "alert_counts": _alert_counts(row),
        "is_mergeable": row.status != "resolved",
        "incident_type": {"name": row.kind},
        "escalation_policy": (
            views.policy(account, records.policies[row.policy])
            if "escalation_policies" in include
            else views.policy_reference(account, row.policy)
        ),
        "teams": [],
        "impacted_services": [service],
        "pending_actions": [
            {"type": name, "at": ids.to_seconds(at)} for name, at in sorted(row.due.items())
        ],
        "acknowledgements": _held(
            account, row.acknowledgers, "acknowledger", whole="acknowledgers" in include
        ),
        "basic_alert_grouping": None,
        "alert_grouping": None,
        "last_status_change_by": _changed_by(account, row, whole="agents" in include),
        "priority": views.priority(records.priorities[row.priority]) if row.priority else None,
        "incidents_responders": [],
        "responder_requests": [],
        "subscriber_requests": [],
        "urgency": row.urgency,
        "id": row.id,
        "type": "incident",
        "summary": views.summary(row),
        "self": f"{views.API}/incidents/{row.id}",
        "html_url": f"{views.WEB}/incidents/{row.id}",
    }
    if row.merged_into:
        shown["resolve_reason"] = _resolve_reason(account, row)
    if "conference_bridge" in include:
        shown["conference_bridge"] = row.bridge
    if "body" in include:
        shown["body"] = {"type": "incident_body", "details": row.details}
    return shown


def webhook(account: Account, row: Incident) -> Json:
    records = account.records
    priority = records.priorities.get(row.priority)
    return {
        "id": row.id,
        "type": "incident",
        "self": f"{views.API}/incidents/{row.id}",
        "html_url": f"{views.WEB}/incidents/{row.id}",
        "number": row.number,
        "status": row.status,
        "incident_key": row.key,
        "created_at": ids.to_seconds(row.created_at),
        "reopened_at": ids.to_seconds(row.reopened_at) if row.reopened_at else None,
        "title": row.title,
        "service": in_webhook(views.service_reference(account, row.service)),
        "assignees": [in_webhook(views.user_reference(account, user)) for user in row.assignees],
        "escalation_policy": in_webhook(views.policy_reference(account, row.policy)),
        "teams": [],
        "priority": priority
        and {
            "id": priority.id,
            "type": "priority_reference",
            "self": f"{views.API}/priorities/{priority.id}",
            "html_url": f"{views.WEB}/account/settings/incidents",
            "summary": priority.name,
        },
        "urgency": row.urgency,
        "conference_bridge": row.bridge,
        "resolve_reason": _resolve_reason(account, row) if row.merged_into else None,
        "incident_type": {"name": row.kind},
    }


def in_webhook(reference: Json) -> Json:
    """The same reference in the order that webhooks of 2026 have."""
    return {key: reference[key] for key in ("id", "type", "self", "html_url", "summary")}


def named_in_webhook(row: Incident) -> Json:
    """A reference whose summary is the bare title: so it is in webhooks, and only there."""
    return in_webhook(views.reference("incident", row.id, row.title))


def _alert_counts(row: Incident) -> Json:
    """One, where a monitor made it: resolved when the incident is."""
    has = int(row.alert_key is not None)
    triggered = has if row.status != "resolved" else 0
    return {"all": has, "triggered": triggered, "resolved": has - triggered}


def _held(account: Account, users: Mapping[str, int], name: str, *, whole: bool) -> list[Json]:
    return [
        {
            "at": ids.to_seconds(at),
            name: (
                views.user(account.records.users[id_])
                if whole
                else views.user_reference(account, id_)
            ),
        }
        for id_, at in users.items()
    ]


def _changed_by(account: Account, row: Incident, *, whole: bool) -> Json:
    user = account.records.users.get(row.changed_by)
    if whole and user:
        return views.user(user)
    return views.agent_reference(account, row.changed_by)


def _resolve_reason(account: Account, row: Incident) -> Json:
    target = account.records.incidents[row.merged_into or ""]
    return {
        "type": "merge_resolve_reason",
        "incident": in_webhook(views.incident_reference(target)),
    }
