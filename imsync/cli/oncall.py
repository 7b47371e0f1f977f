"""`im integration oncall`: who is on call, and how old that answer is."""

import re
from typing import Any

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, command
from imsync.cli.output import Output
from imsync.cli.table import Table, cell, duration
from imsync.cli.working import ASKING, working

FRESH = 60  # seconds that an answer is told again without asking


@command("oncall")
@click.argument("integration", type=NAME)
@click.option("--schedule-id", type=NAME, metavar="ID", help="Who is on call by that schedule.")
@click.option(
    "--escalation-policy", type=NAME, metavar="P", help="Who is, for that policy: its name or id."
)
async def oncall(
    daemon: Daemon, /, integration: str, schedule_id: str | None, escalation_policy: str | None
) -> Output:
    """Show who is on call now, the first to be asked first.

    An answer is good for a minute. When PagerDuty cannot be asked, the last one is
    shown with its age.

    \b
    im integration oncall prod-pd --schedule-id PABC123
    im integration oncall prod-pd --escalation-policy "Platform on call"
    """
    if (schedule_id is None) == (escalation_policy is None):
        raise click.UsageError("Say either --schedule-id or --escalation-policy.")
    async with working(ASKING):
        found = await daemon.get(
            *("integrations", integration, "oncall"),
            schedule_id=schedule_id,
            escalation_policy=escalation_policy,
        )
    by = "escalation_policy" if schedule_id else "schedule"
    return Output(found, [rows_of(found, by), age(found)], note=_note(found))


def rows_of(found: Json, by: str) -> Table:
    """One row for each who is on call, with `by` what else; whoever is so for ever, always is."""
    rows = [
        [
            *(cell(one.get(name)) for name in ("level", "user", "email", by)),
            *(to_the_minute(one.get(name)) for name in ("since", "until")),
        ]
        for one in found["items"]
    ]
    return Table(["level", "user", "email", by.replace("_", " "), "since", "until"], rows)


def to_the_minute(value: Any) -> str:
    """A time of the API without its seconds; shifts begin and end on the minute."""
    if value is None:
        return "always"
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(\.\d+)?Z$", r"\1 \2Z", cell(value))


def age(found: Json) -> str:
    seconds = found.get("age_s")
    long_ago = isinstance(seconds, int) and seconds > 2 * FRESH
    return f"as of {duration(seconds) if long_ago else f'{cell(seconds)} s'} ago"


def _note(found: Json) -> str:
    said = [] if found["items"] else ["nobody is on call"]
    age_s = found.get("age_s")
    if isinstance(age_s, int) and age_s > FRESH:
        said.append("PagerDuty could not be asked: this is its last answer")
    return "; ".join(said)
