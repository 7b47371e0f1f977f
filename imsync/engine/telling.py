"""Conflicts and decisions as a colleague would tell them: sentences for people, in UTC.

Programs read the fields beside them; these may be worded anew at any time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from imsync.core.fields import NEVER, Edit, Field, Instant, Known, Side, Value, in_words
from imsync.store import conflicts
from imsync.store.conflicts import Conflict

_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Words:
    """What a story of one field is told with."""

    field: Field
    there: str  # what the other side is called: "PagerDuty"
    now: Instant

    def value(self, value: Value) -> str:
        if value is None:
            return "nobody" if self.field is Field.ASSIGNED_TO else "nothing"
        return f"'{value}'" if len(value) <= _LONGEST else f"'{value[: _LONGEST - 1]}…'"

    def external(self, value: Value, reads_as: Value) -> str:
        """An external value: as it reads here, and what it is called there where that differs."""
        if reads_as is None or value is None or reads_as == value:
            return self.value(value)
        return f"{self.value(reads_as)} ({value} in {self.there})"

    def at(self, moment: Instant) -> str:
        then, today = _utc(moment), _utc(self.now)
        clock = f"{then:%H:%M:%S}"
        return f"at {clock}" if then.date() == today.date() else f"on {then:%d %B %Y} at {clock}"

    def where(self, side: Side) -> str:
        return "here" if side is Side.PLATFORM else f"in {self.there}"


@dataclass(frozen=True, slots=True)
class Lost:
    """A value that lost, and the conflict that keeps it. `refused`: why it cannot come back."""

    edit: Edit  # as it reads here
    side: Side
    conflict: int
    alone: bool  # the other side's value did not lose as well
    refused: str | None


def conflict(words: Words, row: Conflict, reads_as: Value, losers: Sequence[Lost]) -> list[str]:
    """Who said what, what was decided and why, and what can be done about it."""
    ours = words.value(row.platform.value)
    theirs = words.external(row.external.value, reads_as)
    return [
        *_before(words, row.base),
        *_edits(words, row.platform, ours, row.external, theirs),
        *_outcome(words, row, ours, theirs, losers),
    ]


def _before(words: Words, base: Known) -> Iterator[str]:
    if base is NEVER:
        yield f"The two sides had never agreed on the {in_words(words.field)}."
    elif isinstance(base, str | None):
        yield f"The two sides last agreed on {words.value(base)}."


def _edits(words: Words, ours: Edit, our: str, theirs: Edit, their: str) -> Iterator[str]:
    first, second = sorted(
        [(ours, our, Side.PLATFORM), (theirs, their, Side.EXTERNAL)], key=lambda one: one[0].at
    )
    edit, value, side = first
    yield f"{_who(edit)} set {value} {words.where(side)} {words.at(edit.at)}."
    later, value, side = second
    gap = _gap(later.at - edit.at)
    yield f"{_who(later)} set {value} {words.where(side)} {gap}."


def _outcome(
    words: Words, row: Conflict, ours: str, theirs: str, losers: Sequence[Lost]
) -> Iterator[str]:
    id_ = conflicts.public_id(row.id)
    if row.status == "pending":
        yield f"Pending: {row.because}. Until then both sides keep what they have."
        yield (
            f"`im conflict resolve {id_} --use platform` takes {ours},"
            f" `--use external` takes {theirs}, `--value V` sets something else on both sides;"
            f" `im conflict ignore {id_}` leaves them as they are."
        )
        return
    when = words.at(row.resolved_at) if row.resolved_at else ""
    who = row.resolved_by or "somebody"
    if row.winner is None:
        yield f"{_capital(who)} ended it {when}: {row.because}."
    else:
        won = ours if row.winner is Side.PLATFORM else theirs
        if who == conflicts.IMSYNC and row.resolved_at != row.created_at:
            since = words.at(row.created_at)
            yield f"It was put to a person {since}, and nobody had answered when the rules changed."
        yield f"{_capital(who)} decided {when}, under {row.strategy}: {row.because}. So {won} won."
    for one in losers:
        lost = ours if one.side is Side.PLATFORM else theirs
        yield f"{_capital(lost)} lost; {_back(one)}."


def _back(lost: Lost) -> str:
    """How it comes back, or why it does not any more."""
    if lost.refused is not None:
        return lost.refused
    use = "" if lost.alone else f" --use {lost.side}"
    id_ = conflicts.public_id(lost.conflict)
    return f"`im conflict restore {id_}{use}` brings it back on both sides"


def field(
    words: Words,
    *,
    incident: str,
    edit: Edit,
    came_from: Side,
    there: str | None,
    state: str,
    because: str,
    decided_at: Instant | None,
    confirmed_at: Instant | None,
    remark: str,
    losers: Sequence[Lost],
) -> list[str]:
    """Why a field is what it is. `remark`: what the journal says of its arrival there.

    `decided_at`: when it was decided so, if the journal tells.
    """
    name, value = in_words(words.field), words.value(edit.value)
    told = [
        f"The {name} of {incident} is {value}: {_who(edit, start=False)} set it"
        f" {words.where(came_from)} {words.at(edit.at)}."
    ]
    told.append(_there(words, there, state, because, confirmed_at))
    if remark:
        told.append(remark)
    if because and state != "blocked":
        when = f", {words.at(decided_at)}" if decided_at is not None else ""
        told.append(f"Last decision{when}: {because}.")
    return [*told, *_lost(words, losers)]


def _lost(words: Words, losers: Sequence[Lost]) -> Iterator[str]:
    """What lost, a line each; what the same hand has set over and over, once."""
    by_hand = dict[tuple[Value, str | None, Side], list[Lost]]()
    for one in losers:
        by_hand.setdefault((one.edit.value, one.edit.by, one.side), []).append(one)
    for several in by_hand.values():
        last = several[-1]
        times = f" {len(several)} times, last" if len(several) > 1 else ""
        yield (
            f"Lost: {words.value(last.edit.value)}, set by {_who(last.edit, start=False)}"
            f" {words.where(last.side)}{times} {words.at(last.edit.at)}; {_back(last)}."
        )


def _there(
    words: Words, there: str | None, state: str, because: str, confirmed_at: Instant | None
) -> str:
    if there is None:
        has = f"{words.there} does not show its own" if state == "in_sync" else "nobody has looked"
    else:
        has = f"{words.there} has {there}"
    match state:
        case "in_sync":
            seen = f", confirmed {words.at(confirmed_at)}" if confirmed_at else ""
            return f"Both sides agree: {has}{seen}."
        case "pending":
            return f"Ours is on its way: {has} still."
        case "held":
            return f"Both stand still until a person decides: {has}."
        case "blocked":
            return f"Ours does not cross ({because}): {has}."
        case _:
            return f"The sides differ: {has}."


def _who(edit: Edit, *, start: bool = True) -> str:
    return edit.by or ("Somebody" if start else "somebody")


def _gap(ms: int) -> str:
    if ms < 1_000:
        return "at the same moment" if ms == 0 else f"{ms} ms later"
    seconds = round(ms / 1_000)
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s later"
    return f"{seconds} second{'s' * (seconds != 1)} later"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text == "somebody" else text


def _utc(moment: Instant) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)
