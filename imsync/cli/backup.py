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
    """Copy the database to a new file, while the daemon runs. It holds tokens and secrets.

    \b
    im backup /var/backups/imsync.db
    """
    async with working("copying the database"):
        made = await daemon.post("backup", body={"path": file})
    return Output(made, [facts(made, "path", "bytes", "at")])
