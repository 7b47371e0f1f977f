"""`im key`: what the tokens and signing secrets in the database are sealed with."""

from imsync.cli.client import Daemon
from imsync.cli.options import command
from imsync.cli.output import Output
from imsync.cli.table import facts


@command("rotate")
async def rotate(daemon: Daemon, /) -> Output:
    """Seal every token and signing secret in the database with a new key.

    The old key leaves the key file. Backups made before need it: keep a copy of the file as it
    is first, if they are still to be of use. It does not change the tokens themselves.

    \b
    im key rotate
    """
    done = await daemon.post("key", "rotate")
    note = (
        f"keep a copy of {done.get('key_place')} as it is now, and not where the backups are;"
        f" those made before need the key {done.get('old_key')}"
    )
    return Output(done, [facts(done, "key", "old_key", "key_place", "sealed", "at")], note=note)
