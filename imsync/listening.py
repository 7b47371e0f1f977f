"""Where the daemon listens: TCP, and a unix socket that is its owner's alone."""

import asyncio
import errno
import grp
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from imsync.api import access, app
from imsync.api.connections import BACKLOG, Runner
from imsync.api.context import Context
from imsync.config import Settings
from imsync.errors import UserError
from imsync.store import tokens


@asynccontextmanager
async def listening(context: Context, settings: Settings) -> AsyncIterator[str]:
    """Serve the API on TCP and on the unix socket; yields host:port, whatever port it became."""
    await _must_be_closed(context, settings)
    runner = Runner(app.make(context))
    await runner.setup()
    unix = _unix_socket(settings.socket, group=settings.socket_group)
    try:
        await web.SockSite(runner, unix, backlog=BACKLOG).start()
        host, port = settings.host_and_port
        site = web.TCPSite(runner, host, port, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            raise _cannot_listen(settings.listen, error) from None
        yield f"{settings.listen.rpartition(':')[0]}:{_port_of(site)}"
    finally:
        await runner.cleanup()
        settings.socket.unlink(missing_ok=True)


async def _must_be_closed(context: Context, settings: Settings) -> None:
    """Where others than this host can reach, there is a token to show. Raises UserError."""
    host, port = settings.host_and_port
    try:
        # As it is bound: there, `*` is every address, and not this host's alone.
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise _cannot_listen(settings.listen, error) from None
    if all(access.is_loopback(str(address[0])) for *_, address in found):
        return
    if not await context.db.read(tokens.any_good, now=context.now()):
        raise UserError(
            f"will not listen on {settings.listen}, which others can reach: there is no token yet",
            hint="start it with `listen` on 127.0.0.1, `im token create --name NAME`, then again",
        )


def _cannot_listen(listen: str, error: OSError) -> UserError:
    if error.errno == errno.EADDRINUSE:
        hint = "is another imsyncd running? set `listen` to another port, or 0 for any"
    else:
        hint = "set `listen` to an address of this host, for example 127.0.0.1:8080"
    # asyncio puts its own words over the system's; a name that is none has no number of its own.
    known = error.errno in errno.errorcode
    why = os.strerror(error.errno) if known and error.errno else error.strerror
    return UserError(f"cannot listen on {listen}: {why}", hint=hint)


def _port_of(site: web.TCPSite) -> int:
    server = site._server
    assert isinstance(server, asyncio.Server)  # it has just been started
    return int(server.sockets[0].getsockname()[1])


def _unix_socket(path: Path, *, group: str | None) -> socket.socket:
    """A listening socket that only its owner, or a group, can reach, in place of a dead one."""
    gid = None if group is None else _group(group)
    private_folder(path.parent, gid=gid)
    unix = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket():
            _must_be_dead(path)
            path.unlink()
        before = os.umask(0o177)
        try:
            unix.bind(str(path))
        finally:
            os.umask(before)
        if gid is not None:
            os.chown(path, -1, gid)
            path.chmod(0o660)
    except OSError as error:
        unix.close()
        raise UserError(
            f"cannot listen on the socket {path}: {error.strerror or error}",
            hint="set `socket` to a short path in a folder of your own",
        ) from None
    except UserError:
        unix.close()
        raise
    return unix


def _must_be_dead(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise UserError(
        f"another imsyncd listens on {path}", hint="stop it, or set `socket` to another path"
    )


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UserError(f"socket_group = {name!r}: there is no such group") from None


def private_folder(folder: Path, *, gid: int | None = None) -> None:
    """Make the folder, for its owner alone, or a group to pass through.

    One that is there stays as it is, and must not be somebody else's, nor one in which everybody
    may put another file in the place of ours: that is what /tmp's sticky bit prevents.
    """
    try:
        new = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if new and gid is not None:
            os.chown(folder, -1, gid)
            folder.chmod(0o710)
        found, link = folder.stat(), folder.lstat()
    except OSError as error:
        raise UserError(f"cannot use the folder {folder}: {error.strerror}") from None
    for owner in (link.st_uid, found.st_uid):
        if owner not in (0, os.getuid()):
            raise UserError(f"the folder {folder} belongs to somebody else (uid {owner})")
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise UserError(
            f"everybody may write to the folder {folder}: its mode is {found.st_mode & 0o7777:04o}",
            hint=f"`chmod o-w {folder}`, or use another",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to the folder {folder}")
