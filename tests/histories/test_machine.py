"""The same world driven by Hypothesis, which shrinks what goes wrong to a short story.

Every draw of a history is Hypothesis' own, and what must never be is looked for between the
acts. It costs more than a seed does (`test_histories`); its worth is that a failure is told
as short as it can be. The story stands in the failure, and so does how to live it again:
`@reproduce_failure(...)` on `Story`.
"""

import os
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.histories import acts
from tests.histories.acts import Act
from tests.histories.history import History
from tests.histories.oracle import broken, check
from tests.histories.story import silence

SHARE = 10
"""One of so many histories is lived here; the others are seeded, and quicker."""

COUNT = int(os.environ.get("IMSYNC_HISTORIES", "2000")) // SHARE
CHUNKS = 2  # so that two processes share them


class Story(RuleBasedStateMachine):
    history: History | None = None
    failed = False

    @initialize(rng=st.randoms(use_true_random=False))
    def begin(self, rng: Random) -> None:
        with silence():
            self.history = acts.begin(rng)

    def do(self, act: Act) -> None:
        assert self.history is not None  # Hypothesis begins with `begin`
        self.failed = True
        try:
            with silence():
                acts.do(self.history, act)
        except Exception:
            note("\n".join(self.history.told))
            raise
        self.failed = False

    def on_the_way(self) -> bool:
        return self.history is not None and any(there.wire for there in self.history.there)

    @rule()
    def a_while(self) -> None:
        """Nothing happens. By its name it is what Hypothesis tries first, and leaves out first."""
        self.do(lambda history: None)

    # --- people here and there

    @rule()
    def edit_here(self) -> None:
        self.do(acts.edit_here)

    @rule()
    def edit_there(self) -> None:
        self.do(acts.edit_there)

    @rule()
    def race(self) -> None:
        self.do(acts.race)

    @rule()
    def one_more(self) -> None:
        self.do(acts.another)

    @rule()
    def configure(self) -> None:
        self.do(acts.configure)

    @rule()
    def set_rule(self) -> None:
        self.do(acts.rule)

    @precondition(lambda self: self.history and self.history.conflicts())
    @rule()
    def review(self) -> None:
        self.do(acts.review)

    # --- the wire

    @precondition(on_the_way)
    @rule()
    def deliver(self) -> None:
        self.do(acts.deliver)

    @precondition(on_the_way)
    @rule()
    def lose(self) -> None:
        self.do(acts.lose)

    @rule()
    def deliver_again(self) -> None:
        self.do(acts.deliver_again)

    # --- our side

    @rule()
    def inbound(self) -> None:
        self.do(acts.inbound)

    @rule()
    def outbound(self) -> None:
        self.do(acts.outbound)

    @rule()
    def outbound_again(self) -> None:
        self.do(acts.outbound)

    @rule()
    def drift(self) -> None:
        self.do(acts.drift)

    @rule()
    def crash(self) -> None:
        self.do(acts.crash)

    @rule()
    def switch(self) -> None:
        self.do(acts.switch)

    @rule()
    def lock(self) -> None:
        self.do(acts.lock)

    # --- what must be true

    @invariant()
    def nothing_is_broken(self) -> None:
        if self.history is not None:
            self.complain(broken(self.history))

    def teardown(self) -> None:
        if self.history is None:
            return
        try:
            if not self.failed:
                with silence():
                    self.complain(check(self.history))
        finally:
            self.history.close()

    def complain(self, found: list[str]) -> None:
        assert self.history is not None  # nobody else has anything to complain of
        if found:
            self.failed = True
            raise AssertionError("\n".join([*found, *self.history.told]))


@pytest.mark.timeout(0)  # the budget is whoever sets it
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_the_promises_hold(chunk: int) -> None:
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=max(1, COUNT // CHUNKS),
            stateful_step_count=40,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
