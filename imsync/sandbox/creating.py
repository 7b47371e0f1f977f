"""POST /incidents. What nobody makes, a monitor makes: it has an alert, and no key of its own."""

from typing import Final

from imsync.sandbox import asking, changes, duty, ids, incident_views, log, refusals, views
from imsync.sandbox.account import Account
from imsync.sandbox.acts import Act
from imsync.sandbox.asking import Ask
from imsync.sandbox.refusals import Refusal, arguments, invalid
from imsync.sandbox.rows import Incident, Json
from imsync.sandbox.updating import bridge_of, kind_of, priority_of, title_of, users_of

_NO_TITLE: Final = "Title cannot be empty."
_NOT_BOTH: Final = "Assignments and escalation policy cannot both be specified."


def create(account: Account, ask: Ask) -> Json:
    """Triggered, for the assignee or else for whoever is on call."""
    body = ask.wrapped("incident", or_else=_NO_TITLE)
    row = _born(account, ask, body)
    act = Act.of(account, ask)
    row = _begin(act, row)
    if ask.by in row.assignees and row.direct:
        # Who assigns it to themselves at creation has acknowledged it.
        row = changes.acknowledge(act, row)
    shown = incident_views.rest(account, row)
    # The answer to a creation has the body without being asked to; nothing else has.
    return {"incident": {**shown, "body": {"details": row.details}} if row.details else shown}


def _born(account: Account, ask: Ask, body: Json) -> Incident:
    records = account.records
    title = title_of(account, body)
    if body.get("type") not in ("incident", "incident_reference") or title is None:
        raise invalid(_NO_TITLE)
    service_id = asking.id_at(body, "service")
    if service_id is None:
        raise invalid("Service cannot be empty.")
    service = asking.there(records.services.get(service_id), refusals.no_such_service)
    assignees = users_of(account, body)
    policy_id = asking.id_at(body, "escalation_policy")
    if assignees and policy_id:
        raise invalid(_NOT_BOTH)
    if assignees and len(assignees) > 1:
        raise invalid("Only one assignee is supported.")
    policy = asking.there(
        records.policies.get(policy_id or service.policy), refusals.no_such_policy
    )
    key = asking.text_at(body, "incident_key", longest=255) or ids.incident_key(account.rng)
    if any(
        key in (row.key, row.alert_key) and row.service == service.id and row.status != "resolved"
        for row in records.incidents
    ):
        raise arguments("Open incident with matching dedup key already exists on this service")
    on_call = duty.whom_to_page(account, policy, 1, ask.at)
    if not assignees and not on_call:
        raise Refusal(400, 1015, "Escalation Policy Has No User On Call")
    return Incident(
        id=account.fresh(ids.incident, records.incidents),
        number=records.count("incident"),
        title=title,
        service=service.id,
        policy=policy.id,
        urgency=asking.one_of(body, "urgency", "high", "low") or "high",
        status="triggered",
        key=key if ask.by else None,
        alert_key=None if ask.by else key,
        created_at=ask.at,
        updated_at=ask.at,
        changed_at=ask.at,
        changed_by=service.id,
        priority=priority_of(account, body) if body.get("priority") is not None else None,
        details=_details(body),
        kind=kind_of(body) or "incident_default",
        bridge=bridge_of(body),
        direct=bool(assignees),
        assignees=dict.fromkeys(assignees or on_call, ask.at),
    )


def _begin(act: Act, row: Incident) -> Incident:
    """Keep it, log it, tell of it."""
    account = act.account
    account.records.incidents.put(row)
    by_hand = act.website and act.by is not None
    channel: Json = {
        "type": "web_trigger" if by_hand else "api",
        "summary": row.title,
        "subject": row.title,
        "details": row.details or "",
    }
    entry = log.write(
        account,
        row,
        "trigger",
        by=act.by,
        summary=f"Triggered through the {'website' if by_hand else 'API'}.",
        at=act.at,
        channel=channel,
        event_details={"description": row.title},
    )
    row = changes.started(act, act.keep(row, first_entry=entry.id))
    log.write(
        account,
        row,
        "assign",
        by=None,
        summary="Assigned.",
        at=act.at,
        channel=log.AUTO,
        assignees=[views.user_reference(account, user) for user in row.assignees],
    )
    act.tell("incident.triggered", row)
    return row


def _details(body: Json) -> str | None:
    found = body.get("body")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise invalid("body must be an object.")
    return asking.text_at(found, "details")
