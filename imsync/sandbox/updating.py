"""PUT /incidents/{id} and PUT /incidents: what is wanted, read whole before anything is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imsync.sandbox import asking, changes, edits, incident_views, refusals
from imsync.sandbox.account import Account
from imsync.sandbox.acts import Act
from imsync.sandbox.asking import Ask
from imsync.sandbox.refusals import PartlyDone, Refusal, invalid
from imsync.sandbox.rows import Incident, Json, Policy

_MOST: Final = 250


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one incident is to be; None leaves a field alone."""

    title: str | None
    urgency: str | None
    has_priority: bool
    priority: str | None
    service: str | None
    kind: str | None
    bridge: Json | None
    users: Sequence[str] | None
    policy: Policy | None
    level: int | None
    status: str | None
    resolution: str | None

    @property
    def edits(self) -> bool:
        return self.has_priority or self.title is not None or self.urgency is not None

    @property
    def assigns(self) -> bool:
        return bool(self.users or self.policy or self.level is not None)


def update(account: Account, ask: Ask) -> Json:
    row = find(account, ask.path["id"])
    wanted = _read(account, ask.wrapped("incident"))
    return {"incident": incident_views.rest(account, _carry_out(account, ask, row, wanted))}


def update_many(account: Account, ask: Ask) -> Json:
    """All of them or none; with the switch, those that can be."""
    bodies = asking.objects_at(ask.body, "incidents") if isinstance(ask.body, dict) else None
    if not bodies:
        raise invalid("incidents must be a list of at least one.")
    if len(bodies) > _MOST:
        raise refusals.too_many()
    rows, refused = [], list[Refusal]()
    for body in bodies:
        try:
            with account.records.unit():
                rows.append(_one_of_many(account, ask, body))
        except Refusal as refusal:
            if not account.switches.bulk_partly:
                raise
            refused.append(refusal)
    if refused:
        raise PartlyDone(refused[0])
    return {"incidents": [incident_views.rest(account, row) for row in rows]}


def _one_of_many(account: Account, ask: Ask, body: Json) -> Incident:
    row = account.records.incidents.get(asking.id_of(body, "incident"))
    if row is None:
        raise Refusal(400, 5001, "Incident Not Found")
    if "service" in body:
        raise invalid("The service of an incident can only be changed one at a time.")
    return _carry_out(account, ask, row, _read(account, body))


def find(account: Account, id_: str) -> Incident:
    """By id or by number."""
    records = account.records
    if found := records.incidents.get(id_):
        return found
    by_number = (row for row in records.incidents if str(row.number) == id_)
    return asking.there(next(by_number, None), refusals.no_such_incident)


def _read(account: Account, body: Json) -> Wanted:
    records = account.records
    if body.get("type") not in ("incident", "incident_reference"):
        raise invalid("type must be incident or incident_reference.")
    title = title_of(account, body)
    users = users_of(account, body)
    policy_id = asking.id_at(body, "escalation_policy")
    policy = (
        asking.there(records.policies.get(policy_id), refusals.no_such_policy)
        if policy_id
        else None
    )
    if users and policy:
        raise invalid("Assignments and escalation policy cannot both be specified.")
    service = asking.id_at(body, "service")
    if service is not None:
        asking.there(records.services.get(service), refusals.no_such_service)
    status = asking.text_at(body, "status")
    if status not in (None, "triggered", "acknowledged", "resolved"):
        raise Refusal(400, 1003, "Invalid Status Provided")
    return Wanted(
        title=title,
        urgency=asking.one_of(body, "urgency", "high", "low"),
        has_priority="priority" in body,
        priority=priority_of(account, body) if "priority" in body else None,
        service=service,
        kind=kind_of(body),
        bridge=bridge_of(body),
        users=users,
        policy=policy,
        level=asking.number_at(body, "escalation_level"),
        status=status,
        resolution=asking.text_at(body, "resolution"),
    )


def _carry_out(account: Account, ask: Ask, row: Incident, wanted: Wanted) -> Incident:
    act = Act.of(account, ask)
    reopens = row.status == "resolved" and wanted.status in ("triggered", "acknowledged")
    stays_resolved = row.status == "resolved" and not reopens
    forbidden = wanted.assigns or (wanted.edits and not account.switches.edit_resolved)
    if stays_resolved and forbidden:
        raise refusals.already_resolved(account.switches.already_status)
    if wanted.resolution and wanted.status != "resolved":
        raise invalid("A resolution can only be given with the status resolved.")
    row = _edit(act, row, wanted)
    if reopens and wanted.status == "triggered":
        policy = wanted.policy.id if wanted.policy else None
        return changes.reopen(act, row, users=wanted.users or (), policy=policy)
    if reopens:
        row = changes.acknowledge(act, row)
    row = _hand_over(act, row, wanted)
    return row if reopens else _set_status(act, row, wanted)


def _edit(act: Act, row: Incident, wanted: Wanted) -> Incident:
    if wanted.title is not None:
        row = edits.retitle(act, row, wanted.title)
    if wanted.urgency is not None:
        row = edits.change_urgency(act, row, wanted.urgency)
    if wanted.has_priority:
        row = edits.change_priority(act, row, wanted.priority)
    if wanted.service is not None:
        row = edits.move(act, row, wanted.service)
    if wanted.kind is not None:
        row = edits.change_kind(act, row, wanted.kind)
    if wanted.bridge is not None:
        row = edits.change_bridge(act, row, wanted.bridge)
    return row


def _hand_over(act: Act, row: Incident, wanted: Wanted) -> Incident:
    if wanted.policy:
        row = changes.delegate(act, row, wanted.policy)
    if wanted.level is not None:
        if row.urgency == "low":
            raise refusals.cannot_escalate("Incidents of low urgency do not escalate.")
        row = changes.escalate(act, row, wanted.level)
    if wanted.users:
        row = changes.assign(act, row, wanted.users)
    return row


def _set_status(act: Act, row: Incident, wanted: Wanted) -> Incident:
    switches = act.account.switches
    if wanted.status == "acknowledged":
        return changes.acknowledge(act, row)
    if wanted.status == "resolved":
        if row.status != "resolved":
            return changes.resolve(act, row, resolution=wanted.resolution)
        if switches.refuse_same_status:
            raise refusals.already_resolved(switches.already_status)
    if wanted.status == "triggered" and row.status == "acknowledged":
        if not switches.unacknowledge:
            raise Refusal(400, 1003, "Invalid Status Provided")
        return changes.unacknowledge(act, row)
    return row


# Parts of a body that creation and update have in common.


def title_of(account: Account, body: Json) -> str | None:
    title = asking.text_at(body, "title")
    if title is None:
        return None
    if not title.strip():
        raise invalid("Title cannot be empty.")
    longest = account.switches.longest_title
    if longest and len(title) > longest:
        raise invalid(f"Title is too long (maximum is {longest} characters).")
    return title


def users_of(account: Account, body: Json) -> Sequence[str] | None:
    """The assignees, who must exist and be users."""
    found = asking.objects_at(body, "assignments")
    if found is None:
        return None
    users = [asking.id_of(item.get("assignee"), "assignee") for item in found]
    if not users:
        raise invalid("Assignments cannot be empty.")
    if any(user not in account.records.users for user in users):
        raise refusals.no_such_assignee()
    return list(dict.fromkeys(users))


def priority_of(account: Account, body: Json) -> str | None:
    """The id of a priority given by reference or by name; None clears it."""
    wanted, priorities = body["priority"], account.records.priorities
    if not account.switches.priorities:
        raise refusals.invalid_priority()
    if wanted is None:
        if not account.switches.clear_priority:
            raise refusals.invalid_priority()
        return None
    if isinstance(wanted, str):
        named = [row for row in priorities if row.name == wanted]
        best = max(named, key=lambda row: row.order, default=None)
    else:
        best = priorities.get(asking.id_of(wanted, "priority"))
    return asking.there(best, refusals.invalid_priority).id


def kind_of(body: Json) -> str | None:
    found = body.get("incident_type")
    if found is None:
        return None
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str) or not name:
        raise invalid("incident_type must be an object with a name.")
    return name


def bridge_of(body: Json) -> Json | None:
    found = body.get("conference_bridge")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise invalid("conference_bridge must be an object.")
    return {key: asking.text_at(found, key) for key in ("conference_number", "conference_url")}
