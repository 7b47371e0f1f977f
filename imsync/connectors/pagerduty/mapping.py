"""What our values are called in PagerDuty, and what its values mean to us. Pure."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from imsync.connectors.base import Change, Directory, Kind, Snapshot
from imsync.connectors.pagerduty.severities import NONE, URGENCIES, Severities, in_parts
from imsync.core.fields import Field, Severity, Status, Value, in_words
from imsync.core.maps import (
    AS_IT_IS,
    Choice,
    Custom,
    Line,
    NotLookedUp,
    NoTranslation,
    Same,
    ValueMap,
    broken_law,
)

TITLE_LIMIT: Final = 1_024
"""REST states none; this is the one of PagerDuty's events, and of its screens."""

BORN: Final = "triggered"
"""The status of whatever has just been created."""

STATUS: Final = Choice(
    there={
        Status.OPEN.value: "triggered",
        Status.MITIGATED.value: "acknowledged",
        Status.RESOLVED.value: "resolved",
        Status.CLOSED.value: "resolved",
    },
    back={
        "triggered": Status.OPEN.value,
        "acknowledged": Status.MITIGATED.value,
        "resolved": Status.RESOLVED.value,
    },
)


def maps(directory: Directory, custom: Custom = AS_IT_IS) -> Mapping[Field, ValueMap]:
    """A map for every field, by what the directory knows now and people have set."""
    priorities = directory.names(Kind.PRIORITY)
    return {
        Field.TITLE: Line(TITLE_LIMIT),
        Field.DESCRIPTION: Same(),
        Field.SEVERITY: (
            Severities.of(priorities, custom) if custom else _own_severities(tuple(priorities))
        ),
        Field.STATUS: _status(custom),
        Field.ASSIGNED_TO: Known(directory, Kind.USER),
        Field.ESCALATION_POLICY: Known(directory, Kind.ESCALATION_POLICY),
    }


@lru_cache
def _own_severities(priorities: tuple[str, ...]) -> Severities:
    """Every unit of work asks anew, and an account's priorities hardly ever change."""
    return Severities.of(priorities)


def _status(custom: Custom) -> Choice:
    pairs = custom["status"]
    return Choice({**STATUS.there, **pairs.out}, {**STATUS.back, **pairs.back})


CUSTOMIZABLE: Final = {
    "urgency": Field.SEVERITY,
    "priority": Field.SEVERITY,
    "status": Field.STATUS,
}
"""The maps that people may change, and the field that each is of."""

_OURS: Final = {Field.SEVERITY: [one.value for one in Severity], Field.STATUS: list(STATUS.there)}
_THEIRS: Final = {"urgency": URGENCIES, "status": tuple(STATUS.back)}


def sides(name: str, priorities: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The values on our side of a customizable map, and on theirs (none: any is taken)."""
    return _OURS[CUSTOMIZABLE[name]], _THEIRS.get(name, priorities)


def broken(custom: Custom, priorities: Sequence[str]) -> str | None:
    """What is wrong with the maps as they would be, shown by the values; None if nothing is."""
    severities = Severities.of(priorities, custom)
    return (
        broken_law(severities.urgency, _OURS[Field.SEVERITY])
        or severities.broken()
        or broken_law(severities, _OURS[Field.SEVERITY])
        or broken_law(_status(custom), _OURS[Field.STATUS])
    )


def shown(
    name: str, custom: Custom, priorities: Sequence[str]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """A customizable map as it is in force: what is written as what, and read as what."""
    if name == "status":
        status = _status(custom)
        return status.there, status.back
    severities = Severities.of(priorities, custom)
    if name == "urgency":
        return severities.urgency.there, severities.urgency.back
    written = {ours: in_parts(theirs)[1] or NONE for ours, theirs in severities.written.items()}
    named = {name: ours for name in priorities if (ours := severities.named.get(name.lower()))}
    return written, named


def blocks(field: Field, snapshot: Snapshot, status: Value) -> str | None:
    """Why this field cannot be written to an incident that is to be `status`; None if it can."""
    if snapshot.open or status != "resolved":
        return None
    if field is Field.ASSIGNED_TO:
        return "PagerDuty keeps no assignees on a resolved incident"
    if field is Field.ESCALATION_POLICY:
        return "PagerDuty does not escalate a resolved incident: its policy stays as it was"
    return None


def resets(snapshot: Snapshot, status: Value) -> Sequence[Field]:
    """The fields that writing this status sets too.

    Whoever reopens an incident is assigned to it, or whoever is on call (PagerDuty's REST
    reference, "Update an incident"), unless the same request names somebody.
    """
    return (Field.ASSIGNED_TO,) if not snapshot.open and status != "resolved" else ()


def fits(change: Change, value: Value) -> bool:
    """Whether a change that the log tells of may be the one that set this external value."""
    if change.field is not Field.SEVERITY or value is None:
        return change.value == value
    return change.value in (value, *filter(None, in_parts(value)))


def after(change: Change, value: Value) -> Value:
    """What a change makes of the value that it meets: the log tells a severity in its parts."""
    if change.field is not Field.SEVERITY or change.value is None or value is None:
        return change.value
    (urgency, priority), (had_urgency, had_priority) = in_parts(change.value), in_parts(value)
    return " ".join(filter(None, (urgency or had_urgency, priority or had_priority)))


@dataclass(frozen=True, slots=True)
class Known:
    """Someone or something that goes by a name here and by an id there."""

    directory: Directory
    kind: Kind

    def encode(self, value: Value) -> Value:
        if value is None:
            return None
        what = in_words(self.kind)
        try:
            return self.directory.id_of(self.kind, value)
        except NotLookedUp:
            raise NotLookedUp(f"PagerDuty has not been asked yet for {what} {value!r}") from None
        except NoTranslation:
            raise NoTranslation(f"PagerDuty knows no {what} {value!r}") from None

    def decode(self, value: Value, *, given: Value) -> Value:
        if value is None:
            return None
        if given is not None:
            with suppress(NoTranslation):  # then the given one is someone else
                if self.directory.id_of(self.kind, given) == value:
                    return given
        what = in_words(self.kind)
        try:
            return self.directory.name_of(self.kind, value)
        except NotLookedUp:
            raise NotLookedUp(f"PagerDuty has not been asked yet who {what} {value} is") from None
        except NoTranslation:
            raise NoTranslation(f"PagerDuty tells no name of {what} {value}") from None
