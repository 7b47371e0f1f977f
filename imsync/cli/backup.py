"""`im backup`: a copy of the database while the daemon runs."""

import asyncclick as click

from imsync.cli.client import Daemon
from imsync.cli.options import command
from imsync.cli.output import Output
from imsync.cli.table import facts
from imsync.cli.working import working


@command("backup")
@click.argument("file", type=click.Path(resolve_path=True))
async def backup(daemon: Daemon, /, file: str) -> Output:
    """Copy the database to a new file, while the daemon runs.

    Its tokens and secrets are sealed. The key is not in the copy, which cannot be used without:
    keep it elsewhere.

    \b
    im backup /var/backups/imsync.db
    """
    async with working("copying the database"):
        made = await daemon.post("backup", body={"path": file})
    keys = ", ".join(map(str, made.get("keys") or []))
    note = (
        f"the key of its tokens and secrets ({keys}) is not in it:"
        f" keep a copy of {made.get('key_place')} elsewhere"
    )
    text = facts(made, "path", "bytes", "at", "keys", "key_place")
    return Output(made, [text], note=note if keys else "")
