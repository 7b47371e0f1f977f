"""One history: two or three sides, people on all of them, and faults, told as it goes.

Here is what can happen, one thing at a time; what does is drawn (`acts`) or written down
by a test that tells one story. Nothing waits: the clock moves with the story.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from imsync.connectors import TRANSLATIONS
from imsync.core.fields import NEVER, Field, Instant, Known, Side, Value
from imsync.core.merge import Direction, Rule, Strategy
from imsync.engine import configure, edits, review, rules
from imsync.engine.fleet import recover
from imsync.engine.linking import incident_of
from imsync.errors import UserError
from imsync.store import conflicts, inbox, incidents, integrations, kept_back, links, outbox
from imsync.store.conflicts import Conflict
from tests.conftest import Clock
from tests.histories.elsewhere import SERVICE, THEM, Delivery, Elsewhere, Row
from tests.histories.here import Crew, database, give_back
from tests.histories.here import crew as a_crew

ME, BOSS = "me@acme.example", "boss@acme.example"
LONG = 400_000
"""Longer (ms) than the longest wait for another attempt."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A platform edit, as its maker made it: over what they saw."""

    n: int
    at: Instant
    number: int
    field: Field
    old: Value
    new: Value
    early: bool = False  # it was yet to be created there, and nobody knew how it stands there


@dataclass(frozen=True, slots=True)
class Met:
    """What an edit over there met here: what we said, and what was no change to us.

    That is what stood there when we last looked or wrote, and what was agreed on, if what
    we saw since could not be decided.
    """

    said: Known  # NEVER: it was not one of ours
    no_change: Sequence[Known]


@dataclass(frozen=True, slots=True)
class Law:
    """What an integration's settings and rules said, after so many conflicts were on record."""

    after: int
    strategy: Strategy
    direction: Direction
    rules: Mapping[Field, Rule]


class Restless(AssertionError):
    """The work never ends."""


class History:
    def __init__(self, rng: Random, *, trouble: float = 0.0, max_attempts: int = 50) -> None:
        self.rng = rng
        self.clock = Clock()
        self.n = 0
        self.db = database()
        self.edits: list[Edit] = []
        self.fields = list(Field)  # what people care for in this story
        self.met: dict[int, Met] = {}  # what stood here when that line was written there
        self.laws: list[list[Law]] = []  # of each integration
        self.told: list[str] = []  # the story, for whoever reads a failure
        self.trouble, self.max_attempts = trouble, max_attempts
        self.there: list[Elsewhere] = []
        self.crews: list[Crew] = []
        self.idle: set[int] = set()  # integrations that are disabled: nobody works for them
        self.ghost: Crew | None = None  # thought dead, with an answer coming

    def count(self) -> int:
        self.n += 1
        return self.n

    def say(self, what: str) -> None:
        self.told.append(f"{self.n:4} {self.clock.at - 1_800_000_000_000:9} {what}")

    # --- who there is

    def connect(self, strategy: Strategy = Strategy.LAST_WRITE_WINS, **account: Any) -> None:
        """Another account, and an integration with it."""
        index = len(self.there)
        there = Elsewhere(self.rng, self.clock, self.count, name="AB"[index], **account)
        settings = {
            "name": f"PagerDuty {there.name}",
            "base_url": "https://elsewhere.example",
            "token": "t",
            "default_service": SERVICE,
            "conflict_strategy": strategy,
        }
        self.db.at_once(
            configure.create,
            f"int_{index}",
            settings,
            integration_type="pagerduty",
            webhook_secret=None,
            now=self.clock(),
        )
        if there.skew:
            self.db.at_once(integrations.note_clock, f"int_{index}", there.skew)
        self.there.append(there)
        self.laws.append([])
        self.crews.append(self._crew(index))
        self._note_law(index, 0)
        self.say(f"{there.name}: {strategy} {account}")

    def _crew(self, index: int) -> Crew:
        return a_crew(
            self.db,
            self.there[index],
            f"int_{index}",
            clock=self.clock,
            rng=self.rng,
            max_attempts=self.max_attempts,
            trouble=self.trouble,
        )

    def _on_record(self) -> int:
        (last,) = self.db.conn.execute("SELECT COALESCE(MAX(id), 0) FROM conflicts").fetchone()
        return int(last)

    def _note_law(self, index: int, after: int) -> None:
        one = integrations.get(self.db.conn, f"int_{index}")
        own = integrations.rules(self.db.conn, one.id)
        law = Law(after, one.conflict_strategy, one.sync_direction, own)
        self.laws[index].append(law)

    # --- what people do

    def declare(self, **values: Value) -> int:
        given = {Field(name): value for name, value in values.items()}
        made = self.db.at_once(
            edits.declare,
            given,
            integration=None,
            organization_id=None,
            incident_type=None,
            by=ME,
            now=self.clock(),
        )
        self.say(f"declared INC-{made.id} {values}")
        for field, edit in made.edits.items():
            if edit.value is not None:
                one = Edit(self.count(), edit.at, made.id, field, None, edit.value)
                self.edits.append(one)
        return made.id

    def appear(self, index: int, title: str, **more: str | None) -> Row:
        row = self.there[index].open(title, by="PANN", **more)
        self.say(f"{row.id} was triggered: {title!r} {more}")
        return row

    def set(self, number: int, field: Field, value: Value) -> None:
        """Somebody here edits a field."""
        old = incidents.get(self.db.conn, number)[field]
        now = self.clock()
        self.db.at_once(edits.update, number, {field: value}, by=ME, now=now)
        self._note_edit(number, field, old)

    def _note_edit(self, number: int, field: Field, old: Value) -> None:
        edit = incidents.get(self.db.conn, number).edits[field]
        if edit.value != old:
            self.say(f"INC-{number} {field}: {old!r} -> {edit.value!r}")
            early = self._is_awaited(number)
            made = Edit(self.count(), edit.at, number, field, old, edit.value, early)
            self.edits.append(made)

    def _is_awaited(self, number: int) -> bool:
        """Whether it is yet to be created in some account."""
        conn = self.db.conn
        kept = any(number in kept_back.waiting(conn, crew.account.id) for crew in self.crews)
        return kept or any(one.state == "creating" for one in links.of_incident(conn, number))

    def edit(self, index: int, row: Row, part: str, value: str) -> None:
        """Somebody there edits a part of it."""
        there = self.there[index]
        known = len(there.lines)
        if there.edit(row, part, value, by=THEM):
            self.say(f"{row.id} {part}: -> {value!r}")
        link = links.to(self.db.conn, f"int_{index}", row.id)
        number = incident_of(row.key) if link is None else link.incident_id
        for line in there.lines[known:]:
            said: Known = NEVER
            if number is not None:
                said = incidents.get(self.db.conn, number)[line.field]
            if link is None:  # nobody here has heard of more than, at most, how it was created
                created = next(one.new for one in there.lines if one.is_of(row.id, line.field))
                self.met[line.n] = Met(said, [created])
                continue
            state = links.fields(self.db.conn, link.id)[line.field]
            seen, at = (state.seen.value, state.seen.as_of) if state.seen else (NEVER, 0)
            ours = [
                value
                for id_, field, value, when in there.wrote
                if (id_, field) == (row.id, line.field) and when > at
            ]
            no_change: list[Known] = [*ours[-1:]] or [seen, state.base.external]
            self.met[line.n] = Met(said, no_change)

    def hear(self, index: int, delivery: Delivery, again: int = 0) -> None:
        """A delivery reaches us; `again`: told as another event."""
        there = self.there[index]
        delivery.heard = True
        body = there.sealed(delivery, again)
        envelope = TRANSLATIONS["pagerduty"].envelope(body)
        self.say(f"heard{' again' if again else ''}: {delivery}")
        self.db.at_once(
            inbox.put,
            integration_id=f"int_{index}",
            delivery_id=f"wh-{index}-{self.count()}",
            event_id=envelope.event_id,
            event_type=envelope.event_type,
            external_id=envelope.external_id,
            incident_key=envelope.key,
            body=body,
            now=self.clock(),
        )

    def change(self, index: int, **given: object) -> None:
        """Somebody configures the integration: its loops work with what it is now."""
        told = {name: str(value) for name, value in given.items()}
        self.say(f"{self.there[index].name}: {told}")
        after = self._on_record()
        changed = self.db.at_once(
            configure.change, f"int_{index}", given, webhook_secret=None, now=self.clock()
        )
        self.crews[index].account.integration = changed
        self._note_law(index, after)

    def rule(self, index: int, field: Field, rule: Rule) -> None:
        integration = integrations.get(self.db.conn, f"int_{index}")
        self.say(f"{self.there[index].name}: {field}: {rule}")
        after = self._on_record()
        try:
            self.db.at_once(rules.set_rule, integration, field, rule, now=self.clock())
        except UserError as error:
            self.say(f"not: {error}")
        self._note_law(index, after)

    def answer(self, one: Conflict, way: str, value: Value = None) -> None:
        """A person answers a conflict: restore, ignore, a side, or another value."""
        self.say(f"{way} {value or ''}: {one}")
        asked: dict[str, Any] = {"by": BOSS, "now": self.clock()}
        before = incidents.get(self.db.conn, one.incident_id)[one.field]
        try:
            if way in ("restore", "ignore"):
                work = review.restore if way == "restore" else review.ignore
                self.db.at_once(work, one.id, **asked)
            else:
                use = None if way == "other" else Side(way)
                self.db.at_once(review.resolve, one.id, use=use, value=value, **asked)
        except UserError as error:
            self.say(f"not: {error}")
            return
        self._note_edit(one.incident_id, one.field, before)

    # --- what our side does

    def go_on(self, index: int, name: str, turns: int) -> bool | None:
        """One loop makes so many turns of its step; as `Crew.go_on`."""
        if index in self.idle:
            return False
        self.say(f"{name} of {self.there[index].name} goes on: {turns} turns")
        return self.crews[index].go_on(name, turns)

    def look_only(self, index: int) -> None:
        """Outbound goes on until it has looked, and is about to write."""
        self._go_on_until(index, "is about to write", lambda: self._sending(index))

    def write_unheard(self, index: int) -> None:
        """Outbound goes on until what it wrote stands there, and nobody has told us yet."""
        road = self.crews[index].road
        self._go_on_until(index, "has written", lambda: road.answering)

    def _go_on_until(self, index: int, what: str, happened: Callable[[], bool]) -> None:
        if index in self.idle:
            return
        self.say(f"outbound of {self.there[index].name} goes on until it {what}")
        for _ in range(40):
            if self.crews[index].go_on("outbound", 1) is not None or happened():
                return

    def _sending(self, index: int) -> bool:
        row = self.db.conn.execute(
            "SELECT EXISTS (SELECT 1 FROM writes w JOIN links l ON l.id = w.link_id"
            " WHERE l.integration_id = ? AND w.state = 'sending')",
            (f"int_{index}",),
        ).fetchone()
        return bool(row[0])

    def crash(self, *, ghost: bool = False) -> None:
        """The daemon dies; or (a ghost) it is thought to be dead while it waits for an answer."""
        self.say("crash")
        if self.ghost:
            self.ghost.drop()
        self.ghost = None
        for crew in self.crews:
            step = crew.steps.get("outbound")
            if ghost and step and crew.road.answering and not self.ghost:
                del crew.steps["outbound"]
                self.ghost = Crew(crew.account, crew.road, crew.loops, {"outbound": step})
            crew.drop()
        self.db.at_once(recover)
        self.crews = [self._crew(index) for index in range(len(self.there))]

    def enable(self, index: int, enabled: bool, *, patient: bool = True) -> None:
        """Let nobody, or again somebody, work for it; what is in hand is finished, or cut short."""
        if patient:
            self.finish_steps(index)
        self.change(index, enabled=enabled)
        self.crews[index].drop()
        self.db.at_once(recover, f"int_{index}")
        self.crews[index] = self._crew(index)
        (self.idle.discard if enabled else self.idle.add)(index)

    def finish_steps(self, index: int) -> None:
        for name in list(self.crews[index].steps):
            self.crews[index].finish(name)

    def work(self) -> None:
        """Time passes, and everybody does all there is to do. Raises when that never ends."""
        self.clock.at += LONG
        crews = [crew for index, crew in enumerate(self.crews) if index not in self.idle]
        for crew in crews:
            crew.finish("drift")
        for _ in range(200):
            moved = False
            for crew in crews:
                moved = crew.finish("inbound") or moved
                moved = crew.finish("outbound") or moved
            if not moved:
                return
        raise Restless("there is always something to do: the sides never come to rest")

    def rest(self) -> None:
        """All that was told is heard, and all work is done, until nothing changes."""
        for index, there in enumerate(self.there):
            while there.wire:
                self.hear(index, there.wire.pop(0))
        for _ in range(30):
            before = self.standing()
            self.work()
            if self.standing() == before and not self.owing():
                return

    # --- how it stands

    def owing(self) -> bool:
        return any(
            outbox.pending(self.db.conn, crew.account.id)[0]
            or inbox.count_pending(self.db.conn, crew.account.id)
            for crew in self.crews
        )

    def standing(self) -> list[str]:
        """All that stands on either side, and how often we wrote."""
        there = [f"{one.name}: {one.writes} writes" for one in self.there]
        rows = self.db.conn.execute(
            "SELECT incident_id, field, value FROM incident_fields ORDER BY incident_id, field"
        )
        known = {(row["incident_id"], row["field"]): row["value"] for row in rows}
        count = len({number for number, _ in known})
        return [
            *there,
            f"{count} incidents",
            *(f"{key}: {value!r}" for key, value in known.items()),
        ]

    def conflicts(self) -> list[Conflict]:
        return conflicts.page(self.db.conn, limit=200)

    def close(self) -> None:
        for crew in [*self.crews, *([self.ghost] if self.ghost else [])]:
            crew.drop()
        give_back(self.db)
