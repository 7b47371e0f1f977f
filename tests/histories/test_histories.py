"""The promises (no edit lost, no echo, no duplicate, both sides agree) under random histories.

`IMSYNC_HISTORIES` is how many there are (400). A failure names its seed; to tell its story:

    h = History(seed); h.run(); print(check(h)); print("\\n".join(h.told))
"""

import os

import pytest

from tests.histories.history import History
from tests.histories.oracle import check

COUNT = int(os.environ.get("IMSYNC_HISTORIES", "400"))
CHUNKS = 8  # so that several processes share them


@pytest.mark.timeout(0)  # the budget is whoever sets it
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_the_promises_hold(chunk: int) -> None:
    for seed in range(chunk, COUNT, CHUNKS):
        history = History(seed)
        history.run()
        found = check(history)
        assert not found, f"seed {seed}: {found}"
