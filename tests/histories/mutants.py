"""Rules broken on purpose, each by one small change to a real function: the test of the test.

Histories that notice none of these would prove nothing. The first are those of the model in
the design (each rule there earned its place: left out, edits are lost); the others break what
the strategies, the base, the clocks and the leases are for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from imsync.connectors.pagerduty import log, webhooks
from imsync.connectors.pagerduty.reading import moment_at
from imsync.core import merge, plan
from imsync.core.fields import Base, Field, Instant
from imsync.core.merge import Decision, Strategy, Terms, Verdict
from imsync.engine import (
    carry_out,
    inbound,
    linking,
    log_feed,
    observe,
    settling,
    sweeping,
    writing,
)
from imsync.store import conflicts, inbox, incidents, links, outbox, writes

Break = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """`kinds`: what the oracle should complain of; `seeds`: where it does so early."""

    name: str
    breaks: Break
    kinds: Sequence[str]
    seeds: Sequence[int] = ()

    @contextmanager
    def at_large(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            self.breaks(patch)
            yield


def no_late(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks whether a write covered an edit."""
    patch.setattr(observe, "uncover", _nothing)
    patch.setattr(log_feed, "uncover", _nothing)


def no_look(patch: pytest.MonkeyPatch) -> None:
    """What is owed is written, whatever the look before it shows."""
    patch.setattr(writing, "look", lambda conn, claim, snapshot, *, now: claim.fields)


def settle_on_stale(patch: pytest.MonkeyPatch) -> None:
    """What was seen before the edit proves that the sides agree after it."""

    def decide(base: Any, platform: Any, external: Any, *rest: Any) -> Decision:
        since = Instant(max(external.as_of, platform.at + 1))
        return merge.decide(base, platform, replace(external, as_of=since), *rest)

    patch.setattr(plan, "decide", decide)


def value_only(patch: pytest.MonkeyPatch) -> None:
    """Setting a value back to what it was is no edit."""

    def decide(base: Base, platform: Any, *rest: Any) -> Decision:
        return merge.decide(replace(base, at=platform.at), platform, *rest)

    patch.setattr(plan, "decide", decide)


def no_worker(patch: pytest.MonkeyPatch) -> None:
    """Deliveries and looks do not wait for the outcome of a write."""

    def take(conn: Any, integration_id: str, *, now: Instant) -> inbox.Delivery | None:
        row = conn.execute(
            "UPDATE inbox SET attempt = attempt + 1 WHERE id = (SELECT MIN(id) FROM inbox"
            " WHERE integration_id = ? AND state = 'pending' AND due_at <= ?) RETURNING id,"
            " integration_id, event_type, external_id, incident_key, body, received_at, attempt",
            (integration_id, now),
        ).fetchone()
        return inbox.Delivery(*row) if row else None

    patch.setattr(inbox, "take", take)
    for flow in (inbound, sweeping):
        patch.setattr(flow, "crosses_a_write", lambda *_, **__: False)
    patch.setattr(sweeping, "outbox", SimpleNamespace(owed=lambda *_: {}, hurry=outbox.hurry))
    patch.setattr(sweeping, "writes", SimpleNamespace(unsettled=lambda *_: []))


def no_settle(patch: pytest.MonkeyPatch) -> None:
    """A write that nobody answered is taken not to have been carried out."""

    def settle(conn: Any, doubted: Any, changes: Any, *, now: Instant) -> None:
        writes.give_up(conn, doubted[0].link_id)

    patch.setattr(settling, "settle", settle)


def first_write_wins(patch: pytest.MonkeyPatch) -> None:
    """The comparison of times is flipped."""
    _both(patch, lambda platform, external: (external.at, platform.at))


def _both(patch: pytest.MonkeyPatch, times: Callable[[Any, Any], tuple[Instant, Instant]]) -> None:
    real = merge.both

    def both(platform: Any, external: Any, terms: Terms) -> Decision:
        at, other = times(platform, external)
        return real(replace(platform, at=at), replace(external, at=other), terms)

    patch.setattr(merge, "both", both)
    patch.setattr(observe, "both", both)


def ownerless(patch: pytest.MonkeyPatch) -> None:
    """Ownership decides no conflict: whoever was last does."""
    real = merge.both

    def both(platform: Any, external: Any, terms: Terms) -> Decision:
        owned = terms.strategy is Strategy.OWNERSHIP_PRIORITY
        return real(
            platform,
            external,
            replace(terms, strategy=Strategy.LAST_WRITE_WINS) if owned else terms,
        )

    patch.setattr(merge, "both", both)
    patch.setattr(observe, "both", both)


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """A strict rule is one like any other."""
    real = merge.between

    def between(claimants: Any, terms: Terms) -> Terms:
        agreed = real(claimants, terms)
        return replace(agreed, rule=replace(agreed.rule, strict=False))

    patch.setattr(carry_out, "between", between)


def no_priority(patch: pytest.MonkeyPatch) -> None:
    """Each integration goes by its own rules, whatever the others' say and weigh."""
    patch.setattr(carry_out, "between", lambda claimants, terms: terms)


def no_offset(patch: pytest.MonkeyPatch) -> None:
    """Their clock is taken to be ours."""

    def read(of: Any, key: str, *, offset: int) -> Instant:
        return moment_at(of, key, offset=0)

    patch.setattr(log, "moment_at", read)
    patch.setattr(webhooks, "moment_at", read)


def no_base(patch: pytest.MonkeyPatch) -> None:
    """What was settled or adopted is not remembered as agreed."""
    for name in ("_settle", "adopt"):
        patch.setattr(carry_out, name, _forgetting_the_base(getattr(carry_out, name)))


def _forgetting_the_base(real: Callable[..., None]) -> Callable[..., None]:
    def work(*given: Any, **named: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(links, "set_base", _nothing)
            real(*given, **named)

    return work


def blind_confirm(patch: pytest.MonkeyPatch) -> None:
    """A confirmed write stands for whatever the value is by now."""
    real = writing.agree

    def agree(conn: Any, write: Any, there: Any, *, as_of: Instant) -> None:
        incident = incidents.get(conn, links.get(conn, write.link_id).incident_id)
        real(conn, replace(write, edit=incident.edits[write.field]), there, as_of=as_of)

    patch.setattr(writing, "agree", agree)
    patch.setattr(settling, "agree", agree)


def echo(patch: pytest.MonkeyPatch) -> None:
    """What was adopted is owed, and what is owed is written."""
    adopt = carry_out.adopt

    def owing(conn: Any, view: Any, field: Field, *, now: Instant) -> None:
        adopt(conn, view, field, now=now)
        outbox.owe(conn, view.link.id, field, handicap=0, now=now)

    def decided(conn: Any, link_id: int) -> Mapping[Field, Any]:
        push = Decision(Verdict.PUSH, "it was adopted")
        return dict.fromkeys(carry_out.decided(conn, link_id), push)

    patch.setattr(carry_out, "adopt", owing)
    patch.setattr(writing, "decided", decided)


def no_loser(patch: pytest.MonkeyPatch) -> None:
    """Of a conflict that a strategy decided, nothing is kept."""
    real = conflicts.record

    def record(*given: Any, winner: Any, **named: Any) -> None:
        if winner is None:
            real(*given, winner=winner, **named)

    patch.setattr(conflicts, "record", record)


def late_is_now(patch: pytest.MonkeyPatch) -> None:
    """A delivery is believed, however old what it shows is."""

    def believe(conn: Any, link_id: int, snapshot: Any, *, now: Instant) -> None:
        observe.observe(conn, link_id, replace(snapshot, as_of=now), now=now)

    patch.setattr(inbound, "observe", believe)


def never_ours(patch: pytest.MonkeyPatch) -> None:
    """What an attempt of ours created is not recognised."""
    patch.setattr(linking, "ours", lambda found, link: None)


def _nothing(*given: Any, **named: Any) -> None:
    """Instead of what should be done."""


MUTANTS = (
    Mutant("no-late", no_late, ["lost"], [33, 59]),
    Mutant("no-look", no_look, ["echo"], [8]),
    Mutant("settle-on-stale", settle_on_stale, ["lost"], [22]),
    Mutant("value-only", value_only, ["lost"], [9]),
    Mutant("no-worker", no_worker, ["lost", "differ", "echo", "blind", "winner"], [158, 294]),
    Mutant("no-settle", no_settle, ["lost"], [251, 271]),
    Mutant("first-write-wins", first_write_wins, ["winner"], [8]),
    Mutant("ownerless", ownerless, ["winner"], [10]),
    Mutant("no-fence", no_fence, ["winner"], [39]),
    Mutant("no-priority", no_priority, ["winner"], [52]),
    Mutant("no-offset", no_offset, ["time", "winner"], [16]),
    Mutant("no-base", no_base, ["base"]),
    Mutant("blind-confirm", blind_confirm, ["differ", "lost"], [33]),
    Mutant("echo", echo, ["echo"]),
    Mutant("no-loser", no_loser, ["lost"]),
    Mutant("late-is-now", late_is_now, ["lost", "differ", "echo"]),
    Mutant("never-ours", never_ours, ["double"], [118]),
)
