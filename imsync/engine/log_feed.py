"""What the external log tells that nothing else does: who edited what, when, and under what.

It is read account-wide since the last proven moment, so it costs calls in proportion to
what changed. Times in it may be cut to whole seconds, so its order counts for more.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Change, Kind, Snapshot, Translation
from imsync.core.covered import CUT, Theirs
from imsync.core.fields import NEVER, Field, Instant, Known, Value
from imsync.core.maps import NoTranslation
from imsync.engine.observe import uncover
from imsync.store import integrations, links, writes
from imsync.store.database import Connection
from imsync.store.directory import Directory
from imsync.store.writes import Landed

_NEAR = 5_000
"""How far (ms) a line of the log may be from our write and still be it."""


@dataclass(frozen=True, slots=True)
class Told:
    """The latest edit by somebody else, per incident and field."""

    edits: Mapping[tuple[str, Field], Theirs]

    @property
    def incidents(self) -> set[str]:
        """The external ids of the linked incidents that somebody else has edited."""
        return {external_id for external_id, _ in self.edits}

    def dates(self, snapshot: Snapshot, translation: Translation) -> Snapshot:
        """The snapshot, with the times of those of its values whose edit the log tells."""
        set_at: dict[Field, Instant] = {}
        by = snapshot.by
        for field, value in snapshot.fields.items():
            edit = self.edits.get((snapshot.external_id, field))
            if edit is not None:
                change = Change(snapshot.external_id, field, edit.value, edit.at)
                if translation.fits(change, value):
                    set_at[field] = edit.at
                    by = edit.by or by
        return replace(snapshot, set_at={**set_at, **snapshot.set_at}, by=by)


def read(conn: Connection, integration_id: str, changes: Iterable[Change], *, now: Instant) -> Told:
    """Take in what was changed: find edits that our writes covered, and whose the others are.

    Called before anything else is decided on what stands there now. Reading the same lines
    again changes nothing, so the log counts as read only when all it led to has been seen.
    """
    integration = integrations.get(conn, integration_id)
    translation = TRANSLATIONS[integration.integration_type]
    directory = Directory(conn, integration_id)
    by_field: dict[tuple[str, Field], list[Change]] = defaultdict(list)
    for change in changes:
        by_field[change.external_id, change.field].append(change)
    told: dict[tuple[str, Field], Theirs] = {}
    for (external_id, field), lines in by_field.items():
        link = links.to(conn, integration_id, external_id)
        if link is None:
            continue
        ours = [write for write in writes.of_link(conn, link.id) if write.field is field]
        mine = [next(iter(_own_lines(write, lines, translation)), []) for write in ours]
        theirs = [
            _edit(line, directory)
            for at, line in enumerate(lines)
            if not any(
                at in own or (own and _same_hand(line, lines[own[0]], write))
                for write, own in zip(ours, mine, strict=True)
            )
        ]
        for edit in theirs:
            links.note_theirs(conn, link.id, field, edit.at)
        if theirs:
            told[external_id, field] = theirs[-1]
        for write in ours:
            compare(conn, integration_id, link.id, write, lines, now=now)
    return Told(told)


def compare(
    conn: Connection,
    integration_id: str,
    link_id: int,
    write: Landed,
    lines: Sequence[Change],
    *,
    now: Instant,
) -> None:
    """Find the edit that a write of ours covered, in the lines of its field.

    Where several lines may be ours, that is said of each: a record too many loses nothing.
    """
    translation = TRANSLATIONS[integrations.get(conn, integration_id).integration_type]
    maybe = [
        _covered(write, lines, own, translation) for own in _own_lines(write, lines, translation)
    ]
    covered = next(filter(None, maybe), None)
    if covered is not None and covered.value not in write.written.covered:
        edit = _edit(covered, Directory(conn, integration_id))
        uncover(conn, link_id, write, edit, now=now)


def dated(
    conn: Connection, snapshot: Snapshot, changes: Iterable[Change], integration_id: str
) -> Snapshot:
    """The snapshot with the times that its incident's log tells.

    The log may have been read later than the snapshot was taken, and within a second its
    times are one: what stood there was set by the last line until then that tells of it.
    """
    translation = TRANSLATIONS[integrations.get(conn, integration_id).integration_type]
    directory = Directory(conn, integration_id)
    edits: dict[tuple[str, Field], Theirs] = {}
    for line in changes:
        key = line.external_id, line.field
        told = line.field in snapshot.fields and translation.fits(line, snapshot.fields[line.field])
        if told and (line.at <= snapshot.as_of or key not in edits):
            edits[key] = _edit(line, directory)
    return Told(edits).dates(snapshot, translation)


def _own_lines(write: Landed, lines: Sequence[Change], translation: Translation) -> list[list[int]]:
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
            if translation.fits(line, value) and (stood == value or before is NEVER):
                found.append(at)
    return found


def _apart(line: Change, write: Landed) -> int:
    """How far (ms) the line is from when the write can have been carried out."""
    return max(write.sent_at - line.at, line.at - write.written.at, 0)


def _stood(write: Landed, lines: Sequence[Change], translation: Translation) -> Value:
    """What these lines made of what our look had seen; each may be a part of a value."""
    before = write.written.before
    stood = before if isinstance(before, str) else None
    for line in lines:
        if line.at + CUT > write.written.as_of:
            stood = translation.after(line, stood)
    return stood


def _covered(
    write: Landed, lines: Sequence[Change], own: Sequence[int], translation: Translation
) -> Change | None:
    """What stood there when our write came, if it was set after our look and is not what we saw.

    One write may make several lines: acknowledging what is resolved first triggers it anew.
    What the same user did in that moment was our write too, and covered nothing.
    """
    ours = own[0]
    while ours > 0 and _same_hand(lines[ours - 1], lines[own[0]], write):
        ours -= 1
    if ours == 0 or write.written.before is NEVER:
        return None
    stood = _stood(write, lines[:ours], translation)
    known = stood in (write.written.before, write.written.value)
    return None if known else replace(lines[ours - 1], value=stood)


def _same_hand(line: Change, own: Change, write: Landed) -> bool:
    return line.by_id == own.by_id and _apart(line, write) <= _NEAR


def _edit(line: Change, directory: Directory) -> Theirs:
    by = None
    if line.by_id is not None:
        try:
            by = directory.name_of(Kind.USER, line.by_id)
        except NoTranslation:
            by = None  # nobody has looked that person up; the edit is the same
    return Theirs(line.value, line.at, by)
