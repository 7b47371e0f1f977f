"""The engine broken on purpose, each time by one small change: the test of the test.

Three are those of the histories, met here by the whole daemon; the others break what only a
whole daemon has: commits, the answer to a delivery, a create that is tried again.

The fence of the leases (`outbox._HELD`) is not among them, for without it no story ends
otherwise: one process sends on a link at a time, the lock file sees to it that there is one,
and whatever a lost lease confirms too late the next look sets right. That whoever lost the
lease has no say is shown where it is decided, in `tests/store/test_outbox.py`; the other
fence, the strict rule's, is a mutant of the histories.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from imsync.core.fields import Instant
from imsync.engine import linking, writing
from imsync.engine.sending import Sender
from imsync.store import inbox, outbox, writes
from tests.histories.mutants import Mutant, no_late, no_worker, settle_on_stale
from tests.simulation.disk import SimulatedDatabase


def confirm_first(patch: pytest.MonkeyPatch) -> None:
    """What is written counts as carried out when its request leaves."""
    real = writing.prepare

    def prepare(conn: Any, claim: Any, snapshot: Any, *, now: Instant) -> list[writing.Batch]:
        batches = real(conn, claim, snapshot, now=now)
        for batch in batches:
            outbox.settle(conn, claim, batch.writes)
            for write in batch.writes.values():
                writes.landed(conn, write.id, now)
                writing.agree(conn, write, write.value, as_of=now)
        return batches

    patch.setattr(writing, "prepare", prepare)


def answer_first(patch: pytest.MonkeyPatch) -> None:
    """A delivery is answered with 202 before it is committed."""
    real = SimulatedDatabase.run

    async def run(db: Any, work: Any, *given: Any, **named: Any) -> Any:
        if work is not inbox.put:
            return await real(db, work, *given, **named)
        going = asyncio.get_running_loop().create_task(real(db, work, *given, **named))
        going.add_done_callback(lambda task: task.cancelled() or task.exception())
        return True

    patch.setattr(SimulatedDatabase, "run", run)


def no_look_for_it(patch: pytest.MonkeyPatch) -> None:
    """What may have been created already is created again."""

    async def find(sender: Any, link: Any) -> tuple[str, None]:
        return linking.keys_of(link)[0], None

    patch.setattr(Sender, "find", find)


MUTANTS: Sequence[Mutant] = (
    Mutant("confirm-first", confirm_first, ["lost", "differ"], [51]),
    Mutant("no-late", no_late, ["lost"], [16]),
    Mutant("settle-on-stale", settle_on_stale, ["lost"], [253]),
    Mutant("no-worker", no_worker, ["lost", "differ", "echo", "note"]),
    Mutant("answer-first", answer_first, ["unkept"], [125]),
    Mutant("no-look-for-it", no_look_for_it, ["double", "differ"], [133]),
)
