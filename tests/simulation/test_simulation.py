"""The promises, kept by the whole daemon in virtual time, whatever happens.

`IMSYNC_SEEDS` is how many stories there are. One that fails names its seed; again, and told:

    python -m tests.simulation SEED
"""

import os

import pytest

from tests.simulation.story import live

COUNT = int(os.environ.get("IMSYNC_SEEDS", "120"))
CHUNKS = 8  # so that several processes share them

KEPT = (
    47, 127, 300, 524, 535, 629, 942, 975, 1066,
    1421, 1425, 1467, 2729, 3129, 3185, 3270, 5148, 8015,
)  # fmt: skip
"""What once failed, for a reason of the engine's or of the oracle's: it must not again."""


@pytest.mark.timeout(0)  # the budget is whoever sets it
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_nothing_is_lost(chunk: int) -> None:
    for seed in range(chunk, COUNT, CHUNKS):
        story = live(seed)
        assert not story.complaints, story.told()


@pytest.mark.parametrize("seed", KEPT)
def test_what_once_went_wrong(seed: int) -> None:
    story = live(seed)
    assert not story.complaints, story.told()
