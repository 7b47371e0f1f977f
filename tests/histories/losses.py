"""Promise 2: no edit is silently lost.

Every edit that was accepted is the value in the end; or a later edit was made on a side
that showed it; or it stands in a conflict record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imsync.core.covered import CUT
from imsync.core.fields import Field, Value
from imsync.store import conflicts, incidents
from tests.histories.elsewhere import ITSELF, US
from tests.histories.history import History
from tests.histories.pairs import Pair, agree, alike, same

HERE = -1
"""The platform's side; the others are numbered as their accounts are."""


@dataclass(frozen=True, slots=True)
class Made:
    """An edit that somebody made: on which side, over what they saw."""

    n: int
    at: int
    number: int
    side: int
    field: Field
    old: Value
    new: Value
    by: str
    early: bool = False


def lost(history: History, number: int, pairs: Sequence[Pair], field: Field) -> Iterator[str]:
    """The edits of an incident's field that are nowhere to be found."""
    conn = history.db.conn
    maps = {pair.index: pair.maps[field] for pair in pairs}
    links = {pair.link.id: pair.index for pair in pairs}
    made = sorted(_made(history, number, pairs, field), key=lambda one: one.n)
    final = {HERE: incidents.get(conn, number)[field]}
    final |= {pair.index: pair.row[field] for pair in pairs}
    recorded = [
        (side, value)
        for one in conflicts.page(conn, limit=500, incident_id=number)
        if one.field is field and one.link_id in links
        for side, value in ((HERE, one.platform.value), (links[one.link_id], one.external.value))
    ]

    def shows(side: int, value: Value, edit: Made) -> bool:
        """Whether that value on that side shows this edit."""
        if side == edit.side:
            return value == edit.new
        if side == HERE:
            return alike(maps[edit.side], value, edit.new)
        if edit.side == HERE:
            return alike(maps[side], edit.new, value)
        return value == edit.new or same(maps[side], value, maps[edit.side], edit.new)

    for edit in made:
        if (
            edit.by == ITSELF
            or shows(edit.side, final[edit.side], edit)
            or any(shows(one.side, one.old, edit) for one in made if one.n > edit.n)
            or any(shows(side, value, edit) for side, value in recorded)
            or _was_no_edit(history, edit, pairs)
        ):
            continue
        yield (
            f"lost: {field} {edit.new!r} (over {edit.old!r}, #{edit.n}, by {edit.by})"
            f" on side {edit.side} of INC-{number}; it ends as {final}"
        )


def _was_no_edit(history: History, edit: Made, pairs: Sequence[Pair]) -> bool:
    """What does not count as one."""
    if edit.side == HERE:
        # Nobody is assigned: whoever is on call there is, when it is created.
        return edit.new is None and edit.early
    pair = next(pair for pair in pairs if pair.index == edit.side)
    met = history.met.get(edit.n)
    if met is None:
        return True  # nobody edited it: it is how the incident was created
    said_here = isinstance(met.said, Value) and agree(pair.maps[edit.field], met.said, edit.new)
    return edit.new in met.no_change or said_here or _as_we_wrote(history, edit, pair)


def _as_we_wrote(history: History, edit: Made, pair: Pair) -> bool:
    """It is what we were writing just then anyway.

    A write that was in doubt landed when the log says so, and its log may cut its seconds.
    """
    cut = CUT if history.there[pair.index].cuts_seconds else 0
    rows = history.db.conn.execute(
        "SELECT json_extract(value, '$') AS value FROM writes"
        " WHERE link_id = ? AND field = ? AND as_of <= ? AND (at IS NULL OR at >= ?)",
        (pair.link.id, edit.field, edit.at + CUT, edit.at - cut),
    )
    return any(row["value"] == edit.new for row in rows)


def _made(history: History, number: int, pairs: Sequence[Pair], field: Field) -> Iterator[Made]:
    for edit in history.edits:
        if (edit.number, edit.field) == (number, field):
            yield Made(edit.n, edit.at, number, HERE, field, edit.old, edit.new, "me", edit.early)
    for pair in pairs:
        for line in history.there[pair.index].lines:
            if (line.external_id, line.field) == (pair.row.id, field) and line.by != US:
                yield Made(line.n, line.at, number, pair.index, field, line.old, line.new, line.by)
