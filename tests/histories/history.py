"""One random history from one seed: two or three sides, people on all of them, and faults.

Everything is drawn from the seed, and nothing waits: the clock moves with the story.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from imsync.connectors import TRANSLATIONS
from imsync.core.fields import Field, Severity, Side, Status, Value
from imsync.core.merge import Direction, Rule, Strategy
from imsync.engine import configure, edits, review, rules
from imsync.engine.fleet import recover
from imsync.errors import UserError
from imsync.store import conflicts, inbox, incidents, integrations, links, outbox
from tests.conftest import Clock
from tests.histories.elsewhere import PRIORITIES, SERVICE, USERS, Delivery, Elsewhere, Row
from tests.histories.here import Crew, database, give_back
from tests.histories.here import crew as a_crew

SYNCED = (Field.TITLE, Field.SEVERITY, Field.STATUS, Field.ASSIGNED_TO)
PEOPLE = (*USERS, "ghost@nowhere.example")


@dataclass(frozen=True, slots=True)
class Edit:
    """A platform edit, as its maker made it: over what they saw."""

    n: int
    number: int
    field: Field
    old: Value
    new: Value


class History:
    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.clock = Clock()
        self.n, self.begun = 0, False
        self.db = database()
        self.edits: list[Edit] = []
        self.told: list[str] = []  # the story, for whoever reads a failure
        self.trouble = rng.choice((0.0, 0.0, 0.05, 0.2))
        self.max_attempts = rng.choice((50, 50, 50, 3))
        self.there: list[Elsewhere] = []
        self.crews: list[Crew] = []
        self.ghost: Crew | None = None  # thought dead, with an answer coming
        for index in range(rng.choice((1, 1, 1, 2))):
            self._connect(index)
        self._begin()

    def count(self) -> int:
        self.n += 1
        return self.n

    # --- how it begins

    def _connect(self, index: int) -> None:
        rng = self.rng
        skew = rng.choice((0, 0, 0, -4_321, 7_654, 60_000))
        there = Elsewhere(
            rng,
            self.clock,
            self.count,
            name="AB"[index],
            skew=skew,
            offset=skew,
            has_priorities=rng.random() < 0.5,
            cuts_seconds=rng.random() < 0.7,
            unacknowledges=rng.random() < 0.8,
        )
        if rng.random() < 0.3:
            there.order = rng.sample(there.order, len(there.order))
        self.there.append(there)
        settings = {
            "name": f"PagerDuty {there.name}",
            "base_url": "https://elsewhere.example",
            "token": "t",
            "default_service": SERVICE,
            "conflict_strategy": rng.choice(list(Strategy)),
        }
        self.db.at_once(
            configure.create,
            f"int_{index}",
            settings,
            integration_type="pagerduty",
            webhook_secret=None,
            now=self.clock(),
        )
        if skew:
            self.db.at_once(integrations.note_clock, f"int_{index}", skew)
        self.crews.append(self._crew(index))
        if rng.random() < 0.8:
            self._finish(self.crews[-1].account.load_priorities())

    def _crew(self, index: int) -> Crew:
        return a_crew(
            self.db,
            self.there[index],
            f"int_{index}",
            clock=self.clock,
            rng=self.rng,
            max_attempts=self.max_attempts,
            trouble=self.trouble if self.begun else 0.0,
        )

    def _finish(self, step: Any) -> None:
        try:
            while True:
                step.send(None)
        except StopIteration:
            return

    def _begin(self) -> None:
        self.clock.at += 2_000
        for _ in range(self.rng.choice((1, 1, 2))):
            self._declare() if self.rng.random() < 0.6 else self._appear()
        if self.rng.random() < 0.7:  # most stories begin when the sides agree
            for _ in range(2):
                self._deliver_all()
                self._work()
        self.begun = True
        for crew in self.crews:
            crew.road.trouble = self.trouble

    def _declare(self) -> None:
        values = {
            Field.TITLE: self._title(),
            Field.SEVERITY: self.rng.choice(list(Severity)).value,
            Field.ASSIGNED_TO: self.rng.choice((None, None, *PEOPLE)),
        }
        made = self.db.at_once(
            edits.declare,
            values,
            integration=None,
            organization_id=None,
            incident_type=None,
            by="me@acme.example",
            now=self.clock(),
        )
        self._say(f"declared INC-{made.id} {values}")
        for field in SYNCED:
            if made[field] is not None:
                self.edits.append(Edit(self.count(), made.id, field, None, made[field]))

    def _appear(self) -> None:
        there = self.rng.choice(self.there)
        row = there.open(self._title(), by="PANN", urgency=self.rng.choice(("high", "low")))
        self._say(f"{row.id} was triggered")

    # --- what happens

    def run(self) -> None:
        acts: Sequence[tuple[float, Any]] = (
            (0.20, self.edit_here),
            (0.20, self.edit_there),
            (0.12, self.deliver),
            (0.04, self.deliver_again),
            (0.03, self.lose),
            (0.30, self.go_on),
            (0.03, self.crash),
            (0.02, self.configure),
            (0.02, self.rule),
            (0.03, self.review),
            (0.01, self.another),
        )
        weights = [weight for weight, _ in acts]
        for _ in range(self.rng.randint(8, 45)):
            self.clock.at += self.rng.choice((3, 40, 300, 1_000, 3_000, 20_000))
            self.rng.choices(acts, weights)[0][1]()

    def edit_here(self) -> None:
        numbers = [row["id"] for row in self.db.conn.execute("SELECT id FROM incidents")]
        if not numbers:
            return
        number, field = self.rng.choice(numbers), self.rng.choice(SYNCED)
        value: Value = self._title()
        if field is Field.SEVERITY:
            value = self.rng.choice(list(Severity)).value
        elif field is Field.STATUS:
            value = self.rng.choice(list(Status)).value
        elif field is Field.ASSIGNED_TO:
            value = self.rng.choice((None, *PEOPLE))
        self._set(number, field, value)

    def _set(self, number: int, field: Field, value: Value) -> None:
        old = incidents.get(self.db.conn, number)[field]
        now = self.clock()
        self.db.at_once(edits.update, number, {field: value}, by="me@acme.example", now=now)
        if old != edits.check(field, value):
            self._say(f"INC-{number} {field}: {old!r} -> {value!r}")
            self.edits.append(Edit(self.count(), number, field, old, edits.check(field, value)))

    def edit_there(self) -> None:
        there = self.rng.choice(self.there)
        if not there.rows:
            return
        row = self.rng.choice(list(there.rows.values()))
        part = self.rng.choice(("title", "urgency", "priority", "status", "assignee"))
        value: str = self._title()
        if part == "urgency":
            value = self.rng.choice(("high", "low"))
        elif part == "priority":
            value = self.rng.choice(PRIORITIES)
        elif part == "status":
            value = self.rng.choice(("triggered", "acknowledged", "resolved"))
        elif part == "assignee":
            value = self.rng.choice(list(USERS.values()))
        if self._allowed(there, row, part, value) and there.edit(row, part, value, by="PDEE"):
            self._say(f"{row.id} {part}: -> {value!r}")

    def _allowed(self, there: Elsewhere, row: Row, part: str, value: str) -> bool:
        if row.status == "resolved" and part != "status":
            return False
        return part != "priority" or there.has_priorities

    def deliver(self) -> None:
        index, there = self._side()
        if there.wire:
            at = 0 if self.rng.random() < 0.7 else self.rng.randrange(len(there.wire))
            self._hear(index, there.wire.pop(at))

    def deliver_again(self) -> None:
        index, there = self._side()
        if heard := [one for one in there.sent if one.heard]:
            self._hear(index, self.rng.choice(heard), again=self.count())

    def lose(self) -> None:
        _, there = self._side()
        if there.wire:
            lost = there.wire.pop(0)
            self._say(f"lost: {_named(lost)}")

    def _hear(self, index: int, delivery: Delivery, again: int = 0) -> None:
        delivery.heard = True
        body = self.there[index].sealed(delivery, again)
        envelope = TRANSLATIONS["pagerduty"].envelope(body)
        self._say(f"heard{' again' if again else ''}: {_named(delivery)}")
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

    def go_on(self) -> None:
        """One loop makes a few turns, or all of its step."""
        index, _ = self._side()
        crew = self.crews[index]
        name = self.rng.choice(("inbound", "outbound", "outbound", "drift"))
        turns = self.rng.choice((1, 2, 3, 4, 6, 10_000, 10_000))
        self._say(f"{name} of {self.there[index].name} goes on: {turns} turns")
        crew.go_on(name, turns)

    def crash(self) -> None:
        """The daemon dies, or (a ghost) is thought to be dead while it waits for an answer."""
        self._say("crash")
        if self.ghost:
            self.ghost.drop()
        self.ghost = None
        for crew in self.crews:
            step = crew.steps.get("outbound")
            if step and crew.road.answering and not self.ghost and self.rng.random() < 0.5:
                del crew.steps["outbound"]
                self.ghost = Crew(crew.account, crew.road, crew.loops, {"outbound": step})
            crew.drop()
        self.db.at_once(recover)
        self.crews = [self._crew(index) for index in range(len(self.there))]

    def configure(self) -> None:
        index, _ = self._side()
        given: dict[str, object] = {
            "sync_direction": self.rng.choice((Direction.BIDIRECTIONAL, *Direction)),
            "conflict_strategy": self.rng.choice(list(Strategy)),
        }
        del given[self.rng.choice(list(given))]
        self._change(index, given)

    def _change(self, index: int, given: dict[str, object]) -> None:
        self._say(f"{self.there[index].name}: {given}")
        changed = self.db.at_once(
            configure.change, f"int_{index}", given, webhook_secret=None, now=self.clock()
        )
        self.crews[index].account.integration = changed

    def rule(self) -> None:
        index, _ = self._side()
        field = self.rng.choice(SYNCED)
        rule = Rule(
            self.rng.choice(list(Side)), self.rng.choice((0, 0, 5)), self.rng.random() < 0.3
        )
        integration = integrations.get(self.db.conn, f"int_{index}")
        self._say(f"{self.there[index].name}: {field}: {rule}")
        try:
            self.db.at_once(rules.set_rule, integration, field, rule, now=self.clock())
        except UserError as error:
            self._say(str(error))

    def review(self) -> None:
        found = conflicts.page(self.db.conn, limit=50)
        if not found:
            return
        one = self.rng.choice(found)
        asked: dict[str, Any] = {"by": "boss@acme.example", "now": self.clock()}
        before = incidents.get(self.db.conn, one.incident_id)[one.field]
        way = self.rng.choice(("platform", "external", "other", "ignore"))
        try:
            if one.status != "pending":
                self._say(f"restore {one}")
                self.db.at_once(review.restore, one.id, **asked)
            elif way == "ignore":
                self._say(f"ignore {one}")
                self.db.at_once(review.ignore, one.id, **asked)
            elif way == "other":
                value = self._title() if one.field is Field.TITLE else before
                self._say(f"resolve {one} with {value!r}")
                self.db.at_once(review.resolve, one.id, use=None, value=value, **asked)
            else:
                self._say(f"resolve {one} with {way}")
                self.db.at_once(review.resolve, one.id, use=Side(way), **asked)
        except UserError as error:
            self._say(f"not: {error}")
            return
        after = incidents.get(self.db.conn, one.incident_id)[one.field]
        if after != before:
            self.edits.append(Edit(self.count(), one.incident_id, one.field, before, after))

    def another(self) -> None:
        self._declare() if self.rng.random() < 0.5 else self._appear()

    # --- how it ends

    def settle(self) -> None:
        """Faults stop; what was said is heard; everyone does what there is to do."""
        self._say("--- faults stop")
        if self.ghost:
            self._say("the ghost goes on")
            self.ghost.finish("outbound")
            self.ghost = None
        for index in range(len(self.there)):
            crew = self.crews[index]
            crew.road.trouble = 0.0
            for name in list(crew.steps):
                crew.finish(name)
            if self.rng.random() < 0.8:
                self._change(index, {"sync_direction": Direction.BIDIRECTIONAL})
        self._deliver_all()
        for _ in range(30):
            before = self.standing()
            self._work()
            if self.standing() == before and not self._owing():
                break

    def standing(self) -> list[str]:
        """All that stands on either side, and how often we wrote."""
        there = [f"{one.name}: {one.writes} writes" for one in self.there]
        rows = self.db.conn.execute(
            "SELECT incident_id, field, value FROM incident_fields ORDER BY incident_id, field"
        )
        known = {(row["incident_id"], row["field"]): row["value"] for row in rows}
        count = len({number for number, _ in known})
        return [*there, f"{count} incidents", *(f"{key}: {value!r}" for key, value in known.items())]

    def _owing(self) -> bool:
        return any(
            outbox.pending(self.db.conn, crew.account.id)[0]
            or inbox.count_pending(self.db.conn, crew.account.id)
            for crew in self.crews
        )

    def quiet(self) -> None:
        """Nothing new: looks, repeats, and time."""
        self._say("--- quiet")
        for _ in range(2):
            for index, there in enumerate(self.there):
                heard = [one for one in there.sent if one.heard]
                for delivery in self.rng.sample(heard, min(3, len(heard))):
                    # Told as another event, what was once not taken in would be, by now.
                    n, about = self.count(), delivery.body["event"]["data"]["id"]
                    linked = links.to(self.db.conn, f"int_{index}", about) is not None
                    self._hear(index, delivery, again=n if linked else 0)
            self._work()

    def _work(self) -> None:
        self.clock.at += 400_000  # longer than the longest wait
        for crew in self.crews:
            crew.finish("drift")
        for _ in range(200):
            moved = False
            for crew in self.crews:
                moved = crew.finish("inbound") or moved
                moved = crew.finish("outbound") or moved
            if not moved:
                return
        raise AssertionError("there is always something to do: the sides never come to rest")

    def _deliver_all(self) -> None:
        for index, there in enumerate(self.there):
            while there.wire:
                self._hear(index, there.wire.pop(0))

    def close(self) -> None:
        for crew in self.crews:
            crew.drop()
        if self.ghost:
            self.ghost.drop()
        give_back(self.db)

    # --- small things

    def _side(self) -> tuple[int, Elsewhere]:
        index = self.rng.randrange(len(self.there))
        return index, self.there[index]

    def _title(self) -> str:
        used = [edit.new for edit in self.edits if edit.field is Field.TITLE]
        for there in self.there:
            used += [line.new for line in there.lines if line.field is Field.TITLE]
        if used and self.rng.random() < 0.3:
            return str(self.rng.choice(used))
        gap = "  " if self.rng.random() < 0.1 else " "
        return f"t{gap}{self.count()}"

    def _say(self, what: str) -> None:
        self.told.append(f"{self.n:4} {self.clock.at - 1_800_000_000_000:9} {what}")


def _named(delivery: Delivery) -> str:
    event = delivery.body["event"]
    data = event["data"]
    shown = f"{data['title']!r} {data['urgency']} {data['priority'] and data['priority']['id']}"
    who = [one["id"] for one in data["assignees"]]
    return f"{event['event_type']} of {data['id']}: {shown} {data['status']} {who}"
