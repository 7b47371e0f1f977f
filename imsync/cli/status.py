"""`im status` and `im version`."""

from collections.abc import Mapping

from imsync import __version__
from imsync.cli.client import Daemon
from imsync.cli.options import command
from imsync.cli.output import Output
from imsync.cli.table import Block, duration, facts, table
from imsync.cli.wire import Unreachable


@command("status")
async def status(daemon: Daemon, /) -> Output:
    """Show how the daemon is.

    \b
    im status
    im status --format json
    """
    found = await daemon.get("status")
    integrations = found.get("integrations")
    listed = integrations if isinstance(integrations, list) else []
    text: list[Block] = [
        facts(
            {
                **found,
                "up": duration(found.get("uptime_s")),
                "integrations": len(listed) or integrations,
            },
            *("version", "pid", "up", "listen", "socket", "database", "schema"),
            *("integrations", "pending", "dead_letters", "conflicts"),
        ),
    ]
    text.append(table(listed, "slug", "state", "name"))
    if isinstance(sandbox := found.get("sandbox"), Mapping):
        text += ["the sandbox", facts(sandbox, *sandbox)]
    return Output(found, text)


@command("version")
async def version(daemon: Daemon, /) -> Output:
    """Show the version of `im`, and of the daemon if it runs.

    \b
    im version
    """
    try:
        theirs, note = (await daemon.get("status")).get("version"), ""
    except Unreachable as error:
        theirs, note = None, str(error)
    found = {"im": __version__, "imsyncd": theirs}
    return Output(found, [facts(found, "im", "imsyncd")], note=note)
