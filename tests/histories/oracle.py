"""What must be true in the end, told from both sides' own histories and the conflict records.

Each complaint begins with its kind: bug, unrest, doubt, double, held, differ, blind, base,
lost, winner, time, echo.
"""

from collections.abc import Iterator, Sequence

from imsync.core.fields import Field
from imsync.core.merge import Direction, Strategy
from imsync.store import conflicts, incidents, integrations, writes
from tests.histories import acts
from tests.histories.history import History
from tests.histories.losses import lost
from tests.histories.pairs import Pair, alike, pairs_of
from tests.histories.winners import wrong_winners

OBSERVED = tuple(field for field in Field if field is not Field.DESCRIPTION)
"""A description is written there and never looked at."""


def check(history: History) -> list[str]:
    """Settle, be quiet, and say everything that is not as it should be."""
    acts.settle(history)
    found = list(_ends(history))
    before = history.standing()
    acts.quiet(history)
    after = history.standing()
    if before != after:
        found.append(f"echo: quiet rounds changed {sorted(set(before) ^ set(after))}")
    return [*found, *_echoes(history)]


def broken(history: History) -> list[str]:
    """What must never be, not even in the middle of a story."""
    return [*_bugs(history), *_doubles(history)]


def _ends(history: History) -> Iterator[str]:
    conn, pairs = history.db.conn, list(pairs_of(history))
    if history.owing():
        yield "unrest: something is still owed, or not applied"
    yield from _bugs(history)
    yield from _doubles(history)
    yield from _orphans(history, pairs)
    for pair in pairs:
        if writes.unsettled(conn, pair.link.id):
            yield f"doubt: a write of link {pair.link.id} was never settled"
        yield from _holds(history, pair)
        yield from _description_differs(history, pair)
        for field in OBSERVED:
            yield from _differs(history, pair, field)
    for number in sorted({pair.link.incident_id for pair in pairs}):
        of_it = [pair for pair in pairs if pair.link.incident_id == number]
        for field in OBSERVED:
            yield from lost(history, number, of_it, field)
    yield from wrong_winners(history, pairs)


def _bugs(history: History) -> Iterator[str]:
    rows = history.db.conn.execute(
        "SELECT * FROM dead_letters WHERE code IN ('bug', 'unusable_delivery')"
    )
    for row in rows:
        yield f"bug: {row['message']}"


def _echoes(history: History) -> Iterator[str]:
    """Nobody writes what is there: not what the look has just shown, nor what it believed."""
    for there in history.there:
        for one in there.idle:
            yield f"echo: wrote {one}, which it had just seen there"
    rows = history.db.conn.execute("SELECT * FROM writes WHERE before = value ORDER BY id")
    for row in rows:
        yield f"echo: wrote {row['value']} as {row['field']} of link {row['link_id']} over the same"


def _doubles(history: History) -> Iterator[str]:
    for there in history.there:
        keys = [row.key for row in there.rows.values() if row.key]
        if len(keys) != len(set(keys)):
            yield f"double: {there.name} has two incidents of one of ours: {keys}"
    (seen,) = history.db.conn.execute("SELECT COUNT(*) FROM incidents").fetchone()
    mine = {edit.number for edit in history.edits if edit.old is None and edit.field == "title"}
    theirs = [row for there in history.there for row in there.rows.values() if not row.key]
    if seen > len(mine) + len(theirs):
        yield f"double: {seen} incidents here, {len(mine)} declared, {len(theirs)} there"


def _orphans(history: History, pairs: Sequence[Pair]) -> Iterator[str]:
    linked = {pair.row.id for pair in pairs}
    for there in history.there:
        for row in there.rows.values():
            if row.key and row.id not in linked:
                yield f"double: {row.id} was created for {row.key} and is not linked"


def _holds(history: History, pair: Pair) -> Iterator[str]:
    strategy = integrations.get(history.db.conn, f"int_{pair.index}").conflict_strategy
    for field in sorted(conflicts.held(history.db.conn, pair.link.id)):
        if strategy is not Strategy.MANUAL_REVIEW and not pair.states[field].blocked:
            yield f"held: {field} of link {pair.link.id}, though nobody is to be asked"


def _excuse(history: History, pair: Pair, field: Field) -> str | None:
    """Why this field may differ in the end; None if it may not."""
    conn, state = history.db.conn, pair.states[field]
    integration = integrations.get(conn, f"int_{pair.index}")
    if field in conflicts.held(conn, pair.link.id):
        return "held"
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
    state = pair.states[field]
    if _excuse(history, pair, field) is not None:
        return
    edit = incidents.get(history.db.conn, pair.link.incident_id).edits[field]
    here, there = edit.value, pair.row[field]
    if not alike(pair.maps[field], here, there):
        yield f"differ: {field} of link {pair.link.id}: {here!r} here, {there!r} there"
    elif state.seen is None or state.seen.value != there:
        yield f"blind: {field} of link {pair.link.id} is {there!r}, we believe {state.seen}"
    elif pair.row.status == "resolved":
        return  # nobody looks at it until it is opened again, so a base may stay as it is
    elif (state.base.platform, state.base.external) != (here, there) or state.base.at < edit.at:
        yield f"base: {field} of link {pair.link.id}: {state.base}, not {edit} and {there!r}"


def _description_differs(history: History, pair: Pair) -> Iterator[str]:
    """It stands in one note of ours, or is what the incident was created with."""
    field, row = Field.DESCRIPTION, pair.row
    if _excuse(history, pair, field) is not None:
        return
    here = incidents.get(history.db.conn, pair.link.incident_id)[field]
    there = [note.text for note in row.notes] or [row.details or ""]
    wanted = pair.description_note(here or "") if row.notes else here or ""
    if there != [wanted]:
        yield f"differ: {field} of link {pair.link.id}: {here!r} here, {there!r} there"
