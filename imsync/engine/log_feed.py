"""What the external log tells that nothing else does: who edited what, when, and under what.

It is read account-wide since the last proven moment, so it costs calls in proportion to
what changed. Times in it may be cut to whole seconds, so its order counts for more.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Change, Snapshot, Translation
from imsync.core.covered import CUT, Theirs
from imsync.core.fields import Field, Instant
from imsync.engine.observe import uncover
from imsync.store import integrations, links, writes
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.writes import Landed

_NEAR = 5_000
"""How far (ms) a line of the log may be from our write and still be it."""

_TOGETHER = 1_000
"""How far apart (ms) the log may put what one request did: its seconds are cut."""

_MOVED_ALONG = (Field.STATUS, Field.ASSIGNED_TO)
"""What a write of another field, or of their own, may set on its way."""


@dataclass(frozen=True, slots=True)
class Told:
    """The latest edit by somebody else, per incident and field."""

    edits: Mapping[tuple[str, Field], Theirs]
    strangers: frozenset[str] = frozenset()  # incidents that were triggered and are not linked

    @property
    def incidents(self) -> set[str]:
        """The external ids of the linked incidents that somebody else has edited."""
        return {external_id for external_id, _ in self.edits}

    def dates(self, snapshot: Snapshot, translation: Translation) -> Snapshot:
        """The snapshot, with the times of those of its values whose edit the log tells."""
        set_at: dict[Field, Instant] = {}
        set_by: dict[Field, str] = {}
        for field, value in snapshot.fields.items():
            edit = self.edits.get((snapshot.external_id, field))
            if edit is not None:
                change = Change(snapshot.external_id, field, edit.value, edit.at)
                if translation.fits(change, value):
                    set_at[field] = min(edit.at, snapshot.as_of)
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
    strangers, born = set[str](), translation_of(integration).born
    for external_id, lines in by_incident.items():
        link = links.to(conn, integration_id, external_id)
        if link is None:
            if any(line.field is Field.STATUS and line.value == born for line in lines):
                strangers.add(external_id)
            continue
        ours = writes.of_link(conn, link.id)
        own = _own_lines(ours, lines, translation_of(integration))
        for line in lines:
            if not _is_ours(line, own):
                edit = _edit(line)
                links.note_theirs(conn, link.id, line.field, edit.at)
                told[external_id, line.field] = edit
        compare(conn, integration, link.id, ours, lines, now=now)
    return Told(told, frozenset(strangers))


def compare(
    conn: Connection,
    integration: Integration,
    link_id: int,
    ours: Iterable[Landed],
    lines: Sequence[Change],
    *,
    now: Instant,
) -> None:
    """Find the edits that these writes of ours covered, in the lines of their incident."""
    translation = translation_of(integration)
    own = _own_lines(writes.of_link(conn, link_id), lines, translation)
    for write in ours:
        covered = _covered(write, lines, own, translation)
        if covered is not None and covered.value not in write.written.covered:
            edit = _edit(covered)
            uncover(conn, link_id, write, edit, now=now)


def translation_of(integration: Integration) -> Translation:
    return TRANSLATIONS[integration.integration_type]


def dated(
    conn: Connection, snapshot: Snapshot, changes: Iterable[Change], integration_id: str
) -> Snapshot:
    """The snapshot with the times that its incident's log tells.

    The log may have been read later than the snapshot was taken: what stood there then was
    set by the last line before that, if that line tells of it.
    """
    translation = translation_of(integrations.get(conn, integration_id))
    edits = [(line.external_id, line.field, _edit(line)) for line in changes]
    until = Told({(of, field): e for of, field, e in edits if e.at <= snapshot.as_of})
    since = Told({(of, field): e for of, field, e in edits})
    return since.dates(until.dates(snapshot, translation), translation)


def _tells_of(line: Change, write: Landed, translation: Translation) -> bool:
    """Whether this line may tell of that write: a value of several parts makes several."""
    return (
        line.field is write.field
        and abs(line.at - write.written.at) <= _NEAR
        and translation.fits(line, write.written.value)
        and line.at + CUT >= write.written.as_of
    )


def _own_lines(
    ours: Iterable[Landed], lines: Sequence[Change], translation: Translation
) -> list[Change]:
    return [line for line in lines if any(_tells_of(line, write, translation) for write in ours)]


def _is_ours(line: Change, own: Iterable[Change]) -> bool:
    """Whether it is a line of our own, or tells what the same request did on its way.

    Acknowledging what is resolved first triggers it anew; raising an urgency un-acknowledges;
    another policy brings another assignee. Of these fields, what the same user did in the same
    moment was our write too, and covered nothing. Nothing else changes by itself: that was an
    edit by the one for whom we act.
    """
    return line in own or (
        line.field in _MOVED_ALONG
        and any(line.by_id == one.by_id and abs(line.at - one.at) <= _TOGETHER for one in own)
    )


def _covered(
    write: Landed, lines: Sequence[Change], own: Sequence[Change], translation: Translation
) -> Change | None:
    """What stood there when our write came, if it was set after our look and is not what we saw.

    One value may have been set by several lines, each of them a part.
    """
    written = write.written
    of_field = [line for line in lines if line.field is write.field]
    mine = [at for at, line in enumerate(of_field) if _tells_of(line, write, translation)]
    before = of_field[: mine[0]] if mine else []
    while before and _is_ours(before[-1], own):
        if before[-1] in own:
            return None  # what an earlier write of ours covered is that one's affair
        before.pop()
    unseen = [line for line in before if line.at + CUT > written.as_of]
    if not unseen or not isinstance(written.before, str | None):
        return None
    stood = written.before
    for line in unseen:
        stood = translation.after(line, stood)
    return None if stood == written.before else replace(unseen[-1], value=stood)


def _edit(line: Change) -> Theirs:
    return Theirs(line.value, line.at, line.by)
