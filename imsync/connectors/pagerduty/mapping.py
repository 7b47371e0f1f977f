"""What our values are called in PagerDuty, and what its values mean to us. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from imsync.connectors.base import Change, Directory, Kind, Snapshot
from imsync.core.fields import Field, Severity, Status, Value
from imsync.core.maps import Choice, Line, NotLookedUp, NoTranslation, Same, ValueMap

URGENCIES: Final = ("high", "low")
TITLE_LIMIT: Final = 1_024
"""REST states none; this is the one of PagerDuty's events, and of its screens."""

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
URGENCY: Final = Choice(
    there={
        Severity.SEV1.value: "high",
        Severity.SEV2.value: "high",
        Severity.SEV3.value: "low",
        Severity.SEV4.value: "low",
    },
    back={"high": Severity.SEV2.value, "low": Severity.SEV3.value},
)

_LEVELS: Final = dict(enumerate(URGENCY.there, start=1))  # P1 is our SEV-1, and so on
_NAME: Final = re.compile(r"(?:p|s|sev|priority|severity)[ -]?([1-5])", re.IGNORECASE)


def maps(directory: Directory) -> Mapping[Field, ValueMap]:
    """A map for every field, by what the directory knows now."""
    return {
        Field.TITLE: Line(TITLE_LIMIT),
        Field.DESCRIPTION: Same(),
        Field.SEVERITY: _severities(tuple(directory.names(Kind.PRIORITY))),
        Field.STATUS: STATUS,
        Field.ASSIGNED_TO: Known(directory, Kind.USER),
        Field.ESCALATION_POLICY: Known(directory, Kind.ESCALATION_POLICY),
    }


def blocks(field: Field, snapshot: Snapshot) -> str | None:
    """Why this field cannot be written to the incident as it stands; None if it can."""
    if not snapshot.open and field is Field.ASSIGNED_TO:
        return "PagerDuty keeps no assignees on a resolved incident"
    if not snapshot.open and field is Field.ESCALATION_POLICY:
        return "PagerDuty does not escalate a resolved incident: its policy stays as it was"
    return None


def in_parts(severity: str) -> tuple[str | None, str | None]:
    """The urgency and the priority's name in an external severity, as far as it has them.

    A whole one is "high" or "high P1"; the log also knows a priority alone: "P1".
    """
    urgency, _, name = severity.partition(" ")
    return (urgency, name or None) if urgency in URGENCIES else (None, severity or None)


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
class Severities:
    """Severities as urgency alone, or as urgency and priority where the account has priorities.

    The priority is the finer of the two: where they contradict each other, it is believed.
    A severity without a priority of its own level is written as the nearest there is, and
    never as none, for there is no known way to take a priority away again.
    """

    written: Mapping[str, str]  # "SEV-1": "high P1"
    read: Mapping[str, str]  # what is written, in lower case, and what it reads as

    @classmethod
    def of(cls, priorities: Iterable[str]) -> Self:
        """By the names of all the account's priorities; names that tell no level do not count."""
        names = dict[int, str]()
        for name in sorted(priorities):
            if level := _level(name):
                names.setdefault(level, name)
        written, alike = dict[str, str](), dict[str, list[str]]()
        for level, severity in _LEVELS.items():
            near = min(names, key=lambda other: _distance(level, other), default=None)
            urgency = URGENCY.there[severity]
            written[severity] = urgency if near is None else f"{urgency} {names[near]}"
            alike.setdefault(written[severity], []).append(severity)
        read = {
            external.lower(): next(filter(several.__contains__, _readings(external)), several[0])
            for external, several in alike.items()
        }
        return cls(written, read)

    def encode(self, value: Value) -> Value:
        if value is None or value not in self.written:
            takes = ", ".join(self.written)
            raise NoTranslation(f"{value!r} has no urgency in PagerDuty; it takes {takes}")
        return self.written[value]

    def decode(self, value: Value, *, given: Value) -> Value:
        if value is None:
            raise NoTranslation("an incident in PagerDuty has an urgency; this one shows none")
        now = self.written.get(given) if given is not None else None
        if now == value:
            return given
        if value.lower() in self.read:
            return self.read[value.lower()]
        urgency, name = in_parts(value)
        if name and now and name == in_parts(now)[1]:
            return given
        if name and _level(name):
            return _readings(value)[0]
        if urgency is None:
            raise NoTranslation(f"nothing is known of a priority {value!r}, and no urgency")
        return URGENCY.decode(urgency, given=given)


@lru_cache
def _severities(priorities: tuple[str, ...]) -> Severities:
    """Every unit of work asks anew, and an account's priorities hardly ever change."""
    return Severities.of(priorities)


def _level(name: str) -> int:
    """1 for P1 or SEV-1, the most severe; 0 for a name that does not say."""
    found = _NAME.fullmatch(name.strip())
    return int(found[1]) if found else 0


def _distance(level: int, other: int) -> tuple[bool, int]:
    """How ill a priority of that level stands for this one: first of all by its urgency."""
    return (level <= 2) is not (other <= 2), abs(level - other)


def _readings(external: str) -> Sequence[str]:
    """What a severity reads as when nothing better is known, the likeliest first."""
    urgency, name = in_parts(external)
    finer = [_LEVELS[min(level, 4)]] if name and (level := _level(name)) else []
    return [*finer, *([URGENCY.back[urgency]] if urgency else [])]


@dataclass(frozen=True, slots=True)
class Known:
    """Someone or something that goes by a name here and by an id there."""

    directory: Directory
    kind: Kind

    def encode(self, value: Value) -> Value:
        if value is None:
            return None
        what = self.kind.replace("_", " ")
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
        what = self.kind.replace("_", " ")
        try:
            return self.directory.name_of(self.kind, value)
        except NotLookedUp:
            raise NotLookedUp(f"PagerDuty has not been asked yet who {what} {value} is") from None
        except NoTranslation:
            raise NoTranslation(f"PagerDuty tells no name of {what} {value}") from None
