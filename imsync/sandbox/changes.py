"""What can happen to an incident: each change with its log entry and its event.

A change that leaves things as they are happens silently: no entry, no event.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imsync.sandbox import duty, events, ids, log, refusals, views
from imsync.sandbox.account import Account
from imsync.sandbox.rows import Incident, Json, Note, Policy


@dataclass(frozen=True, slots=True)
class Act:
    """Who does it, when and where; nobody when PagerDuty does it by itself."""

    account: Account
    by: str | None
    at: int

    def keep(self, row: Incident, **changed: Any) -> Incident:
        return self.account.records.incidents.put(replace(row, updated_at=self.at, **changed))

    def log(
        self, row: Incident, kind: str, did: str, channel: Json | None = None, **more: object
    ) -> None:
        how = channel or (log.API_CHANNEL if self.by else log.TIMEOUT)
        log.write(
            self.account,
            row,
            kind,
            by=self.by,
            summary=f"{did} by {self.name(row)}.",
            at=self.at,
            channel=how,
            **more,
        )

    def tell(self, event_type: str, row: Incident) -> None:
        events.of_incident(self.account, event_type, row, by=self.by)

    def name(self, row: Incident) -> str:
        user = self.account.records.users.get(self.by)
        return user.name if user else self.account.records.services[row.service].name


# Status.


def acknowledge(act: Act, row: Incident) -> Incident:
    """Whoever does it joins those who have acknowledged already."""
    if row.status == "resolved":
        # Whoever reopens an incident by acknowledging it, takes it on.
        row = reopen(act, row, users=[act.by] if act.by else ())
    if act.by in row.acknowledgers:
        if act.account.switches.refuse_same_status:
            raise refusals.already_acknowledged()
        return row
    timeout = act.account.switches.acknowledgement_timeout
    due = {name: at for name, at in row.due.items() if name == "resolve"}
    if timeout:
        due["unacknowledge"] = act.at + act.account.scaled(timeout * 1000)
    changed: Json = {"due": due}
    if act.by:
        changed["acknowledgers"] = {**row.acknowledgers, act.by: act.at}
        if act.account.switches.acknowledging_assigns:
            changed |= {"assignees": {act.by: act.at}, "direct": True}
    row = act.keep(row, **_status(act, row, "acknowledged"), **changed)
    act.log(row, "acknowledge", "Acknowledged", acknowledgement_timeout=timeout or None)
    act.tell("incident.acknowledged", row)
    return row


def unacknowledge(act: Act, row: Incident) -> Incident:
    row = act.keep(row, **_status(act, row, "triggered"), acknowledgers={})
    row = _wind_up(act, row)
    act.log(row, "unacknowledge", "Unacknowledged")
    act.tell("incident.unacknowledged", row)
    return row


def resolve(
    act: Act, row: Incident, *, resolution: str | None = None, into: str | None = None
) -> Incident:
    """Nobody is assigned any more; `into` is the incident that it was merged into."""
    row = act.keep(
        row,
        **_status(act, row, "resolved"),
        assignees={},
        acknowledgers={},
        due={},
        resolved_at=act.at,
        merged_into=into,
    )
    more: Json = {"note": resolution} if resolution else {}
    act.log(row, "resolve", "Resolved", **more)
    act.tell("incident.resolved", row)
    if resolution and act.by and act.account.switches.resolution_annotates:
        annotate(act, row, f"Resolution Note: {resolution}")
    return row


def reopen(
    act: Act, row: Incident, *, users: Sequence[str] = (), policy: str | None = None
) -> Incident:
    """Triggered again, for these users, or else for whoever is on call."""
    policy = policy or row.policy
    row = act.keep(
        row,
        **_status(act, row, "triggered"),
        policy=policy,
        level=1,
        direct=bool(users),
        assignees=_since(act.at, users or _paged(act, policy, 1)),
        resolved_at=None,
        reopened_at=act.at,
        merged_into=None,
    )
    row = _wind_up(act, row)
    # There is no documented kind of entry for this.
    act.log(row, "trigger", "Reopened")
    act.log(row, "assign", "Assigned", assignees=_assignees(act, row))
    act.tell("incident.reopened", row)
    return row


def _status(act: Act, row: Incident, status: str) -> Json:
    if row.status == status:
        return {}
    return {"status": status, "changed_at": act.at, "changed_by": act.by or row.service}


# Who is on it.


def assign(act: Act, row: Incident, users: Sequence[str]) -> Incident:
    if set(users) == set(row.assignees):
        return row
    due = {name: at for name, at in row.due.items() if name != "escalate"}
    row = act.keep(row, assignees=_since(act.at, users), direct=True, due=due)
    act.log(row, "assign", "Reassigned", assignees=_assignees(act, row))
    act.tell("incident.reassigned", row)
    return row


def delegate(act: Act, row: Incident, policy: Policy) -> Incident:
    """Whoever is on call by another escalation policy has it now."""
    users = _paged(act, policy.id, 1)
    if policy.id == row.policy and set(users) == set(row.assignees):
        return row
    row = act.keep(row, policy=policy.id, level=1, direct=False, assignees=_since(act.at, users))
    row = _wind_up(act, row)
    act.log(
        row,
        "delegate",
        "Delegated",
        assignees=_assignees(act, row),
        escalation_policy=views.policy_reference(act.account, policy.id),
    )
    act.tell("incident.delegated", row)
    return row


def escalate(act: Act, row: Incident, level: int) -> Incident:
    policy = act.account.records.policies[row.policy]
    if not 1 <= level <= len(policy.levels):
        raise refusals.cannot_escalate(f"{policy.name} has no level {level}.")
    users = _paged(act, row.policy, level)
    row = act.keep(row, level=level, direct=False, assignees=_since(act.at, users))
    row = _wind_up(act, row)
    act.log(row, "escalate", "Escalated", assignees=_assignees(act, row))
    act.tell("incident.escalated", row)
    return row


def _paged(act: Act, policy: str, level: int) -> Sequence[str]:
    records = act.account.records
    return duty.whom_to_page(records, records.policies[policy], level, act.at)


def _since(at: int, users: Iterable[str]) -> dict[str, int]:
    return dict.fromkeys(users, at)


def _assignees(act: Act, row: Incident) -> list[Json]:
    return [views.user_reference(act.account, user) for user in row.assignees]


def _wind_up(act: Act, row: Incident) -> Incident:
    """Set going what happens by itself to an open incident that nobody has acknowledged."""
    account = act.account
    due = {name: at for name, at in row.due.items() if name == "resolve"}
    policy = account.records.policies[row.policy]
    if (
        account.switches.escalation_timers
        and row.status == "triggered"
        and not row.direct
        and row.urgency == "high"
        and row.level < len(policy.levels)
    ):
        due["escalate"] = act.at + account.scaled(policy.delay_minutes * 60_000)
    if account.switches.auto_resolve_timeout and "resolve" not in due:
        due["resolve"] = act.at + account.scaled(account.switches.auto_resolve_timeout * 1000)
    return row if due == row.due else act.keep(row, due=due)


started = _wind_up


# What it says.


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
        return unacknowledge(act, row)
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
    events.of_bridge(act.account, row, by=act.by)
    return row


def _log_edit(act: Act, row: Incident, name: str, value: str | None, old: str | None) -> None:
    channel = log.changeset(name, value, old, "P" + name[:6].upper().ljust(6, "0"))
    act.log(row, "field_value_change", f"{name.capitalize()} changed", channel)


def annotate(act: Act, row: Incident, content: str) -> Note:
    """Add a note, by a person."""
    notes = act.account.records.notes
    note = notes.put(
        Note(
            id=act.account.fresh(ids.short, notes),
            incident=row.id,
            user=act.by or "",
            content=content,
            created_at=act.at,
            updated_at=act.at,
        )
    )
    act.log(row, "annotate", "Note added", {"type": "note", "summary": content})
    events.of_note(act.account, row, note, by=act.by)
    return note


def snooze(act: Act, row: Incident, seconds: int) -> Incident:
    """Leave it acknowledged, for so long."""
    until = act.at + act.account.scaled(seconds * 1000)
    row = act.keep(row, due={**row.due, "unacknowledge": until})
    channel: Json = {"type": "api", "duration": seconds}
    action = {"type": "unacknowledge", "at": ids.to_seconds(until)}
    act.log(row, "snooze", "Snoozed", channel, changed_actions=[action])
    return row
