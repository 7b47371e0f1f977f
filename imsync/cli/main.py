"""`im`: every command on one screen, and how a run begins and ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

import asyncclick as click
from asyncclick.exceptions import NoArgsIsHelpError

from imsync import __version__
from imsync.cli import (
    audit,
    backup,
    completion,
    conflict,
    dead_letter,
    drift,
    explain,
    health,
    incident,
    integration,
    key,
    link,
    maps,
    oncall,
    overview,
    plan,
    rules,
    services,
    status,
    token,
    watch,
    webhook,
)
from imsync.cli.options import FILE, Everywhere, group
from imsync.cli.output import DONE, Output, complain, interrupted, show
from imsync.cli.session import Session
from imsync.errors import ImsyncError

SAYS = """Keep incidents in step between your platform and PagerDuty.

    \b
    im declare --sev SEV-2 --title "Checkout is slow"
    im incident list --status open
    im integration sync-status prod-pd
"""

im = group(
    "im",
    SAYS,
    [
        incident.declare,
        group(
            "incident",
            "Incidents: look, change, note.",
            [
                incident.list_incidents,
                incident.show,
                incident.update,
                incident.mitigate,
                incident.resolve,
                incident.close,
                incident.reopen,
                incident.note,
                incident.timeline,
            ],
        ),
        group(
            "integration",
            "Connections to external accounts.",
            [
                integration.configure,
                integration.list_integrations,
                overview.show,
                integration.get,
                integration.delete,
                health.test,
                health.links,
                health.sync_status,
                dead_letter.dlq,
                drift.drift,
                group(
                    "field-ownership",
                    "Who owns which field.",
                    [rules.list_rules, rules.set_rule, rules.delete_rule],
                ),
                group(
                    "service-mapping",
                    "Which services come in as what, and where a type goes.",
                    [services.add, services.list_mappings, services.remove],
                ),
                group(
                    "map",
                    "What our severities and statuses are called there.",
                    [maps.list_maps, maps.set_map, maps.delete_map],
                ),
                oncall.oncall,
                group(
                    "webhook",
                    "The subscription that tells us what happens there.",
                    [
                        webhook.install,
                        webhook.show,
                        webhook.ping,
                        webhook.rotate,
                        webhook.enable,
                    ],
                ),
            ],
        ),
        group(
            "conflict",
            "What both sides changed, differently.",
            [
                conflict.list_conflicts,
                conflict.show,
                conflict.resolve,
                conflict.ignore,
                conflict.restore,
            ],
        ),
        group(
            "token",
            "Who may use the API over TCP.",
            [token.create, token.list_tokens, token.revoke],
        ),
        group("key", "What tokens and secrets are sealed with.", [key.rotate]),
        audit.audit,
        link.link,
        link.unlink,
        watch.watch,
        explain.explain,
        plan.plan,
        status.status,
        status.version,
        backup.backup,
        completion.completion,
    ],
    params=[
        Everywhere("--url", "url", metavar="URL", help="A remote daemon. [IMSYNC_URL]"),
        Everywhere("--token", "token", metavar="TOKEN", help="For --url. [IMSYNC_TOKEN]"),
        Everywhere(
            "--token-file",
            "token_file",
            type=FILE,
            metavar="FILE",
            help="Read the token from FILE, - for stdin: others here may see --token.",
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)


click.version_option(__version__, prog_name="im", message="%(prog)s %(version)s")(im)


async def run(args: Sequence[str]) -> int:
    """Do what the arguments say; answers the exit status."""
    if instruction := os.environ.get(completion.ASKED):
        sys.stdout.write(await completion.answer(im, instruction))
        return DONE
    session = Session()
    try:
        found = await im.main(args, prog_name="im", standalone_mode=False, obj=session)
    except NoArgsIsHelpError as named_alone:
        print(named_alone.format_message())
        return DONE
    except click.Abort:  # Ctrl-C, as asyncclick tells it
        return interrupted()
    except (click.ClickException, ImsyncError) as error:
        return complain(error)
    if not isinstance(found, Output):
        return DONE  # --help and --version have printed already
    return show(found, as_json=session.format == "json")


def main() -> NoReturn:
    """The entry point."""
    # Not asyncio's own handler: it would let a question at the terminal go on waiting.
    signal.signal(signal.SIGINT, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a narrow terminal gets \xe9, not a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(asyncio.run(run(sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit(interrupted())


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
