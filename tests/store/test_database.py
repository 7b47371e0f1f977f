"""Units of work: whole or not at all, one after the other, several to a commit."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from imsync.errors import UserError
from imsync.store import lock
from imsync.store.database import Connection, Database, DatabaseError, remedy
from tests.store.rows import some_incidents


def make(conn: Connection) -> None:
    conn.execute("CREATE TABLE notes (text TEXT NOT NULL CHECK (text <> 'bad')) STRICT")


def add(conn: Connection, text: str) -> int:
    conn.execute("INSERT INTO notes VALUES ('half')")
    conn.execute("UPDATE notes SET text = ? WHERE text = 'half'", (text,))
    return len(text)


def notes(conn: Connection) -> list[str]:
    return [row["text"] for row in conn.execute("SELECT text FROM notes ORDER BY rowid")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "im.db"


async def test_a_unit_is_kept_whole_and_answers(path: Path) -> None:
    db = await Database.open(path)
    await db.run(make)
    assert await db.run(add, "one") == 3
    await db.close()

    again = await Database.open(path)
    assert await again.read(notes) == ["one"]
    await again.close()


async def test_a_unit_that_fails_is_undone_alone(path: Path) -> None:
    db = await Database.open(path)
    await db.run(make)
    outcomes = await asyncio.gather(
        db.run(add, "one"), db.run(add, "bad"), db.run(add, "two"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [int, sqlite3.IntegrityError, int]
    assert await db.read(notes) == ["one", "two"]
    await db.close()


async def test_units_that_queue_share_a_commit(path: Path) -> None:
    db = await Database.open(path)
    await db.run(make)
    commits = 0

    def watch(conn: Connection) -> None:
        def count(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        conn.set_trace_callback(count)

    await db.run(watch)
    await asyncio.gather(*(db.run(add, str(number)) for number in range(200)))
    assert await db.read(notes) == [str(number) for number in range(200)]
    assert 1 <= commits <= 10
    await db.close()


async def test_a_caller_who_went_away_stops_nobody(path: Path) -> None:
    db = await Database.open(path)
    await db.run(make)
    leaving = asyncio.create_task(db.run(add, "left"))
    await asyncio.sleep(0)
    leaving.cancel()
    await db.run(add, "stayed")
    assert "stayed" in await db.read(notes)
    assert not await db.run(lambda conn: conn.in_transaction is False)
    await db.close()


async def test_what_nobody_waits_for_any_more_is_neither_done_nor_remembered(path: Path) -> None:
    db = await Database.open(path)
    await db.run(make)
    let_go, begun = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        let_go.wait(timeout=10)

    holding = asyncio.create_task(db.run(hold))
    await asyncio.to_thread(begun.wait)
    large = type("Large", (), {})()
    gone = weakref.ref(large)
    leaving = asyncio.create_task(db.run(lambda conn, large: add(conn, str(large)), large))
    del large
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    del leaving
    remembered = gone() is not None  # while the file is held
    let_go.set()
    await holding
    assert (remembered, await db.read(notes)) == (False, [])
    await db.close()


async def test_readers_cannot_write(path: Path) -> None:
    db = await Database.open(path)
    await db.run(make)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await db.read(add, "one")
    await db.close()


async def test_closing_keeps_what_was_queued(path: Path) -> None:
    db = await Database.open(path)
    await db.run(make)
    queued = [asyncio.create_task(db.run(add, str(number))) for number in range(20)]
    await asyncio.sleep(0)
    await db.close()
    assert [task.result() for task in queued] == [1] * 10 + [2] * 10
    with pytest.raises(RuntimeError, match="closed"):
        await db.run(add, "late")


async def test_when_the_commit_itself_fails_everyone_hears_of_it(path: Path) -> None:
    db = await Database.open(path)
    await db.run(make)

    def end_the_transaction(conn: Connection) -> None:
        conn.execute("ROLLBACK")

    outcomes = await asyncio.gather(
        db.run(add, "one"), db.run(end_the_transaction), return_exceptions=True
    )
    assert all(isinstance(outcome, sqlite3.Error) for outcome in outcomes)
    await db.run(add, "after")
    assert await db.read(notes) == ["after"]
    await db.close()


async def test_the_file_is_its_owners_alone(path: Path) -> None:
    db = await Database.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await db.close()


async def test_the_writer_is_as_safe_as_we_say(path: Path) -> None:
    db = await Database.open(path)

    def pragmas(conn: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
        return [conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await db.run(pragmas) == ["wal", 2, 1, 4_000]
    assert (await db.read(pragmas))[3] == 0
    await db.close()


async def test_the_two_private_names_of_aiosqlite_are_there() -> None:
    """If this fails, `store/database.py` has to learn aiosqlite's new ways, and nothing else."""
    async with aiosqlite.connect(":memory:") as conn:
        assert await conn._execute(lambda raw: raw.total_changes, conn._conn) == 0  # type: ignore[no-untyped-call]


def test_a_second_daemon_is_kept_out_and_told_by_whom(path: Path) -> None:
    with lock.held(path):
        attempt = f"""
import pathlib
from imsync.errors import UserError
from imsync.store import lock
try:
    with lock.held(pathlib.Path({str(path)!r})):
        print("let in")
except lock.Locked as error:
    print(error, "|", error.hint)
"""
        told = subprocess.run(
            [sys.executable, "-c", attempt], capture_output=True, text=True, check=True
        ).stdout
    assert f"process id {os.getpid()}" in told
    assert "let in" not in told
    with lock.held(path):
        pass  # the lock goes with its holder


def test_a_database_has_one_lock_whatever_name_it_goes_by(path: Path, tmp_path: Path) -> None:
    path.touch()
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(path)
    says = f"process id {os.getpid()}"
    with lock.held(path), pytest.raises(lock.Locked, match=says), lock.held(link):
        pass


def test_a_lock_file_that_cannot_be_used_is_told_of(path: Path) -> None:
    path.with_name("im.db.lock").mkdir()
    says = r"cannot use the lock file .*im.db.lock: Is a directory"
    with pytest.raises(UserError, match=says), lock.held(path):
        pass


async def test_what_it_starts_with_is_in_the_file_itself(path: Path, tmp_path: Path) -> None:
    def alone(name: str) -> int:
        """How many incidents there are, for whoever has the file without its WAL."""
        copy = tmp_path / name
        copy.write_bytes(path.read_bytes())
        conn = sqlite3.connect(copy)
        (count,) = conn.execute("SELECT COUNT(*) FROM incidents").fetchone()
        conn.close()
        return int(count)

    db = await Database.open(path)
    assert alone("at first") == 0
    crashed = sqlite3.connect(path)
    crashed.execute("SELECT * FROM incidents")  # so that closing leaves the WAL
    await db.run(some_incidents, 1)
    await db.close()
    again = await Database.open(path)
    assert alone("after a crash") == 1
    await again.close()
    crashed.close()


async def test_one_that_can_only_be_read_is_found_out_when_it_is_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await Database.open(path)).close()
    real = aiosqlite.connect

    def reading(path: Path, **more: Any) -> aiosqlite.Connection:
        return real(f"{path.as_uri()}?mode=ro", uri=True, **more)

    monkeypatch.setattr(aiosqlite, "connect", reading)  # root may write to any file
    with pytest.raises(DatabaseError, match="readonly") as caught:
        await Database.open(path)
    assert remedy(caught.value) == "let the file and its folder be the daemon's own, to write to"


def full(conn: Connection) -> None:
    conn.execute("PRAGMA max_page_count = 1")
    conn.execute("CREATE TABLE more (text TEXT)")


def damaged(conn: Connection) -> None:
    conn.deserialize(b"SQLite format 3\0" + b"\xff" * 4080)
    conn.execute("SELECT * FROM sqlite_schema")


@pytest.mark.parametrize(
    ("trouble", "what"),
    [
        (full, "make room on its disk"),
        (damaged, "put a good copy in its place"),
        (lambda conn: conn.execute("SELECT * FROM nowhere"), ""),
    ],
)
def test_what_goes_wrong_around_us_has_a_remedy_and_a_bug_of_ours_has_none(
    trouble: Callable[[Connection], None], what: str
) -> None:
    conn = sqlite3.connect(":memory:")
    with pytest.raises(DatabaseError) as caught:
        trouble(conn)
    conn.close()
    told = remedy(caught.value)
    assert told.startswith(what)
    assert bool(told) == bool(what)


def test_a_link_in_the_lock_files_place_costs_no_other_file(path: Path, tmp_path: Path) -> None:
    """Who holds it is written into it: in a folder of others', over any file of ours."""
    (tmp_path / "precious").write_text("precious")
    path.with_name(f"{path.name}.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=r"cannot use the lock file .*\.lock: "), lock.held(path):
        pass
    assert (tmp_path / "precious").read_text() == "precious"


async def test_what_was_copied_here_is_its_owners_alone_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`cp` gives it the mode that anything gets, and what SQLite makes beside it has that too."""
    await (await Database.open(path)).close()
    path.chmod(0o644)
    wal = path.with_name(f"{path.name}-wal")
    wal.touch(mode=0o664)
    db = await Database.open(path)
    modes = {one.name: oct(one.stat().st_mode & 0o777) for one in path.parent.iterdir()}
    await db.close()
    assert {path.name, wal.name} <= set(modes)
    assert set(modes.values()) == {"0o600"}
    assert f"{path} was not its owner's alone (mode 0644), and is now" in caplog.text


async def test_another_programs_database_stays_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("CREATE TABLE songs (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(sqlite3.DatabaseError, match="it is no database of imsync's"):
        await Database.open(path)
    assert path.read_bytes() == before


def test_what_cannot_be_opened_leaves_no_thread_behind(tmp_path: Path) -> None:
    """It said its last word to a loop that was closed by then: a traceback after the error."""

    async def fail() -> list[str]:
        before = set(threading.enumerate())
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            await Database.open(tmp_path)
        # The loop has workers of its own, one or two as chance has it: it waits for them.
        return [
            new.name for new in set(threading.enumerate()) - before if "asyncio" not in new.name
        ]

    assert [asyncio.run(fail()) for _ in range(20)] == [[]] * 20
