"""Every conflict that was decided by itself: by the right rule, and on the right times.

SEMANTICS 2 again, in as few words as it takes, from the conflict records, from the laws that
were in force when each was decided, and from when the edits really were made.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from imsync.core.covered import CUT
from imsync.core.fields import Field, Side
from imsync.core.merge import Direction, Rule, Strategy
from imsync.store import conflicts, links
from imsync.store.conflicts import Conflict
from tests.histories.history import History, Law
from tests.histories.pairs import Pair

NEXT = 50
"""How far (ms) from the truth a time may be besides: the clock moves whenever it is read."""


def wrong_winners(history: History, pairs: Sequence[Pair]) -> Iterator[str]:
    for number in sorted({pair.link.incident_id for pair in pairs}):
        of_it = [pair for pair in pairs if pair.link.incident_id == number]
        for one in conflicts.page(history.db.conn, limit=500, incident_id=number):
            pair = next((pair for pair in of_it if pair.link.id == one.link_id), None)
            if pair is None or one.resolved_by != "imsync" or one.winner is None:
                continue
            yield from _wrong_winner(history, one, pair)


def _wrong_winner(history: History, one: Conflict, pair: Pair) -> Iterator[str]:
    own = _in_force(history.laws[pair.index], one)
    others = [
        _in_force(history.laws[int(link.integration_id.removeprefix("int_"))], one)
        for link in links.of_incident(history.db.conn, one.incident_id)
        if link.id != one.link_id and link.created_at <= (one.resolved_at or 0)
    ]
    verdicts = [_rightful(one, law, rest) for law, *rest in product(own, *others)]
    if one.winner not in [winner for winner, _ in verdicts]:
        yield (
            f"winner: {one.winner} in {one.field} of link {one.link_id} ({one.because}):"
            f" {one.platform} against {one.external}, under {own[-1].strategy},"
            f" {own[-1].direction}, {own[-1].rules[one.field]}"
            f" and {[other[-1].rules[one.field] for other in others]}"
        )
    if any(by_time for _, by_time in verdicts):
        yield from _wrong_times(history, one, pair)


def _in_force(laws: Sequence[Law], one: Conflict) -> Sequence[Law]:
    """The law that it was decided by; if it was pending first, any since may have decided it."""
    first = max(nth for nth, law in enumerate(laws) if law.after < one.id)
    return laws[first : first + 1] if one.created_at == one.resolved_at else laws[first:]


def _rightful(one: Conflict, law: Law, others: Sequence[Law]) -> tuple[Side | None, bool]:
    """Who should have won, and whether when the edits were made decided that."""
    own = law.rules[one.field]
    if "offered for restoring" in one.because:
        return Side.PLATFORM, False
    if law.direction is Direction.NONE and "covered" in one.because:
        return Side.PLATFORM, False
    if law.direction is not Direction.BIDIRECTIONAL:
        way = {Direction.INBOUND: Side.EXTERNAL, Direction.OUTBOUND: Side.PLATFORM}
        return way.get(law.direction), False
    if own.strict:
        return own.owner, False
    owner = _owner(own, [other.rules[one.field] for other in others])
    if law.strategy is Strategy.OWNERSHIP_PRIORITY and owner is not None:
        return owner, False
    if law.strategy is Strategy.MANUAL_REVIEW:
        return None, False
    if one.platform.at == one.external.at:
        return owner or own.owner, True
    return Side.PLATFORM if one.platform.at > one.external.at else Side.EXTERNAL, True


def _owner(own: Rule, others: Sequence[Rule]) -> Side | None:
    """Whose the field is by the rules of all integrations; None where they say it of several."""
    highest = max(rule.priority for rule in (own, *others))
    owners = {
        "here" if rule.owner is Side.PLATFORM else f"there {index}"
        for index, rule in enumerate((own, *others))
        if rule.priority == highest
    }
    if len(owners) > 1:
        return None
    return Side.EXTERNAL if owners == {"there 0"} else Side.PLATFORM


def _wrong_times(history: History, one: Conflict, pair: Pair) -> Iterator[str]:
    """An edit's time is when it was made: cut to its second, at worst, where the log tells it."""
    there, row = history.there[pair.index], pair.row
    theirs = [
        line.at
        for line in there.lines
        if (line.external_id, line.field, line.new) == (row.id, one.field, one.external.value)
    ]
    if one.field is Field.ASSIGNED_TO:
        again = there.said_again
        theirs += [at for id_, who, at in again if (id_, who) == (row.id, one.external.value)]
    if one.platform.at > one.external.at > min(theirs, default=one.external.at):
        return  # it was seen, and dated by that, before anything turned on it: it is earlier still
    if theirs and not any(at - CUT - NEXT <= one.external.at <= at + NEXT for at in theirs):
        yield (
            f"time: {one.external} in {one.field} of link {one.link_id}"
            f" really was at {theirs} ({one.because})"
        )
