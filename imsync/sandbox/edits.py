"""What can happen to what an incident says: title, urgency, priority and the rest.

As in `changes`, what leaves things as they are happens silently.
"""

from imsync.sandbox import changes, events, ids, log
from imsync.sandbox.acts import Act
from imsync.sandbox.rows import Incident, Json


def retitle(act: Act, row: Incident, title: str) -> Incident:
    if title == row.title:
        return row
    old, row = row.title, act.keep(row, title=title)
    _log_edit(act, row, "title", title, old)
    act.tell("incident.title_updated", row)
    return row


def change_urgency(act: Act, row: Incident, urgency: str) -> Incident:
    """Raising it on an acknowledged incident triggers it again."""
    if urgency == row.urgency:
        return row
    old, row = row.urgency, act.keep(row, urgency=urgency)
    channel = log.changeset("urgency", urgency, old, "PURGENC")
    act.log(row, "urgency_change", f"Urgency changed to {urgency}", channel)
    act.tell("incident.urgency_updated", row)
    if urgency == "high" and row.status == "acknowledged":
        return changes.unacknowledge(act, row)
    return row


def change_priority(act: Act, row: Incident, priority: str | None) -> Incident:
    if priority == row.priority:
        return row
    old, row = row.priority, act.keep(row, priority=priority)
    _log_edit(act, row, "priority", priority, old)
    act.tell("incident.priority_updated", row)
    return row


def move(act: Act, row: Incident, service: str) -> Incident:
    if service == row.service:
        return row
    old, row = row.service, act.keep(row, service=service)
    _log_edit(act, row, "service", service, old)
    act.tell("incident.service_updated", row)
    return row


def change_kind(act: Act, row: Incident, kind: str) -> Incident:
    if kind == row.kind:
        return row
    old, row = row.kind, act.keep(row, kind=kind)
    _log_edit(act, row, "incident_type", kind, old)
    act.tell("incident.incident_type.changed", row)
    return row


def change_bridge(act: Act, row: Incident, bridge: Json) -> Incident:
    if bridge == row.bridge:
        return row
    row = act.keep(row, bridge=bridge)
    events.of_bridge(act.account, row, by=act.agent)
    return row


def _log_edit(act: Act, row: Incident, name: str, value: str | None, old: str | None) -> None:
    channel = log.changeset(name, value, old, "P" + name[:6].upper().ljust(6, "0"))
    act.log(row, "field_value_change", f"{name.capitalize()} changed", channel)


def snooze(act: Act, row: Incident, seconds: int) -> Incident:
    """Leave it acknowledged, for so long."""
    until = act.at + act.account.scaled(seconds * 1000)
    row = act.keep(row, due={**row.due, "unacknowledge": until})
    action = {"type": "unacknowledge", "at": ids.to_seconds(until)}
    act.log(row, "snooze", "Snoozed", {"duration": seconds}, changed_actions=[action])
    return row
