"""The lock file that keeps a second daemon away from a database."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imsync.errors import UserError

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
"""It is written over: somebody's link there would cost the file that it leads to."""


class Locked(UserError):
    """Another daemon holds this database."""

    code = "database_locked"


@contextmanager
def held(database: Path) -> Iterator[None]:
    """Hold the database's lock file for as long as the block runs.

    The lock is the kernel's (flock) and goes with the process, however it ends; the
    file's text only says who holds it. It is beside the file itself, by whatever name that goes.
    Raises Locked, naming the holder, and UserError where the file cannot be written.
    """
    file = Path(os.path.realpath(database)) if database.is_symlink() else database
    path = file.with_name(file.name + ".lock")
    with _usable(path):
        descriptor = os.open(path, _FLAGS, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 64).decode("ascii", "replace").strip() or "unknown"
            raise Locked(
                f"the database {database} is in use by imsyncd with process id {holder}",
                hint="stop that one first, or give this one another `database`",
            ) from None
        with _usable(path):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot use the lock file {path}: {error.strerror}",
            hint="it has to be the daemon's own, on a disk that has room",
        ) from None
