"""`im audit`: who changed how imsync works, or who may use it."""

from datetime import UTC, datetime, timedelta

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.happening import setting
from imsync.cli.options import DURATION, NAME, command, given, limit
from imsync.cli.output import Output, how_many
from imsync.cli.table import Table, cell

COLUMNS = ("at", "who", "done")


class Moment(click.ParamType[str]):
    """A time of the API: as it is given, a day in UTC, or as long ago as a duration says."""

    name = "moment"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            at = datetime.fromisoformat(value.strip().upper())
        except ValueError:
            at = self._ago(value, param, ctx)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _ago(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return datetime.now(UTC) - timedelta(seconds=DURATION.convert(value, param, ctx))
        except OverflowError:
            self.fail(f"{value!r} is before there were any dates.", param, ctx)
        except click.UsageError:
            self.fail(
                f"{value!r} is not a time: give 7d, 2026-11-03 or 2026-11-03T12:00Z.", param, ctx
            )


@command("audit")
@click.option("--since", type=Moment(), metavar="7d|TIME", help="Not what was before.")
@click.option("--until", type=Moment(), metavar="7d|TIME", help="Only what was before.")
@click.option(
    "--actor", type=NAME, metavar="NAME", help="A token or user, or who they said they were."
)
@click.option(
    "--action", type=NAME, metavar="ACTION", help="As token.created, or all of them: token."
)
@click.option("--subject", type=NAME, metavar="NAME", help="What was changed: its id or name.")
@limit
async def audit(
    daemon: Daemon,
    /,
    since: str | None,
    until: str | None,
    actor: str | None,
    action: str | None,
    subject: str | None,
    limit: int,
) -> Output:
    """Show who changed which rule, credential, conflict or token, and from where.

    The newest first. Of credentials it is told that they changed, and nothing else. Who
    edited an incident, its timeline tells.

    \b
    im audit --since 7d
    im audit --action credentials,token
    im audit --actor ci --subject prod-pd
    """
    asked = given(since=since, until=until, actor=actor, action=action, subject=subject)
    found = await daemon.items("audit", limit=limit, **asked)
    rows = [row(line) for line in found["items"]]
    table = Table(COLUMNS, rows)
    return Output(found, [table], note=how_many(found, "lines"))


def row(line: Json) -> list[str]:
    return [_when(line.get("at")), who(line), done(line)]


def who(line: Json) -> str:
    """Who it was, and from where if not over the socket."""
    peer = line.get("peer")
    actor = cell(line.get("actor"))
    return actor if peer in ("socket", "file", None) else f"{actor} at {cell(peer)}"


def done(line: Json) -> str:
    """What was done to what; and, as no more than what was said, by whom and for whom."""
    changes = [one for one in line.get("changes") or [] if isinstance(one, dict)]
    told = "; ".join(map(changed, changes))
    what = f"{cell(line.get('action'))} {cell(line.get('subject_name') or line.get('subject'))}"
    said = [cell(line[name]) for name in ("claims", "forwarded") if line.get(name)]
    what += f": {told}" if told else ""
    return f"{what} (says {', '.join(said)})" if said else what


def changed(change: Json) -> str:
    field, old, new = cell(change.get("field")), change.get("old"), change.get("new")
    if change.get("secret"):
        return f"{field} is another"
    if new is None:
        return f"{field}: no longer {setting(old)}"
    return f"{field}: {setting(new)}" + (f" (was {setting(old)})" if old is not None else "")


def _when(at: object) -> str:
    """To the second: what people ask of an audit trail is when, not how long ago."""
    text = cell(at)
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    except ValueError:
        return text
