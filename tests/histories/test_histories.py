"""The promises (no edit lost, no echo, no duplicate, both sides agree) under random histories.

`IMSYNC_HISTORIES` is how many there are. A failure names its seed and tells its story; again:

    python -m tests.histories SEED
"""

import os

import pytest

from tests.histories.story import complaints

COUNT = int(os.environ.get("IMSYNC_HISTORIES", "2000"))
CHUNKS = 8  # so that several processes share them


@pytest.mark.timeout(0)  # the budget is whoever sets it
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_the_promises_hold(chunk: int) -> None:
    for seed in range(chunk, COUNT, CHUNKS):
        assert not (found := complaints(seed)), "\n".join(found)
