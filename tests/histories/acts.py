"""What happens in a history, drawn: how it begins, what people do and what goes wrong, how it ends.

Every draw comes from the history's own `rng`: seeded, or handed by Hypothesis, whose draws
shrink towards the first of several choices.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from imsync.core.fields import Field, Severity, Side, Status, Value
from imsync.core.merge import Direction, Rule, Strategy
from imsync.store import incidents, links
from tests.histories.elsewhere import PARTS, POLICIES, PRIORITIES, USERS, Elsewhere, Row, chance
from tests.histories.here import drive
from tests.histories.history import LONG, History

PEOPLE = (*USERS, "ghost@nowhere.example")
NAMED_POLICIES = (*POLICIES, "Nobody's")

Act = Callable[[History], None]


def begin(rng: Random) -> History:
    """One or two accounts, an incident or two; most stories begin when the sides agree."""
    trouble, attempts = rng.choice((0.0, 0.0, 0.05, 0.2)), rng.choice((50, 50, 50, 3))
    h = History(rng, max_attempts=attempts)
    for _ in range(rng.choice((1, 1, 1, 2))):
        _connect(h)
    h.clock.at += 2_000
    h.fields = rng.sample(list(Field), rng.choice((1, 2, 2, 3, 6)))
    for _ in range(rng.choice((1, 1, 2))):
        another(h)
    if not chance(rng, 0.3):
        h.rest()
    h.trouble = trouble
    for crew in h.crews:
        crew.road.trouble = trouble
    return h


def _connect(h: History) -> None:
    rng = h.rng
    h.connect(
        rng.choice(list(Strategy)),
        skew=rng.choice((0, 0, 0, -4_321, 7_654, 60_000)),
        has_priorities=chance(rng, 0.5),
        cuts_seconds=not chance(rng, 0.3),
        unacknowledges=not chance(rng, 0.2),
        order=rng.sample(tuple(PARTS), len(PARTS)) if chance(rng, 0.3) else tuple(PARTS),
    )
    if not chance(rng, 0.2):
        drive(h.crews[-1].account.load_priorities())


def live(h: History) -> None:
    """Some dozens of acts."""
    for _ in range(h.rng.randint(10, 60)):
        do(h, h.rng.choices(*_CHANCES)[0])


def do(h: History, act: Act) -> None:
    passes = h.rng.choice((3, 40, 300, 1_000, 3_000, 10_000, LONG))
    if passes == LONG:  # no step takes so long
        for index in range(len(h.crews)):
            h.finish_steps(index)
    h.clock.at += passes
    act(h)


# People here and there.


def edit_here(h: History) -> None:
    numbers = [row["id"] for row in h.db.conn.execute("SELECT id FROM incidents ORDER BY id")]
    if not numbers:
        return
    number, field = h.rng.choice(numbers), h.rng.choice(h.fields)
    before = [one.old for one in h.edits if (one.number, one.field) == (number, field) and one.old]
    if before and chance(h.rng, 0.2):
        h.set(number, field, before[-1])  # as it was
    else:
        h.set(number, field, _value(h, field))


def _value(h: History, field: Field) -> Value:
    match field:
        case Field.TITLE:
            return _title(h)
        case Field.DESCRIPTION:
            return h.rng.choice((f"d {h.count()}", f"d {h.count()}", None))
        case Field.SEVERITY:
            return h.rng.choice(list(Severity)).value
        case Field.STATUS:
            return h.rng.choice(list(Status)).value
        case Field.ASSIGNED_TO:
            return h.rng.choice((*PEOPLE, None))
        case Field.ESCALATION_POLICY:
            return h.rng.choice((*NAMED_POLICIES, None))


def _title(h: History) -> str:
    gap = "  " if chance(h.rng, 0.1) else " "
    n = h.count()
    return f"t{gap}{h.rng.randint(1, n) if chance(h.rng, 0.3) else n}"


def edit_there(h: History) -> None:
    index, there = _side(h)
    if there.rows:
        _edit_there(h, index, h.rng.choice(list(there.rows.values())))


def _edit_there(h: History, index: int, row: Row) -> None:
    parts = [part for part, field in PARTS.items() if field in h.fields]
    part = h.rng.choice(parts or list(PARTS))
    if row.status == "resolved" and part != "status":
        return
    before = [
        line.old
        for line in h.there[index].lines
        if (line.external_id, line.field) == (row.id, PARTS[part]) and line.old
    ]
    if before and part not in ("urgency", "priority") and chance(h.rng, 0.3):
        h.edit(index, row, part, before[-1])  # as it was
    elif values := _values_there(h, h.there[index])[part]:
        h.edit(index, row, part, h.rng.choice(values))


def _values_there(h: History, there: Elsewhere) -> Mapping[str, Sequence[str]]:
    return {
        "title": [_title(h)],
        "urgency": ["high", "low"],
        "priority": PRIORITIES if there.has_priorities else [],
        "policy": list(POLICIES.values()),
        "assignee": list(USERS.values()),
        "status": ["triggered", "acknowledged", "resolved"],
    }


def race(h: History) -> None:
    """Things happen while we are about to write, or have just written, and nobody knows it yet."""
    index, there = _side(h)
    stop = h.rng.choice(("looked", "written", "anywhere"))
    if stop == "looked":
        h.look_only(index)
    elif stop == "written":
        h.write_unheard(index)
    else:
        h.go_on(index, "outbound", h.rng.randint(1, 20))
    for _ in range(h.rng.choice((1, 1, 2, 3))):
        if there.rows:
            _edit_there(h, index, h.rng.choice(list(there.rows.values())))
        meanwhile = h.rng.choice((None, "here", "told", "told", "looked", "crash"))
        if meanwhile == "here":
            edit_here(h)
        elif meanwhile == "told" and there.wire:
            h.hear(index, there.wire.pop())
            h.go_on(index, "inbound", 10_000)
        elif meanwhile == "looked":
            h.go_on(index, "drift", 10_000)
        elif meanwhile == "crash":
            crash(h)


def another(h: History) -> None:
    """One more incident, here or there."""
    if not chance(h.rng, 0.4):
        values: dict[str, Value] = {
            "title": _title(h),
            "severity": h.rng.choice(list(Severity)).value,
            "assigned_to": h.rng.choice((None, None, *PEOPLE)),
            "escalation_policy": h.rng.choice((None, None, None, *NAMED_POLICIES)),
            "description": h.rng.choice((None, "d 0")),
        }
        h.declare(**values)
    else:
        urgency, policy = h.rng.choice(("high", "low")), h.rng.choice(list(POLICIES.values()))
        h.appear(_side(h)[0], _title(h), urgency=urgency, policy=policy)


def review(h: History) -> None:
    """Somebody answers a conflict, or wants back what lost in one."""
    if not (found := h.conflicts()):
        return
    one = h.rng.choice(found)
    if one.status != "pending":
        h.answer(one, "restore")
        return
    way = h.rng.choice(("platform", "external", "other", "ignore"))
    value = incidents.get(h.db.conn, one.incident_id)[one.field]
    if one.field is Field.TITLE:
        value = _title(h)
    h.answer(one, way, value if way == "other" else None)


def rule(h: History) -> None:
    owner, priority = h.rng.choice(list(Side)), h.rng.choice((0, 0, 5))
    strict = chance(h.rng, 0.3)
    h.rule(_side(h)[0], h.rng.choice(h.fields), Rule(owner, priority, strict))


def configure(h: History) -> None:
    if chance(h.rng, 0.5):
        direction = h.rng.choice((Direction.BIDIRECTIONAL, *Direction))
        h.change(_side(h)[0], sync_direction=direction)
    else:
        h.change(_side(h)[0], conflict_strategy=h.rng.choice(list(Strategy)))


# The wire.


def deliver(h: History) -> None:
    """The next delivery arrives, or one that has overtaken it."""
    index, there = _side(h)
    if there.wire:
        at = h.rng.randrange(len(there.wire)) if chance(h.rng, 0.3) else 0
        h.hear(index, there.wire.pop(at))


def deliver_again(h: History) -> None:
    index, there = _side(h)
    if heard := [one for one in there.sent if one.heard]:
        h.hear(index, h.rng.choice(heard), again=h.count())


def lose(h: History) -> None:
    _, there = _side(h)
    if there.wire:
        h.say(f"lost: {there.wire.pop(0)}")


# Our side.


def go_on(h: History) -> None:
    """One loop makes a few turns, or all of its step."""
    h.rng.choice((outbound, outbound, outbound, inbound, drift))(h)


def inbound(h: History) -> None:
    _go_on(h, "inbound")


def outbound(h: History) -> None:
    _go_on(h, "outbound")


def drift(h: History) -> None:
    _go_on(h, "drift")


def _go_on(h: History, name: str) -> None:
    h.go_on(_side(h)[0], name, h.rng.choice((10_000, 10_000, 3, 5, 8, 1, 2)))


def crash(h: History) -> None:
    h.crash(ghost=chance(h.rng, 0.5))


def switch(h: History) -> None:
    """An integration is disabled, or enabled again."""
    index, _ = _side(h)
    h.enable(index, index in h.idle, patient=not chance(h.rng, 0.3))


def lock(h: History) -> None:
    """Our token is refused, or good again."""
    _, there = _side(h)
    there.shut = not there.shut
    h.say(f"{there.name} {'refuses our token' if there.shut else 'lets us in again'}")


ACTS: Mapping[Act, float] = {
    edit_here: 0.18,
    edit_there: 0.18,
    deliver: 0.10,
    deliver_again: 0.03,
    lose: 0.03,
    go_on: 0.28,
    race: 0.12,
    crash: 0.03,
    configure: 0.02,
    rule: 0.02,
    review: 0.03,
    another: 0.01,
    switch: 0.01,
    lock: 0.01,
}
"""Everything that may happen, and how often."""

_CHANCES = list(ACTS), list(ACTS.values())


# How it ends.


def settle(h: History) -> None:
    """Faults stop; what was said is heard; everyone does what there is to do."""
    h.say("--- faults stop")
    if h.ghost:
        h.say("the ghost goes on")
        h.ghost.finish("outbound")
        h.ghost = None
    h.trouble = 0.0
    for index, there in enumerate(h.there):
        there.shut, h.crews[index].road.trouble = False, 0.0
        h.finish_steps(index)
        if index in h.idle:
            h.enable(index, True)
        if not chance(h.rng, 0.2):
            h.change(index, sync_direction=Direction.BIDIRECTIONAL)
    h.rest()


def quiet(h: History) -> None:
    """Nothing new: looks, repeats, and time."""
    h.say("--- quiet")
    for _ in range(h.rng.choice((1, 1, 2))):
        for index, there in enumerate(h.there):
            heard = [one for one in there.sent if one.heard]
            for delivery in h.rng.sample(heard, min(3, len(heard))):
                # Told as another event, what was once not taken in would be, by now.
                linked = links.to(h.db.conn, f"int_{index}", delivery.about) is not None
                h.hear(index, delivery, again=h.count() if linked else 0)
        h.work()


def _side(h: History) -> tuple[int, Elsewhere]:
    index = h.rng.randrange(len(h.there))
    return index, h.there[index]
