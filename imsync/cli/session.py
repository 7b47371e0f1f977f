"""What holds for one run of `im`: which daemon, who asks, and how to print."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import asyncclick as click

from imsync.cli.client import Daemon
from imsync.cli.secret import choose_secret
from imsync.cli.wire import PATIENCE, Transport, UnixSocket

Format = Literal["table", "json"]


def default_socket(env: Mapping[str, str] = os.environ, *, uid: int | None = None) -> str:
    """Where the daemon of this user listens when nobody says otherwise.

    The daemon's own configuration has the same rule.
    """
    if folder := env.get("XDG_RUNTIME_DIR"):
        return f"{folder}/imsync.sock"
    return f"/tmp/imsync-{os.getuid() if uid is None else uid}/imsync.sock"  # noqa: S108 - 0700, the daemon's


@dataclass(slots=True)
class Session:
    """The global options, as far as they were given. Empty is not given."""

    socket: str = ""
    url: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    by: str = ""
    format: Format = "table"

    def daemon(self, env: Mapping[str, str] = os.environ, *, patience: float = PATIENCE) -> Daemon:
        """The daemon that was meant: by the options first, by the environment next."""
        by = self.by or env.get("IMSYNC_AS", "")
        if by and ("@" not in by or not by.isprintable() or " " in by):
            raise click.UsageError(f"--as takes an e-mail, not {by!r}.")
        return Daemon(self._transport(env, patience), by=by)

    def _transport(self, env: Mapping[str, str], patience: float) -> Transport:
        if self.socket and self.url:
            raise click.UsageError("--socket and --url name two daemons: give one.")
        url = "" if self.socket else self.url or env.get("IMSYNC_URL", "")
        if not url:
            named = self.socket or env.get("IMSYNC_SOCKET")
            # In /tmp anybody may have made a folder of that name, before the daemon could.
            shared = not named and not env.get("XDG_RUNTIME_DIR")
            return UnixSocket(named or default_socket(env), patience, must_be_ours=shared)
        if not url.startswith(("http://", "https://")):
            raise click.UsageError(f"--url takes http://… or https://…, not {url!r}.")
        given = choose_secret(self.token or None, self.token_file or None, option="--token")
        token = given or env.get("IMSYNC_TOKEN", "")
        if not token.isprintable():
            raise click.UsageError("--token holds a line break or another control character.")
        from imsync.cli.remote import Remote  # aiohttp: three times the rest of `im`

        return Remote(url, token, patience)
