"""The same seed is the same story, byte for byte: a failure can be looked at again and again."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.simulation.story import live

ROOT = Path(__file__).parents[2]
_TELL = (
    "import sys; from hashlib import sha256; from tests.simulation.story import live;"
    "print(sha256('\\n'.join(live(int(sys.argv[1]), traced=True).trace).encode()).hexdigest())"
)


def digest(seed: int) -> str:
    return sha256("\n".join(live(seed, traced=True).trace).encode()).hexdigest()


@pytest.mark.parametrize("seed", [2, 5, 11])
def test_told_twice(seed: int) -> None:
    first = live(seed, traced=True).trace
    assert len(first) > 100
    assert live(seed, traced=True).trace == first


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_told_by_another_process_that_orders_its_sets_otherwise(hash_seed: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _TELL, "70"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == digest(70)  # two fields of one edit were sent in a set's order


def test_another_seed_is_another_story() -> None:
    assert digest(2) != digest(3)
