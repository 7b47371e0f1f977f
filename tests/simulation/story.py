"""One seed, one story: lived to its end, and told if there is something to complain of."""

import asyncio
import gc
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from aiohttp import connector, web_app

from tests.simulation import losses, oracle
from tests.simulation.disk import give_back
from tests.simulation.loop import VirtualLoop
from tests.simulation.world import Counts, World, nobody


@dataclass(slots=True)
class Story:
    seed: int
    complaints: list[str] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    trace: list[str] = field(default_factory=list)

    def told(self) -> str:
        again = f"again: python -m tests.simulation {self.seed}"
        return "\n".join([f"seed {self.seed}:", *self.complaints, again])


def live(seed: int, *, traced: bool = False) -> Story:
    """Live that seed's story, and see whether all is as it should be.

    What the killed have begun and will never do is cleared away here, not in the middle of
    whatever comes next.
    """
    story = _lived(seed, traced=traced)
    web_app._cached_build_middleware.cache_clear()  # it holds on to a thousand daemons
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
    return story


def _lived(seed: int, *, traced: bool) -> Story:
    story = Story(seed)
    loop = VirtualLoop(Random(f"order {seed}"))
    with _in_its_own_time(loop):
        worlds = list[World]()
        try:
            loop.run_until_complete(_live(story, loop, worlds, traced=traced))
        except Exception as error:  # whatever a story comes upon is worth telling
            story.trace += traceback.format_exc().splitlines()
            story.complaints.append(f"bug: {type(error).__name__}: {error}")
        finally:
            for world in worlds:
                world.hush()
            _put_away(loop)
            for world in worlds:
                give_back(world.conn)
    return story


async def _live(story: Story, loop: VirtualLoop, worlds: list[World], *, traced: bool) -> None:
    say = story.trace.append if traced else nobody
    world = World(story.seed, loop, say, oracle.differences)
    worlds.append(world)
    story.counts = world.counts
    await world.live()
    found = story.complaints
    found += oracle.unconverged(world)
    found += losses.lost(world)
    before = world.standing()
    await world.quiet(world.settings.sweep_interval * 2.5)
    found += oracle.echoes(before, world.standing())
    found += [
        *oracle.unkept(world),
        *oracle.doubles(world),
        *oracle.limits(world),
        *oracle.bugs(world),
        *(f"openapi: {one}" for there in world.there for one in there.witness.complaints),
    ]
    world.sum_up()
    await world.end()


@contextmanager
def _in_its_own_time(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """aiohttp counts how long a connection is idle on the machine's clock, but for this.

    Nor may the garbage collector find what a killed daemon left: its `finally` would run.
    """
    gc.disable()
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            patch.setattr(connector, "monotonic", loop.time)
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        gc.enable()


def _put_away(loop: asyncio.AbstractEventLoop) -> None:
    """Let go of the tasks of those who were killed, now that nothing they do can matter."""
    loop.set_exception_handler(lambda *_: None)
    asyncio.set_event_loop(loop)  # for what a `finally` begins: another would keep it for ever
    done = set[asyncio.Task[Any]]()
    while left := asyncio.all_tasks(loop) - done:
        for task in left:
            held: Any = task
            held._log_destroy_pending = False
            coroutine: Any = task.get_coro()
            while coroutine.cr_frame is not None:  # until it has waited in every `finally` it has
                with suppress(BaseException):
                    coroutine.close()
        done |= left
    asyncio.set_event_loop(None)
    loop.close()
