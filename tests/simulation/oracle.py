"""What must be true in the end: SEMANTICS 3, told from both sides' own histories.

It reads what was edited where and when, what each side says in the end, and the conflict
records: not the code's journal. What imsync believed is read for one excuse alone, that an
edit there was set back before anybody could look.

Each complaint begins with its kind: differ, held, lost, unkept, echo, double, limit, bug, note.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imsync.connectors.base import Kind
from imsync.connectors.pagerduty import mapping, notes
from imsync.core.fields import Field, Value
from imsync.core.maps import NoTranslation, ValueMap
from imsync.core.merge import Strategy
from imsync.sandbox.rows import Incident
from imsync.store import conflicts, incidents, integrations, links
from imsync.store.links import FieldState, Link
from tests.histories.pairs import alike
from tests.simulation.there import There

if TYPE_CHECKING:
    from tests.simulation.world import World

OBSERVED = tuple(field for field in Field if field is not Field.DESCRIPTION)
"""A description is written there and never looked at."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Everyone and everything there is over there."""

    there: There

    def id_of(self, kind: Kind, name: str) -> str:
        records = self.there.records
        if kind is Kind.USER:
            known = {row.email.casefold(): row.id for row in records.users}
        else:
            known = {row.name.casefold(): row.id for row in records.policies}
        if name.casefold() not in known:
            raise NoTranslation(name)
        return known[name.casefold()]

    def name_of(self, kind: Kind, id_: str) -> str:
        records = self.there.records
        if kind is Kind.USER:
            return records.users[id_].email
        return records.policies[id_].name

    def names(self, kind: Kind) -> Sequence[str]:
        rows = self.there.records.priorities
        return [row.name for row in rows] if kind is Kind.PRIORITY else ()


@dataclass(frozen=True, slots=True)
class Pair:
    """One linked pair of incidents, as it stands."""

    index: int
    there: There
    link: Link
    row: Incident
    values: dict[Field, Value]
    maps: dict[Field, ValueMap]
    states: dict[Field, FieldState]


def pairs_of(world: "World") -> list[Pair]:
    found = []
    for index, there in enumerate(world.there):
        maps = dict(mapping.maps(Directory(there)))
        for link in links.every(world.conn, world.ids[index]):
            row = there.records.incidents.get(link.external_id)
            if link.state == "linked" and row is not None:
                states = dict(links.fields(world.conn, link.id))
                values = there.values(row)
                found.append(Pair(index, there, link, row, values, maps, states))
    return found


# 1. Convergence.


def differences(world: "World") -> Iterator[str]:
    """Every incident that is not here, and every field that differs and is not excused."""
    pairs = pairs_of(world)
    known = {(pair.index, pair.row.id) for pair in pairs}
    for index, there in enumerate(world.there):
        for row in there.rows():
            if row.status != "resolved" and (index, row.id) not in known:
                yield f"differ: {row.id} is open there, and not here"
    for pair in pairs:
        here = incidents.get(world.conn, pair.link.incident_id)
        for field in OBSERVED:
            ours, theirs = here[field], pair.values[field]
            if not alike(pair.maps[field], ours, theirs) and not _excused(world, pair, field):
                yield f"differ: {field} of link {pair.link.id}: {ours!r} here, {theirs!r} there"
        yield from _description(world, pair, here[Field.DESCRIPTION])


def _excused(world: "World", pair: Pair, field: Field) -> bool:
    conn, state = world.conn, pair.states[field]
    if field in conflicts.held(conn, pair.link.id) or state.blocked:
        return True
    if field is Field.ASSIGNED_TO and pair.row.status == "resolved":
        return True  # a resolved incident has no assignees there
    here = incidents.get(conn, pair.link.incident_id)[field]
    ignored = [
        one
        for one in conflicts.page(conn, limit=500, incident_id=pair.link.incident_id)
        if one.field is field and one.status == "ignored" and one.link_id == pair.link.id
    ]
    # A person said to leave this very difference alone.
    return any(
        (one.platform.value, one.external.value) == (here, pair.values[field]) for one in ignored
    )


def _description(world: "World", pair: Pair, here: Value) -> Iterator[str]:
    """It stands in one note of ours, or is what the incident was created with."""
    if _excused(world, pair, Field.DESCRIPTION):
        return
    ours = [text for text in pair.there.notes(pair.row) if notes.is_description_note(text)]
    there = ours or [pair.row.details or ""]
    wanted = notes.description_note(here or "") if ours else here or ""
    if there != [wanted]:
        yield f"differ: description of link {pair.link.id}: {here!r} here, {there!r} there"


def unconverged(world: "World") -> Iterator[str]:
    if world.owing():
        yield "differ: something is still owed, or not applied"
    yield from differences(world)
    for pair in pairs_of(world):
        strategy = integrations.get(world.conn, world.ids[pair.index]).conflict_strategy
        for field in sorted(conflicts.held(world.conn, pair.link.id)):
            if strategy is not Strategy.MANUAL_REVIEW and not _flaps(world, pair, field):
                yield f"held: {field} of link {pair.link.id}, though nobody is to be asked"


def _flaps(world: "World", pair: Pair, field: Field) -> bool:
    return conflicts.held(world.conn, pair.link.id)[field].flaps


# 2. No edit is silently lost (losses.py), and nothing that was answered with a 2xx is.


def unkept(world: "World") -> Iterator[str]:
    """What was promised and is not there: deliveries, edits, incidents, notes."""
    conn = world.conn
    known = {row["delivery_id"] for row in conn.execute("SELECT delivery_id FROM inbox")}
    for there in world.there:
        for id_ in sorted(there.kept.keys() - known):
            yield f"unkept: the delivery {id_} was answered with a 2xx"
    for one in world.people.accepted:
        rows = conn.execute(
            "SELECT * FROM history WHERE incident_id = ? AND field = ? ORDER BY n",
            (one.number, one.field),
        ).fetchall()
        # Whenever that was: ours is later than an edit there by a clock that is ahead.
        if one.value not in {row["new"] for row in rows}:
            yield f"unkept: {one} was answered with a 2xx"
    said = {(row["incident_id"], row["text"]) for row in conn.execute("SELECT * FROM timeline")}
    for note in world.people.notes_here:
        if note not in said:
            yield f"unkept: the note {note} was answered with a 2xx"


# 3. No echo.


def echoes(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if before != after:
        yield f"echo: quiet rounds changed {sorted(set(before) ^ set(after))}"


# 4. No duplicates.


def doubles(world: "World") -> Iterator[str]:
    conn, mine, theirs = world.conn, set[tuple[str, str]](), 0
    for index, there in enumerate(world.there):
        linked = [link.external_id for link in links.every(conn, world.ids[index])]
        for row in there.rows():
            if row.key and row.key.startswith("imsync:"):
                if (there.url, row.key) in mine:
                    yield f"double: {there.url} has two incidents with the key {row.key}"
                mine.add((there.url, row.key))
                if row.id not in linked:
                    yield f"double: {row.id} was created for {row.key}, and is not linked"
            else:
                theirs += 1
        for id_ in {id_ for id_ in linked if id_ and linked.count(id_) > 1}:
            yield f"double: {id_} is linked twice"
    titles = [
        row["new"]
        for row in conn.execute(
            "SELECT new FROM history WHERE field = 'title' AND old IS NULL AND early"
        )
    ]
    for title in {one for one in titles if titles.count(one) > 1}:
        yield f"double: {title!r} was declared {titles.count(title)} times here"
    (seen,) = conn.execute("SELECT COUNT(*) FROM incidents").fetchone()
    declared = sum(title in titles for title in world.people.declared)
    if seen > declared + theirs:
        yield f"double: {seen} incidents here, {declared} declared, {theirs} triggered there"
    yield from _notes(world)


def _notes(world: "World") -> Iterator[str]:
    """Each note stands once on each side of each of its links."""
    conn, pairs = world.conn, pairs_of(world)
    notes_of = {pair.link.id: pair.there.notes(pair.row) for pair in pairs}
    texts = [
        (row["incident_id"], row["text"])
        for row in conn.execute("SELECT * FROM timeline WHERE kind = 'note' AND by <> 'imsync'")
    ]
    for one in sorted(set(texts)):
        if texts.count(one) > 1:
            yield f"note: {one} stands {texts.count(one)} times here"
        for pair in pairs:
            if pair.link.incident_id == one[0]:
                times = sum(
                    # Who wrote it stands before it where somebody else had to.
                    text == one[1] or text.endswith(f": {one[1]}")
                    for text in notes_of[pair.link.id]
                )
                if times != 1:
                    yield f"note: {one} stands {times} times in {pair.row.id}"
    for pair in pairs:
        bodies = [delivery.body for delivery in pair.there.kept.values()]
        for text in notes_of[pair.link.id]:
            # Nothing but a webhook tells of a note there.
            told = text.startswith("Noted there") and any(f'"{text}"' in body for body in bodies)
            if told and (pair.link.incident_id, text) not in texts:
                yield f"note: {text!r} of {pair.row.id} is not here"


# 6. Within the limit, and 7. one bad thing stops only itself.


def limits(world: "World") -> Iterator[str]:
    for there in world.there:
        if there.counted.refused:
            yield f"limit: {there.counted.refused} requests of ours were over the limit"


def bugs(world: "World") -> Iterator[str]:
    for bug in [*world.bugs, *(world.daemon.bugs if world.daemon else [])]:
        yield f"bug: {bug}"
    for row in world.conn.execute("SELECT * FROM dead_letters ORDER BY id"):
        if row["code"] in ("bug", "unusable_delivery"):
            yield f"bug: {row['message']}"
