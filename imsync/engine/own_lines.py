"""Which lines of the external log tell of our own writes, and what those covered. Pure.

We act as people, and the log may cut its times to whole seconds: so a line of ours is known by
what it made of what our look had seen, and of several that may be it, by how near it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from imsync.connectors.base import Change, Translation
from imsync.core.covered import CUT
from imsync.core.fields import NEVER, Field, Instant, Known, Value
from imsync.store.writes import Landed

_NEAR = 5_000
"""How far (ms) a line of the log may be from our write and still be it."""

_TOGETHER = 1_000
"""How far apart (ms) the log may put what one request did: its seconds are cut."""

_MOVED_BY: Mapping[Field, Collection[Field]] = {
    Field.STATUS: (Field.STATUS, Field.SEVERITY),
    Field.ASSIGNED_TO: (Field.STATUS, Field.ESCALATION_POLICY),
}
"""What a write of which field may set on its way."""


def own_lines(
    ours: Iterable[Landed], lines: Sequence[Change], translation: Translation
) -> list[Change]:
    """The lines of an incident that tell of our writes to it."""
    found = list[Change]()
    for write in ours:
        of_field = [line for line in lines if line.field is write.field]
        likeliest = next(iter(own_runs(write, of_field, translation)), [])
        found += [of_field[at] for at in likeliest]
    return found


def own_runs(write: Landed, lines: Sequence[Change], translation: Translation) -> list[list[int]]:
    """Which lines may tell of this write, the likeliest first; a value of parts makes several.

    Somebody else may have set a part of it, or the same, within the same second: ours are
    those that made our value of what stood there, and of several the nearest.
    """
    runs: list[list[int]] = []
    for at, line in enumerate(lines):
        if (
            _apart(line, write) <= _NEAR
            and translation.fits(line, write.written.value)
            and line.at + CUT >= write.written.as_of
            and not _is_in_passing(lines, at)
        ):
            follows = runs and runs[-1][-1] == at - 1 and lines[at - 1].by_id == line.by_id
            runs = [*runs[:-1], [*runs[-1], at]] if follows else [*runs, [at]]
    whole = made(write.written.before, write.written.as_of, write.written.value, lines, translation)
    ours = [run for run in runs if run[-1] in whole]
    return sorted(ours or runs, key=lambda run: _apart(lines[run[0]], write))


def made(
    before: Known, as_of: Instant, value: Value, lines: Sequence[Change], translation: Translation
) -> list[int]:
    """Which lines, each perhaps a part of a value, made this one of what a look had seen."""
    found, stood = list[int](), before if isinstance(before, str) else None
    for at, line in enumerate(lines):
        if line.at + CUT > as_of:
            stood = translation.after(line, stood)
            fits = translation.fits(line, value) and (stood == value or before is NEVER)
            if fits and not _is_in_passing(lines, at):
                found.append(at)
    return found


def _is_in_passing(lines: Sequence[Change], at: int) -> bool:
    """Whether what this line of a field tells was passed through on the way to the next.

    Whoever acknowledges what is resolved opens it again first: the log tells of both, in one
    moment, and nobody has written the first.
    """
    if at + 1 == len(lines) or lines[at].field is not Field.STATUS:
        return False
    line, after = lines[at], lines[at + 1]
    return (line.by_id, line.at) == (after.by_id, after.at)


def is_ours(line: Change, own: Iterable[Change], translation: Translation) -> bool:
    """Whether it is a line of our own, or tells what the same request did on its way.

    Acknowledging what is resolved first triggers it anew; raising an urgency un-acknowledges;
    another policy, or opening it again, brings another assignee. Of these fields, what the same
    user did in the same moment was our write too, and covered nothing. Nothing else changes by
    itself, nor does anything acknowledge or resolve on its way: that was an edit by the one for
    whom we act.
    """
    if line in own:
        return True
    if line.field is Field.STATUS and line.value != translation.born:
        return False
    return any(
        one.field in _MOVED_BY.get(line.field, ())
        and line.by_id == one.by_id
        and abs(line.at - one.at) <= _TOGETHER
        for one in own
    )


def covered(
    write: Landed, before: Sequence[Change], own: Sequence[Change], translation: Translation
) -> Change | None:
    """What the lines of its field before our write had made, if our look had not shown it."""
    unseen = list(before)
    while unseen and is_ours(unseen[-1], own, translation):
        if unseen[-1] in own:
            return None  # what an earlier write of ours covered is that one's affair
        unseen.pop()
    if not unseen or write.written.before is NEVER:
        return None
    stood, look = _stood(write, unseen, translation), write.written
    # An earlier attempt of ours may have written over what our look had seen: that is news again.
    gone = any(line in own and line.at > look.as_of for line in unseen)
    known = stood == look.value or (stood == look.before and not gone)
    return None if known else replace(unseen[-1], value=stood)


def _stood(write: Landed, lines: Sequence[Change], translation: Translation) -> Value:
    """What these lines made of what our look had seen; each may be a part of a value."""
    before = write.written.before
    stood = before if isinstance(before, str) else None
    for line in lines:
        if line.at + CUT > write.written.as_of:
            stood = translation.after(line, stood)
    return stood


def _apart(line: Change, write: Landed) -> int:
    """How far (ms) the line is from when the write can have been carried out."""
    return max(write.sent_at - line.at, line.at - write.written.at, 0)
