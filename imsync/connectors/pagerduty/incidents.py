"""An incident as PagerDuty writes it, in REST and in webhooks, and as it takes it.

External forms of the fields: the title as it is; a status of triggered, acknowledged or
resolved; a severity of `high` or `low`, followed by the priority's name if there is one
("high P1"); a user's id; an escalation policy's id. The description is never shown.
"""

from collections.abc import Callable, Mapping

from imsync.connectors.base import Draft, Entry, Kind, Snapshot, Unusable
from imsync.connectors.pagerduty.mapping import URGENCIES, in_parts
from imsync.connectors.pagerduty.reading import (
    Object,
    dig,
    moment_if_any,
    object_if_any,
    objects_at,
    text_at,
    text_if_any,
)
from imsync.core.fields import Field, Instant, Value
from imsync.errors import Refused

PriorityId = Callable[[str], str | None]


def snapshot(incident: Object, *, as_of: Instant, offset: int) -> Snapshot:
    """How this incident stood at `as_of`. Only its id and status must be there.

    Assignees of a resolved incident are not shown: PagerDuty drops them then, and that
    is nobody's edit. Raises Unusable.
    """
    status = text_at(incident, "status")
    fields: dict[Field, Value] = {Field.STATUS: status}
    learnt = list[Entry]()
    if (title := text_if_any(incident, "title")) is not None:
        fields[Field.TITLE] = title
    if urgency := text_if_any(incident, "urgency"):
        fields[Field.SEVERITY] = f"{urgency} {_priority(incident)}".strip()
    if policy := object_if_any(incident, "escalation_policy"):
        fields[Field.ESCALATION_POLICY] = text_at(policy, "id")
        # Priorities come along too, but are not learnt one by one: which of them a severity
        # is written as depends on all that the account has.
        if name := dig(policy, "summary"):
            learnt.append(Entry(Kind.ESCALATION_POLICY, name, text_at(policy, "id")))
    if status != "resolved" and (assignees := _assignees(incident)) is not None:
        fields[Field.ASSIGNED_TO] = text_at(assignees[0], "id") if assignees else None
        learnt.extend(
            Entry(Kind.USER, email, id_)
            for user in assignees
            if (email := dig(user, "email")) and (id_ := dig(user, "id"))
        )
    return Snapshot(
        external_id=text_at(incident, "id"),
        url=text_if_any(incident, "html_url"),
        fields=fields,
        as_of=as_of,
        key=text_if_any(incident, "incident_key"),
        service_id=dig(incident, "service", "id"),
        created_at=moment_if_any(incident, "created_at", offset=offset),
        open=status != "resolved",
        learnt=learnt,
    )


def _priority(incident: Object) -> str:
    priority = object_if_any(incident, "priority") or {}
    return text_if_any(priority, "name") or text_if_any(priority, "summary") or ""


def _assignees(incident: Object) -> list[Object] | None:
    if incident.get("assignees") is not None:  # in webhooks
        return list(objects_at(incident, "assignees"))
    if incident.get("assignments") is None:
        return None
    found = []
    for assignment in objects_at(incident, "assignments"):
        assignee = object_if_any(assignment, "assignee")
        if assignee is None:
            raise Unusable("an assignment has no assignee")
        found.append(assignee)
    return found


def to_create(draft: Draft, priority_id: PriorityId) -> Object:
    """The body that creates this incident.

    PagerDuty takes an assignee or an escalation policy, not both: the assignee goes
    first. It takes no status (every incident is born triggered), and a priority by id
    only: one whose id is not known is left for a later write, which goes by name.
    """
    fields = draft.fields
    body: dict[str, object] = {
        "type": "incident",
        "title": fields.get(Field.TITLE) or "",
        "service": _reference("service", draft.service_id),
        "incident_key": draft.key,
    }
    if severity := fields.get(Field.SEVERITY):
        urgency, priority = in_parts(severity)
        if urgency:
            body["urgency"] = urgency
        if priority and (id_ := priority_id(priority)):
            body["priority"] = _reference("priority", id_)
    if user := fields.get(Field.ASSIGNED_TO):
        body["assignments"] = [{"assignee": _reference("user", user)}]
    elif policy := fields.get(Field.ESCALATION_POLICY):
        body["escalation_policy"] = _reference("escalation_policy", policy)
    if draft.description:
        body["body"] = {"type": "incident_body", "details": draft.description}
    return {"incident": body}


def to_write(changes: Mapping[Field, Value], priority_id: PriorityId) -> Object:
    """The body that sets these fields, and no others.

    Raises Refused for what PagerDuty has no request for: unassigning an open incident.
    """
    if not changes or Field.DESCRIPTION in changes:
        raise ValueError(f"there is no write of {', '.join(changes) or 'nothing'}")
    body: dict[str, object] = {"type": "incident_reference"}
    for field, value in changes.items():
        if field is Field.ASSIGNED_TO and value is None:
            if changes.get(Field.STATUS) != "resolved":  # which takes the assignees away
                raise Refused("PagerDuty keeps someone assigned while an incident is open")
        elif value is None:
            raise Refused(f"PagerDuty cannot do without a {field}")
        elif field is Field.SEVERITY:
            body |= _severity(value, priority_id)
        elif field is Field.ASSIGNED_TO:
            body["assignments"] = [{"assignee": _reference("user", value)}]
        elif field is Field.ESCALATION_POLICY:
            body["escalation_policy"] = _reference("escalation_policy", value)
        else:
            body[field.value] = value
    return {"incident": body}


def _severity(value: str, priority_id: PriorityId) -> Object:
    urgency, priority = in_parts(value)
    body: dict[str, object] = {"urgency": urgency} if urgency in URGENCIES else {}
    if priority:
        id_ = priority_id(priority)
        body["priority"] = _reference("priority", id_) if id_ else priority
    return body


def _reference(kind: str, id_: str) -> Object:
    return {"id": id_, "type": f"{kind}_reference"}
