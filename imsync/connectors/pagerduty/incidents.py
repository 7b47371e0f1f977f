"""An incident as PagerDuty writes it, in REST and in webhooks. Pure.

External forms of the fields: the title as it is; a status of triggered, acknowledged or
resolved; a severity of `high` or `low`, followed by the priority's name if there is one
("high P1"); a user's id; an escalation policy's id. The description is never shown.
"""

from imsync.connectors.base import Entry, Kind, Snapshot, Unusable
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
        service=dig(incident, "service", "summary"),
        merged_into=_merged_into(incident),
        created_at=moment_if_any(incident, "created_at", offset=offset),
        open=status != "resolved",
        learnt=learnt,
    )


def _merged_into(incident: Object) -> str | None:
    reason = object_if_any(incident, "resolve_reason") or {}
    if dig(reason, "type") != "merge_resolve_reason":
        return None
    return dig(reason, "incident", "id")


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
