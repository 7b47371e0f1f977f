"""Severities as PagerDuty knows them: an urgency, and a priority where the account has any.

Their external form is `high` or `low`, followed by the priority's name if there is one:
"high P1". The log also knows a priority alone: "P1".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from imsync.core.fields import Severity, Value
from imsync.core.maps import AS_IT_IS, Choice, Custom, NoTranslation

URGENCIES: Final = ("high", "low")
NONE: Final = "none"
"""What a severity is written with in a priority map where no priority is to be written."""

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


def in_parts(severity: str) -> tuple[str | None, str | None]:
    """The urgency and the priority's name in an external severity, as far as it has them."""
    urgency, _, name = severity.partition(" ")
    return (urgency, name or None) if urgency in URGENCIES else (None, severity or None)


@dataclass(frozen=True, slots=True)
class Severities:
    """Severities as urgency alone, or as urgency and priority where the account has priorities.

    The priority is the finer of the two: where they contradict each other, it is believed.
    A severity without a priority of its own level is written as the nearest there is, and
    never as none, for there is no known way to take a priority away again.
    """

    urgency: Choice
    written: Mapping[str, str]  # "SEV-1": "high P1"
    read: Mapping[str, str]  # what is written, in lower case, and what it reads as
    named: Mapping[str, str]  # a priority's name in lower case, and what it reads as by itself

    @classmethod
    def of(cls, priorities: Iterable[str], custom: Custom = AS_IT_IS) -> Self:
        """By the names of all the account's priorities, and what people have set.

        Names that tell no level count only where people have set what they stand for.
        """
        urgency = Choice(
            {**URGENCY.there, **custom["urgency"].out}, {**URGENCY.back, **custom["urgency"].back}
        )
        set_out = custom["priority"].out
        set_back = {name.lower(): ours for name, ours in custom["priority"].back.items()}
        levels = dict[int, str]()
        for name in sorted(priorities):
            if level := _level(name):
                levels.setdefault(level, name)
        written, alike = dict[str, str](), dict[str, list[str]]()
        for level, severity in _LEVELS.items():
            name = set_out.get(severity) or _nearest(level, levels) or NONE
            parts = [urgency.there[severity], *([name] if name != NONE else [])]
            written[severity] = " ".join(parts)
            alike.setdefault(written[severity].lower(), []).append(severity)
        named = {name.lower(): _LEVELS[min(level, 4)] for level, name in levels.items()}
        for name, several in _by_name(written).items():
            # What a name says by itself gives way to what it is written for.
            if named.get(name) not in several:
                named[name] = several[0]
        read = dict[str, str]()
        for external, several in alike.items():
            there, alone = in_parts(external)
            likely = [named.get(alone or ""), urgency.back.get(there or "")]
            first = next((one for one in likely if one in several), several[0])
            read[external] = set_back.get(alone or "", first)
        return cls(urgency, written, read, named | set_back)

    def broken(self) -> str | None:
        """What no law of maps sees: severities with a priority beside ones without."""
        names = {ours: in_parts(theirs)[1] for ours, theirs in self.written.items()}
        bare = next((ours for ours, name in names.items() if name is None), None)
        named = next((ours for ours, name in names.items() if name is not None), None)
        if bare is None or named is None:
            return None
        return (
            f"{named!r} is written with the priority {names[named]!r} and {bare!r} with none,"
            " but PagerDuty has no way to take a priority away"
        )

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
        if name and (severity := self.named.get(name.lower()) or _by_level(name)):
            return severity
        if urgency is None:
            raise NoTranslation(f"nothing is known of a priority {value!r}, and no urgency")
        return self.urgency.decode(urgency, given=given)


def _by_name(written: Mapping[str, str]) -> dict[str, list[str]]:
    """The severities that are written with each priority, by its name in lower case."""
    found = dict[str, list[str]]()
    for severity, external in written.items():
        if name := in_parts(external)[1]:
            found.setdefault(name.lower(), []).append(severity)
    return found


def _level(name: str) -> int:
    """1 for P1 or SEV-1, the most severe; 0 for a name that does not say."""
    found = _NAME.fullmatch(name.strip())
    return int(found[1]) if found else 0


def _by_level(name: str) -> str | None:
    return _LEVELS[min(level, 4)] if (level := _level(name)) else None


def _nearest(level: int, names: Mapping[int, str]) -> str | None:
    """The priority nearest to that level: first of all of the same urgency."""
    near = min(names, key=lambda one: ((level <= 2) is not (one <= 2), abs(level - one)), default=0)
    return names.get(near)
