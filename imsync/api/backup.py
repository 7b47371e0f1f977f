"""/backup: a copy of the database, made by the daemon, which alone opens it."""

import asyncio
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from imsync.api import shapes
from imsync.api.answers.daemon import Backup
from imsync.api.bodies import NewBackup, read
from imsync.api.caller import CALLER, asking_of
from imsync.api.context import context_of
from imsync.errors import Forbidden, ImsyncError, UserError
from imsync.store import audit, backup
from imsync.store.audit import Action, Change, Changes, Told


async def make(request: web.Request) -> web.Response:
    """Copy the database to a new file on the daemon's host; over the unix socket only.

    Its tokens and secrets are sealed, and the key is not in it. Still, no program from elsewhere
    says where it is written.
    """
    context, body = context_of(request), await read(request, NewBackup)
    path = Path(body.path)
    if not path.is_absolute() or "\0" in body.path:
        raise UserError(f"path {body.path!r} is not absolute", hint='for example "/var/backups/x"')
    if not request[CALLER].is_at_socket:
        raise Forbidden(
            "a backup is made over the unix socket only",
            hint="`im backup FILE` on the daemon's host",
        )
    copy = await _copied(request, path)
    made: Backup = {
        "path": str(path),
        "bytes": copy.bytes,
        "at": shapes.time(context.now()),
        "keys": copy.keys,
        "key_place": context.db.key_place,
    }
    return shapes.answer(made, status=201)


async def _copied(request: web.Request, path: Path) -> backup.Copy:
    """Make the copy. The audit trail is told before: no copy is made that it misses."""
    context, begun = context_of(request), await asking_of(request)

    async def tell(action: Action, changes: Changes) -> None:
        asking, told = replace(begun, action=action), Told(str(path), None, changes)
        await context.db.run(audit.append, asking, told, now=context.now())

    await tell(Action.BACKUP_BEGUN, {})
    stopped = context.stopping.is_set
    try:
        copy = await asyncio.to_thread(backup.copy, context.database, path, stopped=stopped)
    except ImsyncError as error:
        await tell(Action.BACKUP_FAILED, {"because": Change(None, str(error))})
        raise
    await tell(Action.BACKUP_MADE, {"bytes": Change(None, copy.bytes)})
    return copy
