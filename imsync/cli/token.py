"""`im token`: who may speak to the daemon over TCP. `im` on its own host needs none."""

import re

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, SCOPE, command, given, limit
from imsync.cli.output import Output, how_many
from imsync.cli.table import facts, table

_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Duration(click.ParamType[int]):
    """A number and a unit, in seconds: 90d."""

    name = "duration"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([1-9][0-9]{0,6})([mhdw])", value.strip().lower())
        if not found:
            self.fail(
                f"{value!r} is no duration: give minutes, hours, days or weeks, as 90d.", param, ctx
            )
        return int(found[1]) * _SECONDS[found[2]]


@command("create")
@click.option("--name", type=NAME, required=True)
@click.option("--scope", type=SCOPE, default="write", show_default=True)
@click.option("--expires", type=Duration(), metavar="90d", help="How long it is good. [for ever]")
async def create(daemon: Daemon, /, name: str, scope: str, expires: int | None) -> Output:
    """Make a token, and show it this once: whoever has it may use the API over TCP.

    `read` looks, `write` edits incidents and settles conflicts, `admin` may do everything.
    From the first token on, programs on the daemon's own host need one too.

    \b
    im token create --name ci --scope read --expires 90d
    """
    body = {"name": name, "scope": scope, **given(expires_in_s=expires)}
    made = await daemon.post("tokens", body=body)
    text = facts(made, "id", "name", "scope", "expires_at", "token")
    return Output(made, [text], note="the token is not shown again")


@command("list")
@limit
async def list_tokens(daemon: Daemon, /, limit: int) -> Output:
    """List the tokens there ever were, the newest first.

    \b
    im token list
    """
    found = await daemon.items("tokens", limit=limit)
    shown = [{**one, "expires": one.get("expires_at")} for one in found["items"]]
    columns = ("id", "name", "scope", "state", "created_at", "expires")
    return Output(found, [table(shown, *columns)], note=how_many(found, "tokens"))


@command("revoke")
@click.argument("token", type=NAME)
async def revoke(daemon: Daemon, /, token: str) -> Output:
    """Let a token, by its id or name, be good for nothing from now on.

    \b
    im token revoke ci
    """
    return describe(await daemon.delete("tokens", token))


def describe(token: Json) -> Output:
    return Output(token, [facts(token, "id", "name", "scope", "state", "revoked_at")])
