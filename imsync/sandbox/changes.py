"""What can happen to an incident's status and to who is on it; `edits` has the rest.

Each change comes with its log entry and its event. One that leaves things as they are happens
silently: no entry, no event.
"""

from collections.abc import Iterable, Sequence

from imsync.sandbox import duty, refusals, views
from imsync.sandbox.acts import Act
from imsync.sandbox.rows import Incident, Json, Policy

# Status.


def acknowledge(act: Act, row: Incident) -> Incident:
    """Whoever does it joins those who have acknowledged already."""
    if row.status == "resolved":
        # Whoever reopens an incident by acknowledging it, takes it on.
        row = reopen(act, row, users=[act.by] if act.by else ())
    switches = act.account.switches
    if act.by in row.acknowledgers or (act.by is None and row.status == "acknowledged"):
        if switches.refuse_same_status:
            raise refusals.already_acknowledged(switches.already_status)
        return row
    timeout = switches.acknowledgement_timeout
    due = {name: at for name, at in row.due.items() if name == "resolve"}
    if timeout:
        due["unacknowledge"] = act.at + act.account.scaled(timeout * 1000)
    changed: Json = {"due": due}
    if act.by:
        changed["acknowledgers"] = {**row.acknowledgers, act.by: act.at}
        if switches.acknowledging_assigns:
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
        act.note(row, f"Resolution Note: {resolution}")
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
    return duty.whom_to_page(act.account, act.account.records.policies[policy], level, act.at)


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
