"""What the external log tells that nothing else does: who edited what, when, and under what.

It is read account-wide since the last proven moment, so it costs calls in proportion to
what changed. Times in it may be cut to whole seconds, so its order counts for more.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Change, Snapshot, Translation
from imsync.core.covered import CUT, Theirs
from imsync.core.fields import NEVER, Field, Instant, Known, Value
from imsync.engine.observe import uncover
from imsync.store import integrations, links, writes
from imsync.store.database import Connection
from imsync.store.integrations import Integration
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


@dataclass(frozen=True, slots=True)
class Told:
    """The latest edit by somebody else, per incident and field."""

    edits: Mapping[tuple[str, Field], Theirs]
    strangers: frozenset[str] = frozenset()  # incidents that were triggered and are not linked
    late: frozenset[str] = frozenset()  # linked as they were before the log was read

    @property
    def incidents(self) -> set[str]:
        """The external ids of the linked incidents that somebody else has, or may have, edited."""
        return {external_id for external_id, _ in self.edits} | self.late

    def dates(self, snapshot: Snapshot, translation: Translation) -> Snapshot:
        """The snapshot, with the times of those of its values whose edit the log tells."""
        set_at: dict[Field, Instant] = {}
        set_by: dict[Field, str] = {}
        for field, value in snapshot.fields.items():
            edit = self.edits.get((snapshot.external_id, field))
            if edit is not None:
                change = Change(snapshot.external_id, field, edit.value, edit.at)
                if translation.fits(change, value):
                    set_at[field] = edit.at
                    if edit.by is not None:
                        set_by[field] = edit.by
        return replace(
            snapshot,
            set_at={**set_at, **snapshot.set_at},
            set_by={**set_by, **snapshot.set_by},
        )


def read(conn: Connection, integration_id: str, changes: Iterable[Change], *, now: Instant) -> Told:
    """Take in what was changed: find edits that our writes covered, and whose the others are.

    Called before anything else is decided on what stands there now. Reading the same lines
    again changes nothing, so the log counts as read only when all it led to has been seen.
    """
    integration = integrations.get(conn, integration_id)
    by_incident: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_incident[change.external_id].append(change)
    told: dict[tuple[str, Field], Theirs] = {}
    strangers, translation = set[str](), translation_of(integration)
    for external_id, lines in by_incident.items():
        link = links.to(conn, integration_id, external_id)
        if link is None:
            if any(line.field is Field.STATUS and line.value == translation.born for line in lines):
                strangers.add(external_id)
            continue
        ours = writes.of_link(conn, link.id)
        own = _own_lines(ours, lines, translation)
        for line in lines:
            if not is_ours(line, own, translation):
                edit = _edit(line)
                links.note_theirs(conn, link.id, line.field, edit.at)
                told[external_id, line.field] = edit
        compare(conn, integration, link.id, ours, lines, now=now)
    late = links.linked_late(conn, integration_id)
    return Told(told, frozenset(strangers), frozenset(late))


def compare(
    conn: Connection,
    integration: Integration,
    link_id: int,
    ours: Iterable[Landed],
    lines: Sequence[Change],
    *,
    now: Instant,
) -> None:
    """Find the edits that these writes of ours covered, in the lines of their incident.

    Where several lines may be ours, that is said of each: a record too many loses nothing.
    """
    translation = translation_of(integration)
    known = writes.of_link(conn, link_id)
    for write in ours:
        of_field = [line for line in lines if line.field is write.field]
        others = _own_lines((one for one in known if one.id != write.id), lines, translation)
        for run in _own_runs(write, of_field, translation):
            own = [*others, *(of_field[at] for at in run)]
            covered = _covered(write, of_field[: run[0]], own, translation)
            if covered is None or covered.value in write.written.covered:
                continue
            uncover(conn, link_id, write, _edit(covered), now=now)
            told = [*write.written.covered, covered.value]
            write = replace(write, written=replace(write.written, covered=told))


def translation_of(integration: Integration) -> Translation:
    return TRANSLATIONS[integration.integration_type]


def dated(
    conn: Connection, snapshot: Snapshot, changes: Iterable[Change], integration_id: str
) -> Snapshot:
    """The snapshot with the times that its incident's log tells.

    The log may have been read later than the snapshot was taken, and within a second its
    times are one: what stood there was set by the last line until then that tells of it.
    """
    translation = translation_of(integrations.get(conn, integration_id))
    edits: dict[tuple[str, Field], Theirs] = {}
    for line in changes:
        key = line.external_id, line.field
        told = line.field in snapshot.fields and translation.fits(line, snapshot.fields[line.field])
        if told and (line.at <= snapshot.as_of or key not in edits):
            edits[key] = _edit(line)
    return Told(edits).dates(snapshot, translation)


def _own_runs(write: Landed, lines: Sequence[Change], translation: Translation) -> list[list[int]]:
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


def _own_lines(
    ours: Iterable[Landed], lines: Sequence[Change], translation: Translation
) -> list[Change]:
    """The lines of an incident that tell of our writes to it."""
    found = list[Change]()
    for write in ours:
        of_field = [line for line in lines if line.field is write.field]
        likeliest = next(iter(_own_runs(write, of_field, translation)), [])
        found += [of_field[at] for at in likeliest]
    return found


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


def _covered(
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
    stood = _stood(write, unseen, translation)
    known = stood in (write.written.before, write.written.value)
    return None if known else replace(unseen[-1], value=stood)


def _edit(line: Change) -> Theirs:
    return Theirs(line.value, line.at, line.by)
