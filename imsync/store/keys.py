"""Where the keys are kept: in a file that only its owner can read, or in the environment.

One key on each line (in the environment: between commas); the first one seals.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from imsync.errors import Clash, UserError
from imsync.store.folders import flush
from imsync.store.sealing import Key

VARIABLE = "IMSYNC_KEY"

_HEAD = """\
# The key of the tokens and signing secrets in imsync's database. Whoever has both can read them:
# keep a copy of this file, and not where copies of the database are.
"""
_LARGEST = 65_536
"""Bytes: whatever is larger is something else."""


class BadKey(UserError):
    """The key is there, and cannot be used as it is."""

    code = "bad_key"


class Source(Protocol):
    """Where a database's keys come from."""

    @property
    def place(self) -> str:
        """The file's path, or the variable's name."""

    def read(self) -> list[Key]:
        """The keys, of which the first seals; empty if there are none yet. Raises BadKey."""

    def write(self, keys: Sequence[Key]) -> None:
        """Store these keys and no others, durably. Raises UserError where that is not possible."""


class KeyFile:
    """A file of mode 0600. It is whole at every moment: the old one, or the new one."""

    def __init__(self, path: Path) -> None:
        self.path, self._name = path, f"the key file {path}"

    @property
    def place(self) -> str:
        return str(self.path)

    def read(self) -> list[Key]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise BadKey(f"cannot read {self._name}: {error.strerror}") from None
        try:
            self._must_be_private(os.fstat(descriptor))
            text = os.read(descriptor, _LARGEST).decode(errors="replace")
        finally:
            os.close(descriptor)
        lines = [line.strip() for line in text.splitlines()]
        keys = _parsed((line for line in lines if not line.startswith("#")), self._name)
        if not keys:
            raise BadKey(f"{self._name} holds no key", hint="put back the copy that you keep of it")
        return keys

    def _must_be_private(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise BadKey(f"{self._name} is not a file", hint="set `key_file` to another path")
        if found.st_uid not in (0, os.getuid()):
            raise BadKey(f"{self._name} belongs to somebody else (uid {found.st_uid})")
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            raise BadKey(
                f"{self._name} is not its owner's alone: its mode is {mode:04o}",
                hint=f"`chmod 600 {self.path}`; if others may have read it, also `im key rotate`,"
                " and change the tokens",
            )

    def write(self, keys: Sequence[Key]) -> None:
        path = self.path.resolve()
        new = path.with_name(path.name + ".new")
        try:
            new.unlink(missing_ok=True)  # one that a crash has left
            try:
                _write(new, _HEAD + "".join(f"\n# {key.id}\n{key.text}\n" for key in keys))
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)
            flush(path.parent)
        except OSError as error:
            raise UserError(
                f"cannot write {self._name}: {error.strerror}",
                hint="its folder must be there, and be the daemon's to write to",
            ) from None


class KeyVariable:
    """The keys in IMSYNC_KEY, which cannot be written: the environment is whoever started us's."""

    place = VARIABLE

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> list[Key]:
        keys = _parsed(self._text.split(","), VARIABLE)
        if not keys:
            raise BadKey(
                f"{VARIABLE} is set, and empty", hint=f"give it a key, or unset {VARIABLE}"
            )
        return keys

    def write(self, keys: Sequence[Key]) -> None:  # noqa: ARG002
        raise Clash(
            f"the key is {VARIABLE}'s, which no daemon can change",
            hint=f"start imsyncd anew with {VARIABLE}=NEW,OLD: it seals everything with the new"
            " key, and the old one can go",
        )


class Nowhere:
    """For a database in memory, whose key ends with it."""

    place = "memory"

    def read(self) -> list[Key]:
        return []

    def write(self, keys: Sequence[Key]) -> None:
        """Nobody reads it again."""


def of(database: Path, *, file: Path | None, variable: str | None) -> Source:
    """The variable, if it is set; else this file, or the one beside the database."""
    if variable is not None:
        return KeyVariable(variable)
    return KeyFile(file or beside(database))


def beside(database: Path) -> Path:
    """Where the key of a database is unless it is set."""
    return database.with_name(database.name + ".key")


def _parsed(texts: Iterable[str], where: str) -> list[Key]:
    """The keys in these texts, without the empty ones. No error quotes a key."""
    keys = []
    for number, text in enumerate(filter(None, (text.strip() for text in texts)), start=1):
        try:
            keys.append(Key.parse(text))
        except ValueError as error:
            raise BadKey(
                f"{where}: key {number} cannot be one: {error}",
                hint="put back the copy that you keep of it",
            ) from None
    return keys


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
