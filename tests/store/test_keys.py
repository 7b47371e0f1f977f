"""Where keys are kept: private, whole at every moment, and never quoted."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imsync.errors import Clash, UserError
from imsync.store import keys
from imsync.store.keys import BadKey, KeyFile, KeyVariable
from imsync.store.sealing import Key

KEYS = [Key.new(), Key.new(), Key.new()]


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "im.db.key")


def ids(found: list[Key]) -> list[str]:
    return [key.id for key in found]


def test_what_is_written_is_read_in_its_order_and_is_its_owners_alone(file: KeyFile) -> None:
    assert file.read() == []
    before = os.umask(0)
    try:
        file.write(KEYS)
        file.write(KEYS[:2])
    finally:
        os.umask(before)
    assert ids(file.read()) == ids(KEYS[:2])
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [one.name for one in file.path.parent.iterdir()] == ["im.db.key"]
    assert all(f"# {key.id}" in file.path.read_text() for key in KEYS[:2]), "which is which"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o660, 0o644])
def test_a_key_file_that_others_can_read_is_refused(file: KeyFile, mode: int) -> None:
    file.write(KEYS)
    file.path.chmod(mode)
    with pytest.raises(BadKey, match=f"its owner's alone: its mode is {mode:04o}") as caught:
        file.read()
    assert f"chmod 600 {file.path}" in caught.value.hint


def test_one_that_belongs_to_somebody_else_is_refused(
    file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write(KEYS)
    if os.getuid() == 0:
        os.chown(file.path, 12_345, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12_345)
    with pytest.raises(BadKey, match="belongs to somebody else"):
        file.read()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no key"),
        ("# none yet\n\n", "holds no key"),
        ("{good}\n{half}\n", "key 2 cannot be one: it is not 32 bytes"),
        ("{good},{good}\n", "key 1 cannot be one"),
        ("\udcff\n", "key 1 cannot be one"),
    ],
)
def test_one_that_makes_no_sense_is_refused_and_not_quoted(
    file: KeyFile, text: str, says: str
) -> None:
    good = KEYS[0].text
    said = text.replace("{good}", good).replace("{half}", good[:30])
    file.path.write_bytes(said.encode(errors="surrogateescape"))
    file.path.chmod(0o600)
    with pytest.raises(BadKey, match=says) as caught:
        file.read()
    told = f"{caught.value} {caught.value.hint}"
    assert str(file.path) in told
    assert good[:30] not in told


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_and_not_waited_for(file: KeyFile, make: object) -> None:
    assert callable(make)
    make(file.path)
    with pytest.raises(BadKey, match="is not a file"):
        file.read()


def test_where_it_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write the key file .*nowhere.*No such file"):
        KeyFile(tmp_path / "nowhere" / "key").write(KEYS)


def test_a_link_stays_one(file: KeyFile, tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    file.path.symlink_to(tmp_path / "vault" / "key")
    file.write(KEYS)
    assert file.path.is_symlink()
    assert ids(KeyFile(tmp_path / "vault" / "key").read()) == ids(KEYS)


class Killed(BaseException):
    """As by kill -9."""


def killed_at(number: int, patched: pytest.MonkeyPatch) -> None:
    """Have the process end right after that many of the calls that a write is made of."""
    calls, unlink = 0, Path.unlink

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **named: Any) -> Any:
            nonlocal calls
            done = call(*args, **named)
            calls += 1
            if calls == number:
                raise Killed(call.__name__)
            return done

        return made

    def tidied(path: Path, missing_ok: bool = False) -> None:
        if calls < number:  # the dead tidy nothing up
            unlink(path, missing_ok=missing_ok)

    patched.setattr(Path, "unlink", tidied)
    patched.setattr(Path, "replace", counted(Path.replace))
    for name in ("open", "fsync", "close"):
        patched.setattr(os, name, counted(getattr(os, name)))


def test_killed_at_any_moment_it_is_the_old_one_or_the_new_one(
    file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next write minds nothing of what was left."""
    seen, old, new = list[tuple[str, list[str]]](), KEYS[:1], KEYS[:2]
    for number in range(1, 7):
        file.write(old)
        with monkeypatch.context() as patched:
            killed_at(number, patched)
            with pytest.raises(Killed) as died:
                file.write(new)
        seen.append((str(died.value), ids(file.read())))
    assert seen == [
        ("open", ids(old)),
        ("fsync", ids(old)),  # it is on the disk before it takes its place
        ("replace", ids(new)),
        ("open", ids(new)),
        ("fsync", ids(new)),  # and so is its name
        ("close", ids(new)),
    ]


def test_the_variable_has_keys_between_commas_and_cannot_be_changed() -> None:
    variable = KeyVariable(f"{KEYS[1].text}, {KEYS[0].text}")
    assert ids(variable.read()) == ids([KEYS[1], KEYS[0]])
    with pytest.raises(Clash, match="IMSYNC_KEY's, which no daemon can change") as caught:
        variable.write(KEYS)
    assert "IMSYNC_KEY=NEW,OLD" in caught.value.hint
    assert KEYS[0].text not in repr(variable)


@pytest.mark.parametrize(
    ("text", "says"), [("", "is set, and empty"), (" , ", "empty"), ("hunter22", "key 1 cannot")]
)
def test_a_variable_that_makes_no_sense_is_refused_and_not_quoted(text: str, says: str) -> None:
    with pytest.raises(BadKey, match=says) as caught:
        KeyVariable(text).read()
    assert "hunter22" not in f"{caught.value} {caught.value.hint}"


def test_the_variable_goes_before_the_file(tmp_path: Path) -> None:
    database, other = tmp_path / "im.db", tmp_path / "other"
    assert keys.of(database, file=None, variable=None).place == f"{database}.key"
    assert keys.of(database, file=other, variable=None).place == str(other)
    assert keys.of(database, file=other, variable="").place == "IMSYNC_KEY"
