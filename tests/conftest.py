"""What tests of every folder share: connections, clocks, databases. No mocks of our own code."""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

from imsync.core.fields import Instant
from imsync.store import schema
from imsync.store.database import Database
from imsync.store.sealing import Keyed

# How many examples each property is tried with: more, and others each time, where somebody has
# time for them; the same ones otherwise, so that the tests say the same of the same code.
settings.register_profile(
    "imsync",
    max_examples=int(os.environ.get("EXAMPLES", "100")),
    derandomize="EXAMPLES" not in os.environ,
    deadline=None,
)
settings.load_profile("imsync")


class Clock:
    """A clock that the test moves. It reads a little later each time it is read."""

    def __init__(self, at: int = 1_800_000_000_000) -> None:
        self.at = at

    async def sleep(self, seconds: float) -> None:
        self.at += round(seconds * 1000)

    def __call__(self) -> Instant:
        self.at += 1
        return Instant(self.at)


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have an imsync of their own, and settings for it."""
    for name in [name for name in os.environ if name.startswith("IMSYNC_")]:
        if name not in ("IMSYNC_HISTORIES", "IMSYNC_SEEDS"):
            monkeypatch.delenv(name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    """A database in memory, with the schema of now."""
    conn = sqlite3.connect(":memory:", isolation_level=None, factory=Keyed)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA foreign_keys = ON")
    schema.upgrade(conn)
    yield conn
    conn.close()


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    db = await Database.open(":memory:")
    yield db
    await db.close()
