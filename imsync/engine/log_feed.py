"""What the external log tells that nothing else does: who edited what, when, and under what.

It is read account-wide since the last proven moment, so it costs calls in proportion to
what changed. Times in it may be cut to whole seconds, so its order counts for more.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Change, Snapshot, Translation
from imsync.core.covered import CUT, IN_FLIGHT, Theirs
from imsync.core.fields import Field, Instant
from imsync.engine.observe import uncover
from imsync.engine.own_lines import covered, is_ours, made, own_lines, own_runs
from imsync.store import integrations, links, writes
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.writes import Landed


@dataclass(frozen=True, slots=True)
class Told:
    """The latest edit by somebody else, per incident and field."""

    edits: Mapping[tuple[str, Field], Theirs]
    strangers: frozenset[str] = frozenset()  # incidents that were triggered and are not linked
    unseen: frozenset[str] = frozenset()  # incidents that only a look tells more of

    @property
    def incidents(self) -> set[str]:
        """The external ids of the linked incidents that somebody else has, or may have, edited."""
        return {external_id for external_id, _ in self.edits} | self.unseen

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
    strangers, moved = set[str](), set[str]()
    translation = translation_of(integration)
    for external_id, lines in by_incident.items():
        link = links.to(conn, integration_id, external_id)
        if link is None:
            if any(line.field is Field.STATUS and line.value == translation.born for line in lines):
                strangers.add(external_id)
            continue
        ours = writes.of_link(conn, link.id)
        own = own_lines(ours, lines, translation)
        for line in lines:
            if not is_ours(line, own, translation):
                edit = _edit(line)
                links.note_theirs(conn, link.id, line.field, edit.at)
                told[external_id, line.field] = edit
            elif line not in own and not _is_seen(conn, link.id, line, translation):
                moved.add(external_id)
        strays = writes.strays(conn, link.id, within=IN_FLIGHT)
        compare(conn, integration, link.id, [*ours, *strays], lines, now=now)
    late = links.linked_late(conn, integration_id)
    return Told(told, frozenset(strangers), frozenset(moved.union(late)))


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

    Where several lines may be ours, that is said of each: a record too many loses nothing. A
    write that was taken not to have landed may have done so late, in a line that is no other's.
    """
    translation = translation_of(integration)
    known = writes.of_link(conn, link_id)
    for write in ours:
        is_stray = write not in known
        of_field = [line for line in lines if line.field is write.field]
        others = own_lines((one for one in known if one.id != write.id), lines, translation)
        for run in own_runs(write, of_field, translation):
            if is_stray and of_field[run[0]] in others:
                continue
            own = [*others, *(of_field[at] for at in run)]
            unseen = covered(write, of_field[: run[0]], own, translation)
            if unseen is None or unseen.value in write.written.covered:
                continue
            uncover(conn, link_id, write, _edit(unseen), now=now)
            told = [*write.written.covered, unseen.value]
            write = replace(write, written=replace(write.written, covered=told))


def _is_seen(conn: Connection, link_id: int, line: Change, translation: Translation) -> bool:
    """Whether what a write of ours set on its way has been taken in, or what came after it.

    It was not if a conflict turned on it: our own answer does not tell since when it stands.
    """
    seen = links.fields(conn, link_id)[line.field].seen
    return seen is not None and (seen.as_of >= line.at + CUT or translation.fits(line, seen.value))


def translation_of(integration: Integration) -> Translation:
    return TRANSLATIONS[integration.integration_type]


def dated(
    conn: Connection, snapshot: Snapshot, changes: Iterable[Change], integration_id: str
) -> Snapshot:
    """The snapshot with the times that its incident's log tells.

    The log may have been read later than the snapshot was taken, and within a second its
    times are one: what stood there was set by the last line until then that made it so, or,
    where none did, that tells of it or of a part of it.
    """
    translation = translation_of(integrations.get(conn, integration_id))
    link = links.to(conn, integration_id, snapshot.external_id)
    states = links.fields(conn, link.id) if link else {}
    edits: dict[tuple[str, Field], Theirs] = {}
    for field, value in snapshot.fields.items():
        lines = [line for line in changes if line.field is field]
        seen = states[field].seen if field in states else None
        telling = [line for line in lines if translation.fits(line, value)]
        if seen is not None:
            whole = made(seen.value, seen.as_of, value, lines, translation)
            telling = [lines[at] for at in whole] or telling
        if telling:
            until = [line for line in telling if line.at <= snapshot.as_of]
            edits[snapshot.external_id, field] = _edit(until[-1] if until else telling[0])
    return Told(edits).dates(snapshot, translation)


def _edit(line: Change) -> Theirs:
    return Theirs(line.value, line.at, line.by)
