"""Promise 2: no edit is silently lost.

Every edit that was made is the value in the end; or a later edit was made on a side that
showed it; or it stands in a conflict record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imsync.core.covered import CUT
from imsync.core.fields import Field, Value
from imsync.core.maps import NoTranslation, ValueMap
from imsync.store import conflicts, incidents
from tests.histories.pairs import agree, alike
from tests.simulation.oracle import OBSERVED, Pair, pairs_of
from tests.simulation.there import ITSELF, US
from tests.simulation.world import World

HERE = -1
"""The platform's side; the others are numbered as their accounts are."""


@dataclass(frozen=True, slots=True)
class Made:
    """An edit that somebody made: on which side, over what they saw."""

    n: int
    at: int
    side: int
    field: Field
    old: Value
    new: Value
    by: str
    early: bool = False  # it was not there yet


def lost(world: World) -> Iterator[str]:
    pairs = pairs_of(world)
    for number in sorted({pair.link.incident_id for pair in pairs}):
        of_it = [pair for pair in pairs if pair.link.incident_id == number]
        for field in OBSERVED:
            yield from _lost(world, number, of_it, field)


def _lost(world: World, number: int, pairs: Sequence[Pair], field: Field) -> Iterator[str]:
    conn = world.conn
    maps = {pair.index: pair.maps[field] for pair in pairs}
    of_link = {pair.link.id: pair.index for pair in pairs}
    made = sorted(_made(world, number, pairs, field), key=lambda one: one.n)
    final = {HERE: incidents.get(conn, number)[field]}
    final |= {pair.index: pair.values[field] for pair in pairs}
    recorded = [
        (side, value)
        for one in conflicts.page(conn, limit=500, incident_id=number)
        if one.field is field and one.link_id in of_link
        for side, value in ((HERE, one.platform.value), (of_link[one.link_id], one.external.value))
    ]

    def shows(side: int, value: Value, edit: Made) -> bool:
        """Whether that value on that side shows this edit."""
        if side == edit.side:
            return value == edit.new
        if side == HERE:
            return alike(maps[edit.side], value, edit.new)
        if edit.side == HERE:
            return alike(maps[side], edit.new, value)
        return value == edit.new or alike(maps[side], _reads(maps[edit.side], edit.new), value)

    for edit in made:
        if (
            edit.by == ITSELF
            or shows(edit.side, final[edit.side], edit)
            or any(shows(one.side, one.old, edit) for one in made if one.n > edit.n)
            or any(shows(side, value, edit) for side, value in recorded)
            or _was_no_edit(world, edit, pairs)
        ):
            continue
        yield (
            f"lost: {field} {edit.new!r} (over {edit.old!r}, #{edit.n}, by {edit.by})"
            f" on side {edit.side} of INC-{number}; it ends as {final}"
        )


def _reads(map_: ValueMap, there: Value) -> Value:
    """What an external value reads as when nothing better is known."""
    try:
        return map_.decode(there, given=None)
    except NoTranslation:
        return None


def _was_no_edit(world: World, edit: Made, pairs: Sequence[Pair]) -> bool:
    """What SEMANTICS does not count as one."""
    if edit.side == HERE:
        # Nobody is assigned: whoever is on call there is, when it is created.
        return (edit.new is None and edit.early) or _taken_away(edit, pairs)
    pair = next(pair for pair in pairs if pair.index == edit.side)
    met = world.met.get(edit.n)
    if met is not None:
        back = edit.new in (met.believed, met.agreed)
        if back and not _over_ours(edit, pair):
            return True  # set back before anybody looked, or before anything could be decided
        if agree(pair.maps[edit.field], met.said, edit.new):
            return True  # it is what we said already
    return _as_we_wrote(world, edit, pair)


def _taken_away(edit: Made, pairs: Sequence[Pair]) -> bool:
    """Whether somebody there reopened it later: that assigns whoever is on call."""
    return edit.field is Field.ASSIGNED_TO and any(
        line.field is edit.field
        and line.external_id == pair.row.id
        and (line.by, line.old) == (ITSELF, None)
        and line.n > edit.n
        for pair in pairs
        for line in pair.there.lines
    )


def _over_ours(edit: Made, pair: Pair) -> bool:
    """Whether what it replaced was written by us."""
    before = [
        line.by
        for line in pair.there.lines
        if (line.external_id, line.field) == (pair.row.id, edit.field) and line.n < edit.n
    ]
    return before[-1:] == [US]


def _as_we_wrote(world: World, edit: Made, pair: Pair) -> bool:
    """It is what we were writing just then anyway."""
    rows = world.conn.execute(
        "SELECT json_extract(value, '$') AS value FROM writes"
        " WHERE link_id = ? AND field = ? AND as_of <= ? AND (at IS NULL OR at >= ?)",
        (pair.link.id, edit.field, edit.at + CUT, edit.at),
    )
    return any(_sets_alike(edit, row["value"]) for row in rows)


def _sets_alike(edit: Made, written: Value) -> bool:
    """Whether all that this edit set is set so in that value: a severity has two parts."""
    if edit.field is not Field.SEVERITY or not (edit.old and edit.new and written):
        return written == edit.new
    old, new, ours = (f"{value} ".split(" ") for value in (edit.old, edit.new, written))
    return all(ours[part] == new[part] for part in (0, 1) if new[part] != old[part])


def _made(world: World, number: int, pairs: Sequence[Pair], field: Field) -> Iterator[Made]:
    rows = world.conn.execute(
        "SELECT * FROM history WHERE incident_id = ? AND field = ? AND person <> ''"
        " AND new IS NOT NULL",
        (number, field),
    )
    for row in rows:
        if row["by"] == row["person"]:  # else it was adopted in the same transaction
            yield Made(
                row["n"], row["at"], HERE, field, row["old"], row["new"], row["by"],
                bool(row["early"]),
            )  # fmt: skip
    for pair in pairs:
        for line in pair.there.lines:
            if (line.external_id, line.field) == (pair.row.id, field) and line.by != US:
                yield Made(line.n, line.at, pair.index, field, line.old, line.new, line.by)
