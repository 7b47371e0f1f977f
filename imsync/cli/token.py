"""`im token`: who may speak to the daemon over TCP. `im` on its own host needs none."""

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import DURATION, NAME, SCOPE, command, given, limit
from imsync.cli.output import Output, how_many
from imsync.cli.table import facts, table


@command("create")
@click.option("--name", type=NAME, required=True)
@click.option("--scope", type=SCOPE, default="write", show_default=True)
@click.option("--expires", type=DURATION, metavar="90d", help="How long it is good. [for ever]")
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
