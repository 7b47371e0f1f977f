"""The log entries of an incident: which field was set to what, when, and by whom. Pure.

PagerDuty's own descriptions differ on where an entry keeps the new value, and captured
ones differ again, so every place known is tried; an entry that tells no value is passed over.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from imsync.connectors.base import Change, Unusable
from imsync.connectors.pagerduty.reading import Object, dig, each_at, moment_at
from imsync.core.fields import Field, Instant, Value

_STATUSES: Final = {
    "trigger_log_entry": "triggered",
    "acknowledge_log_entry": "acknowledged",
    "unacknowledge_log_entry": "triggered",
    "reopen_log_entry": "triggered",
    "resolve_log_entry": "resolved",
}
_ASSIGNMENTS: Final = (
    "assign_log_entry",
    "reassign_log_entry",
    "escalate_log_entry",
    "delegate_log_entry",
)
_NAMED: Final = {
    "title": Field.TITLE,
    "status": Field.STATUS,
    "urgency": Field.SEVERITY,
    "priority": Field.SEVERITY,
    "escalation_policy": Field.ESCALATION_POLICY,
}

PriorityName = Callable[[str], str | None]


def changes(
    answer: Object, *, external_id: str | None = None, offset: int, priority_name: PriorityName
) -> Sequence[Change]:
    """The changes in one page of the log, oldest first; of this incident, or of any (None).

    Times are whole seconds there: a change was made within the second after its `at`.
    """
    dated = each_at(
        answer,
        "log_entries",
        lambda entry: (moment_at(entry, "created_at", offset=offset), entry),
    )
    if dated and dated[0][0] >= dated[-1][0]:
        dated.reverse()  # the log is kept newest first
    dated.sort(key=lambda item: item[0])
    return [
        Change(of, field, value, at, dig(entry, "agent", "id"), dig(entry, "agent", "summary"))
        for at, entry in dated
        if (of := external_id or dig(entry, "incident", "id"))
        for field, value in _told(entry, priority_name)
    ]


def _told(entry: Object, priority_name: PriorityName) -> Iterator[tuple[Field, Value]]:
    kind = dig(entry, "type") or ""
    if kind in _STATUSES:
        yield Field.STATUS, _STATUSES[kind]
    elif kind in _ASSIGNMENTS:
        if policy := dig(entry, "escalation_policy", "id"):
            yield Field.ESCALATION_POLICY, policy
        if user := dig(entry, "assignees", 0, "id"):
            yield Field.ASSIGNED_TO, user
    elif kind == "priority_change_log_entry":
        priority = ("channel", "new_priority")
        if name := dig(entry, *priority, "name") or dig(entry, *priority, "summary"):
            yield Field.SEVERITY, name
    elif kind in ("urgency_change_log_entry", "field_value_change_log_entry"):
        told = list(_changeset(entry, priority_name))
        urgency = dig(entry, "channel", "new_urgency") or dig(entry, "channel", "urgency")
        if not told and urgency:
            told = [(Field.SEVERITY, urgency)]
        yield from told


def _changeset(entry: Object, priority_name: PriorityName) -> Iterator[tuple[Field, Value]]:
    for place in (entry.get("channel"), entry):
        changeset = place.get("changeset") if isinstance(place, dict) else None
        groups = changeset.values() if isinstance(changeset, dict) else (changeset,)
        for group in groups:
            for line in group if isinstance(group, list) else ():
                name = dig(line, "name") or ""
                field = _NAMED.get(name)
                value = dig(line, "value") or dig(line, "value", "id")
                if name == "priority":
                    # An id, a name, or the priority itself: the value to keep is its name.
                    value = dig(line, "value", "name") or dig(line, "value", "summary") or value
                    value = value and (priority_name(value) or value)
                if field and value:
                    yield field, value


def page_is_whole(answer: Object) -> bool:
    """Whether there is no more of the log than this page."""
    if not isinstance(answer.get("more", False), bool):
        raise Unusable("more is not true or false")
    return not answer.get("more", False)


def since(moment: Instant, *, offset: int) -> int:
    """Where to read the log from, on PagerDuty's clock, to miss nothing made since then.

    Two seconds early: its times are cut to whole ones, and the offset is an estimate.
    """
    return moment + offset - 2_000
