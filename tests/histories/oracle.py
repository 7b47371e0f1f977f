"""What must be true in the end, told from both sides' own histories and the conflict records."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imsync.connectors.base import Kind
from imsync.connectors.pagerduty import mapping
from imsync.core.fields import Field, Value
from imsync.core.maps import NotLookedUp, NoTranslation, ValueMap
from imsync.core.merge import Direction, Strategy
from imsync.store import conflicts, incidents, integrations, links, writes
from imsync.store.links import FieldState, Link
from tests.histories.elsewhere import POLICIES, PRIORITIES, USERS, Elsewhere, Row
from tests.histories.history import SYNCED, History


@dataclass(frozen=True, slots=True)
class Directory:
    """Everyone and everything there is over there."""

    there: Elsewhere

    def id_of(self, kind: Kind, name: str) -> str:
        known = USERS if kind is Kind.USER else POLICIES
        if name not in known:
            raise NoTranslation(name)
        return known[name]

    def name_of(self, kind: Kind, id_: str) -> str:
        for name, known in (USERS if kind is Kind.USER else POLICIES).items():
            if known == id_:
                return name
        raise NotLookedUp(id_)

    def names(self, kind: Kind) -> Sequence[str]:
        return PRIORITIES if kind is Kind.PRIORITY and self.there.has_priorities else ()


@dataclass(frozen=True, slots=True)
class Pair:
    """One linked pair of incidents, in the end."""

    index: int
    link: Link
    row: Row
    maps: dict[Field, ValueMap]
    states: dict[Field, FieldState]


@dataclass(frozen=True, slots=True)
class Made:
    """An edit that somebody made: where (-1 is the platform), over what they saw."""

    n: int
    side: int
    field: Field
    old: Value
    new: Value
    by: str


def check(history: History) -> list[str]:
    """Settle, be quiet, and say everything that is not as it should be."""
    history.settle()
    found = list(_ends(history))
    before = history.standing()
    history.quiet()
    after = history.standing()
    if before != after:
        found.append(f"echo: quiet rounds changed {set(before) ^ set(after)}")
    return found


def _ends(history: History) -> Iterator[str]:
    conn = history.db.conn
    if history._owing():
        yield "unrest: something is still owed, or not applied"
    for row in conn.execute(
        "SELECT * FROM dead_letters WHERE code IN ('bug', 'unusable_delivery')"
    ):
        yield f"bug: {row['message']}"
    pairs = list(_pairs(history))
    yield from _doubles(history, pairs)
    for pair in pairs:
        if writes.unsettled(conn, pair.link.id):
            yield f"doubt: a write of link {pair.link.id} was never settled"
        for field in SYNCED:
            yield from _differs(history, pair, field)
    for number in {pair.link.incident_id for pair in pairs}:
        of_it = [pair for pair in pairs if pair.link.incident_id == number]
        for field in SYNCED:
            yield from _lost(history, number, of_it, field)


def _pairs(history: History) -> Iterator[Pair]:
    conn = history.db.conn
    for index, there in enumerate(history.there):
        for link in links.every(conn, f"int_{index}"):
            if link.state != "linked" or link.external_id is None:
                continue
            maps = dict(mapping.maps(Directory(there)))
            states = dict(links.fields(conn, link.id))
            yield Pair(index, link, there.rows[link.external_id], maps, states)


def _doubles(history: History, pairs: Sequence[Pair]) -> Iterator[str]:
    conn = history.db.conn
    linked = {pair.row.id for pair in pairs}
    for there in history.there:
        keys = [row.key for row in there.rows.values() if row.key]
        if len(keys) != len(set(keys)):
            yield f"double: {there.name} has two incidents of one of ours: {keys}"
        for row in there.rows.values():
            if row.key and row.id not in linked:
                yield f"double: {row.id} was created for {row.key} and is not linked"
    seen = conn.execute("SELECT COUNT(*) AS n FROM incidents").fetchone()["n"]
    mine = {edit.number for edit in history.edits if edit.old is None and edit.field == "title"}
    theirs = [row for there in history.there for row in there.rows.values() if not row.key]
    if seen > len(mine) + len(theirs):
        yield f"double: {seen} incidents here, {len(mine)} declared, {len(theirs)} there"


def _agree(map_: ValueMap, here: Value, there: Value) -> bool:
    try:
        return map_.decode(there, given=here) == here
    except NoTranslation:
        return False


def _alike(map_: ValueMap, here: Value, there: Value) -> bool:
    try:
        return map_.encode(here) == there or _agree(map_, here, there)
    except NoTranslation:
        return False


def _excuse(history: History, pair: Pair, field: Field) -> str | None:
    """Why this field may differ in the end; None if it may not."""
    conn, state = history.db.conn, pair.states[field]
    integration = integrations.get(conn, f"int_{pair.index}")
    if field in conflicts.held(conn, pair.link.id):
        if integration.conflict_strategy is Strategy.MANUAL_REVIEW:
            return "held"
        return None
    if state.blocked:
        return f"blocked: {state.blocked}"
    if integration.sync_direction is not Direction.BIDIRECTIONAL:
        return f"the direction is {integration.sync_direction}"
    if field is Field.ASSIGNED_TO and pair.row.status == "resolved":
        return "a resolved incident has no assignees there"
    here = incidents.get(conn, pair.link.incident_id)[field]
    if (state.base.platform, state.base.external) == (here, pair.row[field]):
        for one in conflicts.page(conn, limit=200, incident_id=pair.link.incident_id):
            if one.field is field and one.status == "ignored" and one.link_id == pair.link.id:
                return "a person ignored the difference"
    return None


def _differs(history: History, pair: Pair, field: Field) -> Iterator[str]:
    conn, state = history.db.conn, pair.states[field]
    if field in conflicts.held(conn, pair.link.id):
        integration = integrations.get(conn, f"int_{pair.index}")
        if integration.conflict_strategy is not Strategy.MANUAL_REVIEW:
            yield f"held: {field} of link {pair.link.id}, though nobody is to be asked"
    if _excuse(history, pair, field) is not None:
        return
    edit = incidents.get(conn, pair.link.incident_id).edits[field]
    here, there = edit.value, pair.row[field]
    if not _alike(pair.maps[field], here, there):
        yield f"differ: {field} of link {pair.link.id}: {here!r} here, {there!r} there"
    elif state.seen is None or state.seen.value != there:
        yield f"blind: {field} of link {pair.link.id} is {there!r}, we believe {state.seen}"
    elif pair.row.status == "resolved":
        return  # nobody looks at it until it is opened again, so a base may stay as it is
    elif (state.base.platform, state.base.external) != (here, there) or state.base.at < edit.at:
        yield f"base: {field} of link {pair.link.id}: {state.base}, not {edit} and {there!r}"


def _lost(history: History, number: int, pairs: Sequence[Pair], field: Field) -> Iterator[str]:
    """Every edit that was accepted is the value in the end, or was seen, or is on record."""
    conn = history.db.conn
    maps = {pair.index: pair.maps[field] for pair in pairs}
    made = sorted(_made(history, number, pairs, field), key=lambda one: one.n)
    records = [
        one for one in conflicts.page(conn, limit=500, incident_id=number) if one.field is field
    ]
    final = {-1: incidents.get(conn, number)[field]}
    final |= {pair.index: pair.row[field] for pair in pairs}

    def shows(side: int, value: Value, edit: Made) -> bool:
        """Whether that value on that side shows this edit."""
        if side == edit.side:
            return value == edit.new
        if side == -1:
            return _alike(maps[edit.side], value, edit.new)
        if edit.side == -1:
            return _alike(maps[side], edit.new, value)
        return value == edit.new or _reads(maps[side], value) == _reads(maps[edit.side], edit.new)

    for edit in made:
        if edit.by == "itself" or shows(edit.side, final[edit.side], edit):
            continue
        later = [one for one in made if one.n > edit.n]
        if any(shows(one.side, one.old, edit) for one in later):
            continue
        if any(
            shows(side, value, edit)
            for one in records
            for side, value in (
                (-1, one.platform.value),
                (_index(pairs, one.link_id), one.external.value),
            )
            if side is not None
        ):
            continue
        if edit.side == -1 and edit.new is None and _filled_in(edit, pairs, history):
            continue
        if edit.side != -1 and _was_no_news(history, made, edit, pairs):
            continue
        yield (
            f"lost: {field} {edit.new!r} (over {edit.old!r}, #{edit.n}, by {edit.by})"
            f" on side {edit.side} of INC-{number}; it ends as {final}"
        )


def _reads(map_: ValueMap, value: Value) -> Value:
    try:
        return map_.decode(value, given=None)
    except NoTranslation:
        return None


def _index(pairs: Sequence[Pair], link_id: int) -> int | None:
    return next((pair.index for pair in pairs if pair.link.id == link_id), None)


def _was_no_news(history: History, made: Sequence[Made], edit: Made, pairs: Sequence[Pair]) -> bool:
    """Set back between two looks, or what we were writing anyway: not counted as an edit."""
    if any(o.side == edit.side and o.n < edit.n and o.old == edit.new for o in made):
        return True
    rows = history.db.conn.execute(
        "SELECT json_extract(value, '$') AS value FROM writes WHERE link_id IN"
        f" ({', '.join('?' * len(pairs))}) AND field = ?",
        [*(pair.link.id for pair in pairs), edit.field],
    )
    return any(row["value"] == edit.new for row in rows)


def _filled_in(edit: Made, pairs: Sequence[Pair], history: History) -> bool:
    """Nobody was assigned here when it was created there: whoever is on call there then is."""
    return any(
        line.old is None and line.by == "PROBOT" and line.n > edit.n
        for pair in pairs
        for line in history.there[pair.index].lines
        if line.external_id == pair.row.id
    )


def _made(history: History, number: int, pairs: Sequence[Pair], field: Field) -> Iterator[Made]:
    for edit in history.edits:
        if (edit.number, edit.field) == (number, field):
            yield Made(edit.n, -1, field, edit.old, edit.new, "me")
    for pair in pairs:
        for line in history.there[pair.index].lines:
            if (line.external_id, line.field) == (pair.row.id, field) and line.by != "PROBOT":
                yield Made(line.n, pair.index, field, line.old, line.new, line.by)
