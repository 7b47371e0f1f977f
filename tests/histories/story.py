"""One seed, one history: lived to its end, and told if there is something to complain of."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.histories import acts
from tests.histories.history import Restless
from tests.histories.oracle import check

log = logging.getLogger(__name__)


def complaints(seed: int) -> list[str]:
    """What is not as it should be after that seed's history, and then its story; or nothing."""
    found, told = live(seed)
    return [*found, *told, f"again: python -m tests.histories {seed}"] if found else []


def live(seed: int) -> tuple[list[str], list[str]]:
    """Live that seed's history: what is not as it should be after it, and its story."""
    history = acts.begin(Random(seed))
    try:
        with silence():
            acts.live(history)
            return check(history), history.told
    except Restless as error:
        return [f"unrest: {error}"], history.told
    except Exception as error:  # whatever a history comes upon is worth its story
        log.exception("seed %d", seed)
        return [f"bug: {type(error).__name__}: {error}"], history.told
    finally:
        history.close()


@contextmanager
def silence() -> Iterator[None]:
    """Faults are what histories are made of: nobody needs a line in the log for each."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
