"""The requests that change something in PagerDuty: what is sent, whoever sends it. Pure."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from imsync.connectors.base import Draft, Request
from imsync.connectors.pagerduty.notes import bounded
from imsync.connectors.pagerduty.reading import Object
from imsync.connectors.pagerduty.severities import URGENCIES, in_parts
from imsync.core.fields import Field, Value, in_words
from imsync.errors import Gone, Impossible

PriorityId = Callable[[str], str | None]


def to_create(draft: Draft, priority_id: PriorityId) -> Request:
    """What creates this incident.

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
    return Request("POST", "/incidents", {"incident": body})


def to_write(external_id: str, changes: Mapping[Field, Value], priority_id: PriorityId) -> Request:
    """What sets these fields of one incident, and no others.

    Raises Impossible for what PagerDuty has no request for: unassigning an open incident.
    """
    body = {"incident": _changed(changes, priority_id)}
    return Request("PUT", f"/incidents/{segment(external_id)}", body)


def to_write_many(changes: Mapping[str, Mapping[Field, Value]], priority_id: PriorityId) -> Request:
    """What sets fields of several incidents, each by its id. Raises Impossible likewise."""
    bodies = [{"id": id_, **_changed(of_one, priority_id)} for id_, of_one in changes.items()]
    return Request("PUT", "/incidents", {"incidents": bodies})


def _changed(changes: Mapping[Field, Value], priority_id: PriorityId) -> Object:
    if not changes or Field.DESCRIPTION in changes:
        raise ValueError(f"there is no write of {', '.join(changes) or 'nothing'}")
    body: dict[str, object] = {"type": "incident_reference"}
    for field, value in changes.items():
        if field is Field.ASSIGNED_TO and value is None:
            if changes.get(Field.STATUS) != "resolved":  # which takes the assignees away
                raise Impossible("PagerDuty keeps somebody assigned while an incident is open")
        elif value is None:
            raise Impossible(f"PagerDuty has no incident without its {in_words(field)}")
        elif field is Field.SEVERITY:
            body |= _severity(value, priority_id)
        elif field is Field.ASSIGNED_TO:
            body["assignments"] = [{"assignee": _reference("user", value)}]
        elif field is Field.ESCALATION_POLICY:
            body["escalation_policy"] = _reference("escalation_policy", value)
        else:
            body[field.value] = value
    return body


def to_note(external_id: str, text: str, note_id: str | None) -> Request:
    """What adds a note, or puts the text in place of what the note `note_id` says.

    Cut to what a note holds.
    """
    path, body = f"/incidents/{segment(external_id)}/notes", {"note": {"content": bounded(text)}}
    if note_id is None:
        return Request("POST", path, body)
    return Request("PUT", f"{path}/{segment(note_id)}", body)


def _severity(value: str, priority_id: PriorityId) -> Object:
    urgency, priority = in_parts(value)
    body: dict[str, object] = {"urgency": urgency} if urgency in URGENCIES else {}
    if priority:
        id_ = priority_id(priority)
        body["priority"] = _reference("priority", id_) if id_ else priority
    return body


def _reference(kind: str, id_: str) -> Object:
    return {"id": id_, "type": f"{kind}_reference"}


def segment(id_: str) -> str:
    """An id as a part of a path. Raises Gone for what cannot be one, so that none strays."""
    if not id_ or len(id_) > 128 or id_.strip(".") == "":
        raise Gone(f"PagerDuty has nothing by the id {id_[:128]!r}", status=404)
    return quote(id_, safe="")
