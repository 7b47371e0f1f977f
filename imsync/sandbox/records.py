"""The sandbox's memory: tables of rows, changed in units that happen whole or not at all.

With a path, a unit is one line of a file, appended before the unit ends: whoever was
answered will find it there after a crash. A line cut short by one is a unit that never
was. Opening the file writes it anew with only what is still so.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import orjson

from imsync.sandbox import rows


class Row(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Row)


class Damaged(Exception):
    """The state file holds something that the sandbox did not write."""


class InUse(Exception):
    """Another sandbox keeps its state in this file."""


class Table(Generic[R]):
    """Rows by id, in the order in which they were first put."""

    def __init__(self, name: str, row: type[R], changes: list["Change"]) -> None:
        self.name = name
        self.row = row
        self._rows: dict[str, R] = {}
        self._changes = changes

    def __getitem__(self, id_: str) -> R:
        return self._rows[id_]

    def __contains__(self, id_: object) -> bool:
        return id_ in self._rows

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __reversed__(self) -> Iterator[R]:
        return reversed(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, id_: str | None) -> R | None:
        return self._rows.get(id_) if id_ else None

    def put(self, row: R) -> R:
        self._changes.append((self, row.id, self._rows.get(row.id)))
        self._rows[row.id] = row
        return row

    def drop(self, id_: str) -> None:
        if id_ in self._rows:
            self._changes.append((self, id_, self._rows.pop(id_)))

    def restore(self, id_: str, before: R | None) -> None:
        if before is None:
            self._rows.pop(id_, None)
        else:
            self._rows[id_] = before


Change = tuple[Table[Any], str, Any]  # what it was before


class Records:
    """All tables, and the file they are kept in. Change them inside `unit` only."""

    def __init__(self, path: Path | None = None) -> None:
        self._changes: list[Change] = []
        self._depth = 0
        self._fd: int | None = None
        self.users = Table("user", rows.User, self._changes)
        self.schedules = Table("schedule", rows.Schedule, self._changes)
        self.policies = Table("policy", rows.Policy, self._changes)
        self.services = Table("service", rows.Service, self._changes)
        self.priorities = Table("priority", rows.Priority, self._changes)
        self.incidents = Table("incident", rows.Incident, self._changes)
        self.log = Table("log", rows.Entry, self._changes)
        self.notes = Table("note", rows.Note, self._changes)
        self.subscriptions = Table("subscription", rows.Subscription, self._changes)
        self.deliveries = Table("delivery", rows.Delivery, self._changes)
        self.tokens = Table("token", rows.Token, self._changes)
        self.counters = Table("counter", rows.Counter, self._changes)
        self._tables: dict[str, Table[Any]] = {
            value.name: value for value in vars(self).values() if isinstance(value, Table)
        }
        if path is not None:
            before = _locked(path)
            try:
                self._replay(path)
                self._fd = self._compact(path)
            finally:
                os.close(before)

    @contextmanager
    def unit(self) -> Iterator[None]:
        """What is changed inside is kept when it ends well, and undone when it raises."""
        self._depth += 1
        mine = len(self._changes)
        try:
            yield
            if self._depth == 1:
                self._append()
        except BaseException:
            while len(self._changes) > mine:
                table, id_, before = self._changes.pop()
                table.restore(id_, before)
            raise
        finally:
            self._depth -= 1
        if self._depth == 0:
            self._changes.clear()

    def count(self, name: str) -> int:
        """The next number of this name: 1, 2, 3, …"""
        before = self.counters.get(name)
        return self.counters.put(rows.Counter(name, before.value + 1 if before else 1)).value

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self) -> None:
        if self._fd is None or not self._changes:
            return
        changed = {(table.name, id_): table.get(id_) for table, id_, _ in self._changes}
        line = _line([[name, id_, row] for (name, id_), row in changed.items()])
        end = os.lseek(self._fd, 0, os.SEEK_END)
        try:
            if os.write(self._fd, line) != len(line):
                raise OSError("the disk is full")
        except OSError:
            os.ftruncate(self._fd, end)  # half a line would spoil the next
            raise

    def _replay(self, path: Path) -> None:
        *lines, _torn = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            try:
                for name, id_, row in orjson.loads(line):
                    table = self._tables[name]
                    table.restore(id_, table.row(**row) if row else None)
            except (ValueError, TypeError, KeyError):
                raise Damaged(f"{path}, line {number}: not a line of the sandbox's state") from None

    def _compact(self, path: Path) -> int:
        """The file, as short as can be, open for appending; only its owner may read it."""
        fresh = path.with_name(path.name + ".new")
        fd = _locked(fresh, os.O_TRUNC)
        os.fchmod(fd, 0o600)
        with os.fdopen(os.dup(fd), "wb") as file:
            for table in self._tables.values():
                for row in table:
                    file.write(_line([[table.name, row.id, row]]))
            file.flush()
            os.fsync(fd)
        fresh.replace(path)
        return fd


def _locked(path: Path, flags: int = 0) -> int:
    """The file, made if need be, and ours until it is closed. Raises InUse."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise InUse(f"{path} is in use by another sandbox") from None
    return fd


def _line(changes: list[list[object]]) -> bytes:
    return orjson.dumps(changes, option=orjson.OPT_APPEND_NEWLINE)
