"""What is sealed in a database: at the start, when the key changes, and when it is lost."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from imsync.core.fields import Instant
from imsync.engine.configure import DEFAULTS
from imsync.errors import Clash, UserError
from imsync.store import forgetting, integrations, sealed
from imsync.store.database import Connection, Database
from imsync.store.keys import BadKey, KeyFile, KeyVariable, Source
from imsync.store.sealed import Rotated, SecretsLocked
from imsync.store.sealing import Key, Keyed, Keyring

NOW = Instant(1_000)
TOKEN, BY_HAND, PREVIOUS, PRESENT = "u+token", "wh-by-hand", "wh-previous", "wh-present"
ALL = [TOKEN, BY_HAND, PREVIOUS, PRESENT]


Opens = Callable[..., Awaitable[Database]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "im.db"


@pytest.fixture
def file(path: Path) -> KeyFile:
    return KeyFile(path.with_name("im.db.key"))


def fill(conn: Connection) -> None:
    for id_, slug, token in (("int_1", "prod-pd", TOKEN), ("int_2", "bare-pd", None)):
        settings = {**DEFAULTS, "slug": slug, "name": slug, "base_url": "https://x", "token": token}
        integrations.create(conn, id_, integration_type="pagerduty", settings=settings, now=NOW)
    integrations.set_secret(conn, "int_1", BY_HAND, now=NOW)
    for number, secret in enumerate((PREVIOUS, PRESENT), start=1):
        at = Instant(NOW + number)
        integrations.add_secret(conn, "int_1", secret, subscription_id=f"P{number}", now=at)


def known(conn: Connection) -> list[str | None]:
    """Every secret, as whoever uses it gets it."""
    found = [one.token for one in integrations.every(conn)]
    return [*found, *integrations.secrets(conn, "int_1")]


READABLE = [None, TOKEN, PRESENT, PREVIOUS, BY_HAND]


@pytest.fixture
async def opens() -> AsyncIterator[Opens]:
    """Opens databases, and closes them however the test ends."""
    async with AsyncExitStack() as stack:

        async def opens(path: Path | str, source: Source | None = None) -> Database:
            db = await Database.open(path, source)
            stack.push_async_callback(db.close)
            return db

        yield opens


async def made(path: Path, source: Source | None = None) -> None:
    db = await Database.open(path, source)
    await db.run(fill)
    await db.close()


async def opened(path: Path, source: Source | None = None) -> list[str | None]:
    db = await Database.open(path, source)
    try:
        return await db.read(known)
    finally:
        await db.close()


def by_hand(path: Path, sql: str, *values: object) -> list[Any]:
    conn = sqlite3.connect(path)
    with conn:
        found = conn.execute(sql, values).fetchall()
    conn.close()
    return found


def keys_in(path: Path) -> set[str]:
    """The ids of the keys that the rows are sealed with."""
    conn = sqlite3.connect(path)
    found = sealed.keys_in_use(conn)
    conn.close()
    return found


def bytes_of(path: Path) -> bytes:
    """The database, its WAL, and whatever else stands beside it."""
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


# At the start.


async def test_every_secret_is_sealed_and_read_as_it_was(
    path: Path, file: KeyFile, opens: Opens
) -> None:
    db = await opens(path)
    await db.run(fill)
    await db.run(integrations.change, "int_2", {"token": "u+other"}, now=NOW)
    await db.run(integrations.set_secret, "int_2", "wh-other", now=NOW)
    assert await db.read(known) == ["u+other", *READABLE[1:]]
    said = await db.read(lambda conn: repr(integrations.every(conn)))
    (key,) = file.read()
    bits = bytes_of(path)
    await db.close()
    assert keys_in(path) == {key.id}
    for secret in (*ALL, "u+other", "wh-other"):
        assert secret.encode() not in bits
        assert secret.encode() not in bytes_of(path)
        assert secret not in said


async def test_the_key_is_made_once_and_stays(path: Path, file: KeyFile) -> None:
    await made(path)
    (key,) = file.read()
    assert await opened(path) == READABLE
    assert file.read() == [key]


async def test_the_key_is_on_the_disk_before_anything_is_sealed_with_it(
    path: Path, file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(path)
    by_hand(path, "UPDATE integrations SET token = ? WHERE id = 'int_1'", TOKEN)
    by_hand(path, "DELETE FROM webhook_secrets")
    file.path.unlink()
    monkeypatch.setattr(KeyFile, "write", refusing)
    with pytest.raises(UserError, match="the disk is full"):
        await Database.open(path)
    assert keys_in(path) == set()
    assert by_hand(path, "SELECT token FROM integrations WHERE id = 'int_1'") == [(TOKEN,)]


def refusing(self: KeyFile, keys: object) -> None:
    raise UserError("the disk is full")


async def test_what_stands_plain_is_sealed_and_leaves_no_trace(path: Path) -> None:
    await made(path)
    by_hand(path, "UPDATE integrations SET token = ? WHERE id = 'int_1'", TOKEN)
    by_hand(path, "INSERT INTO webhook_secrets VALUES ('int_1', 'wh-plain', 9, NULL, NULL)")
    assert b"wh-plain" in bytes_of(path)
    assert await opened(path) == [None, TOKEN, PRESENT, PREVIOUS, BY_HAND, "wh-plain"]
    assert TOKEN.encode() not in bytes_of(path)
    assert b"wh-plain" not in bytes_of(path)


async def test_without_its_key_nothing_starts_and_no_other_is_made(
    path: Path, file: KeyFile
) -> None:
    await made(path)
    (key,) = file.read()
    aside = file.path.rename(path.with_name("aside"))
    with pytest.raises(SecretsLocked) as caught:
        await Database.open(path)
    for words in ("prod-pd", f"the key {key.id}", str(file.path), "is not there"):
        assert words in str(caught.value)
    assert "imsyncd --forget-secrets" in caught.value.hint
    assert not file.path.exists()
    aside.rename(file.path)
    assert await opened(path) == READABLE


async def test_with_another_key_nothing_starts_and_nothing_changes(
    path: Path, file: KeyFile
) -> None:
    await made(path)
    (key,), other = file.read(), Key.new()
    before = bytes_of(path)
    file.write([other])
    with pytest.raises(SecretsLocked) as caught:
        await Database.open(path)
    for words in (key.id, str(file.path), f"holds {other.id}"):
        assert words in str(caught.value)
    assert key.text not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(SecretsLocked, match=f"the key {key.id}; IMSYNC_KEY holds {other.id}"):
        await Database.open(path, KeyVariable(other.text))
    file.write([key])
    assert bytes_of(path) == before
    assert await opened(path) == READABLE


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE integrations SET token = (SELECT token FROM integrations WHERE id = 'int_1')"
        " WHERE id = 'int_2'",
        "UPDATE integrations SET token = (SELECT MIN(secret) FROM webhook_secrets)"
        " WHERE id = 'int_1'",
        "UPDATE webhook_secrets SET integration_id = 'int_2' WHERE subscription_id = 'P2'",
        "UPDATE integrations SET token = substr(token, 1, 40) || 'AAAA' || substr(token, 45)"
        " WHERE id = 'int_1'",
        "UPDATE integrations SET token = 'sealed1:!' WHERE id = 'int_1'",
    ],
    ids=["to another", "to another column", "a secret to another", "altered", "mangled"],
)
async def test_what_was_moved_or_altered_in_the_database_is_refused(
    path: Path, change: str
) -> None:
    await made(path)
    by_hand(path, change)
    with pytest.raises(SecretsLocked, match="do not open with their key: they were altered"):
        await Database.open(path)


async def test_nor_is_a_key_made_for_what_no_key_has_sealed(path: Path, file: KeyFile) -> None:
    await made(path)
    file.path.unlink()
    by_hand(path, "DELETE FROM webhook_secrets")
    by_hand(path, "UPDATE integrations SET token = 'sealed1:!' WHERE id = 'int_1'")
    with pytest.raises(SecretsLocked, match="they were altered"):
        await Database.open(path)
    assert not file.path.exists()


async def test_what_was_altered_under_a_running_daemon_is_no_token(
    path: Path, opens: Opens
) -> None:
    db = await opens(path)
    await db.run(fill)
    await db.run(lambda conn: conn.execute("UPDATE integrations SET token = 'u+theirs'").rowcount)
    with pytest.raises(sqlite3.DatabaseError, match="token of int_1 cannot be opened"):
        await db.read(integrations.get, "int_1")
    await db.close()


async def test_a_key_of_its_own_for_what_is_in_memory(opens: Opens) -> None:
    db = await opens(":memory:")
    await db.run(fill)
    rotated = await db.rotate_key()
    assert rotated.sealed == len(ALL)
    assert await db.read(known) == READABLE
    await db.close()


# When the key changes.


async def test_a_new_key_seals_everything_and_the_old_one_leaves_the_file(
    path: Path, file: KeyFile, opens: Opens
) -> None:
    await made(path)
    (old,) = file.read()
    db = await opens(path)
    rotated = await db.rotate_key()
    (new,) = file.read()
    assert (rotated.key, rotated.before, rotated.sealed) == (new.id, old.id, len(ALL))
    assert new != old
    await db.run(integrations.change, "int_2", {"token": "u+later"}, now=NOW)
    assert await db.read(known) == ["u+later", *READABLE[1:]]
    await db.close()
    assert keys_in(path) == {new.id}
    assert await opened(path) == ["u+later", *READABLE[1:]]


async def test_two_who_rotate_at_once_and_others_who_work_meanwhile(
    path: Path, file: KeyFile, opens: Opens
) -> None:
    await made(path)
    db = await opens(path)

    async def work(number: int) -> None:
        token = {"token": f"u+{number}"}
        await db.run(integrations.change, "int_2", token, now=NOW)
        assert (await db.read(known))[1:] == READABLE[1:]

    rotations = [asyncio.create_task(db.rotate_key()) for _ in range(2)]
    await asyncio.gather(*(work(number) for number in range(20)))
    first, second = [await one for one in rotations]
    assert second.before == first.key
    await db.close()
    assert keys_in(path) == {second.key} == {key.id for key in file.read()}
    assert (await opened(path))[1:] == READABLE[1:]


class Killed(BaseException):
    """As by kill -9."""


def dies_after(call: Callable[..., Any], times: int) -> Callable[..., Any]:
    left = times

    def made(*args: Any, **named: Any) -> Any:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        return call(*args, **named)

    return made


POINTS: dict[str, tuple[Any, str, int]] = {
    "write the new": (KeyFile, "write", 0),
    "seal": (Keyring, "seal", 0),
    "seal the third": (Keyring, "seal", 2),
    "write the old": (KeyFile, "write", 1),
}


@pytest.mark.parametrize("point", POINTS)
async def test_killed_anywhere_in_it_everything_can_be_read(
    path: Path, file: KeyFile, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    await made(path)
    (old,) = file.read()
    conn = sqlite3.connect(path, isolation_level=None, factory=Keyed)
    conn.row_factory = sqlite3.Row
    sealed.unlock(conn, file)
    with monkeypatch.context() as patched:
        where, name, times = POINTS[point]
        patched.setattr(where, name, dies_after(getattr(where, name), times))
        with pytest.raises(Killed):
            rotated_as_the_database_does(conn, file)
    conn.close()
    there = {key.id for key in file.read()}
    assert keys_in(path) <= there, "what is sealed in the file can be opened from the file"
    assert len(there) == (1 if point == "write the new" else 2)
    assert await opened(path) == READABLE
    (left,) = file.read()
    assert keys_in(path) == {left.id}
    assert (left == old) is (point == "write the new")


def rotated_as_the_database_does(conn: Connection, file: KeyFile) -> None:
    """One line after the other, for it to be killed between them."""
    with sealed.transaction(conn):
        sealed.rotate(conn, file)
    file.write(sealed.needed(conn))


async def test_a_commit_that_fails_costs_no_key(
    path: Path, file: KeyFile, monkeypatch: pytest.MonkeyPatch, opens: Opens
) -> None:
    await made(path)
    db = await opens(path)

    def spoil(conn: Connection) -> None:
        conn.execute("ROLLBACK")

    outcomes = await asyncio.gather(db.rotate_key(), db.run(spoil), return_exceptions=True)
    assert all(isinstance(outcome, sqlite3.Error) for outcome in outcomes)
    assert keys_in(path) < {key.id for key in file.read()}
    assert await db.read(known) == READABLE
    await db.run(integrations.change, "int_2", {"token": "u+new"}, now=NOW)
    rotated = await db.rotate_key()
    await db.close()
    assert keys_in(path) == {rotated.key} == {key.id for key in file.read()}
    assert await opened(path) == ["u+new", *READABLE[1:]]


async def test_where_the_file_cannot_be_written_nothing_changes(
    path: Path, file: KeyFile, monkeypatch: pytest.MonkeyPatch, opens: Opens
) -> None:
    await made(path)
    before = file.read()
    db = await opens(path)
    monkeypatch.setattr(KeyFile, "write", refusing)
    with pytest.raises(UserError, match="the disk is full"):
        await db.rotate_key()
    await db.close()
    monkeypatch.undo()
    assert (file.read(), keys_in(path)) == (before, {before[0].id})


async def test_that_the_old_key_is_still_in_the_file_is_said(
    path: Path, file: KeyFile, monkeypatch: pytest.MonkeyPatch, opens: Opens
) -> None:
    await made(path)
    db, write = await opens(path), KeyFile.write

    def written(self: KeyFile, keys: list[Key]) -> None:
        write(self, keys) if len(keys) > 1 else refusing(self, keys)

    with monkeypatch.context() as patched:
        patched.setattr(KeyFile, "write", written)
        with pytest.raises(UserError, match="the old one is still there: the disk is full"):
            await db.rotate_key()
    await db.close()
    assert len(file.read()) == 2
    assert await opened(path) == READABLE
    assert len(file.read()) == 1, "it goes with the next start"


async def test_from_the_environment_it_is_rotated_by_a_start_with_the_new_one_first(
    path: Path, file: KeyFile, opens: Opens
) -> None:
    old, new = Key.new(), Key.new()
    await made(path, KeyVariable(old.text))
    assert not file.path.exists()
    db = await opens(path, KeyVariable(old.text))
    with pytest.raises(Clash, match="IMSYNC_KEY's"):
        await db.rotate_key()
    assert await db.read(known) == READABLE
    await db.close()
    assert keys_in(path) == {old.id}
    told: list[Rotated] = []
    both = KeyVariable(f"{new.text},{old.text}")
    for _ in range(2):
        await (await Database.open(path, both, rotated=lambda _, done: told.append(done))).close()
    assert told == [Rotated(new.id, old.id, 4)], "once, for the audit trail"
    assert await opened(path, both) == READABLE
    assert keys_in(path) == {new.id}
    assert await opened(path, KeyVariable(new.text)) == READABLE


async def test_no_key_leaves_a_file_for_a_database_that_has_no_secrets(
    path: Path, file: KeyFile, tmp_path: Path
) -> None:
    """It may be another's, whose rotation has not come to its end."""
    await made(path)
    file.write([Key.new(), *file.read()])
    await (await Database.open(tmp_path / "other.db", file)).close()
    assert await opened(path) == READABLE


# When a key is lost.


async def test_what_no_key_opens_is_forgotten_when_a_person_says_so(
    path: Path, file: KeyFile
) -> None:
    await made(path)
    file.write([Key.new()])
    gone = forgetting.forget(path, file, now=Instant(9_000))
    assert sorted(one.column for one in gone) == [
        "integrations.token", *["webhook_secrets.secret"] * 3
    ]  # fmt: skip
    assert {one.slug for one in gone} == {"prod-pd"}
    assert await opened(path) == [None, None]
    assert forgetting.forget(path, file, now=Instant(9_000)) == []
    told = by_hand(path, "SELECT data FROM events WHERE at = 9000")
    assert len(told) == len(ALL)
    assert "sealed1:" not in repr(told)


async def test_what_can_be_read_is_not_forgotten(path: Path, file: KeyFile) -> None:
    await made(path)
    assert forgetting.forget(path, file, now=NOW) == []
    assert await opened(path) == READABLE
    by_hand(path, "UPDATE integrations SET token = 'sealed1:x' WHERE id = 'int_1'")
    assert [one.id for one in forgetting.forget(path, file, now=NOW)] == ["int_1"]
    assert await opened(path) == [None, None, *READABLE[2:]]


async def test_nothing_is_forgotten_for_a_key_file_that_cannot_be_used(
    path: Path, file: KeyFile
) -> None:
    await made(path)
    file.path.chmod(0o644)
    with pytest.raises(BadKey):
        forgetting.forget(path, file, now=NOW)
    with pytest.raises(sqlite3.Error):
        forgetting.forget(path.with_name("no.db"), file, now=NOW)
    assert not path.with_name("no.db").exists()
    file.path.chmod(0o600)
    assert await opened(path) == READABLE


async def test_without_any_key_file_all_is_forgotten_and_the_next_start_makes_a_key(
    path: Path, file: KeyFile
) -> None:
    await made(path)
    file.path.unlink()
    assert len(forgetting.forget(path, file, now=NOW)) == len(ALL)
    assert await opened(path) == [None, None]
    assert len(file.read()) == 1
