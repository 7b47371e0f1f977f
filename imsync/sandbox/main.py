"""`pagerduty-sandbox`: the sandbox alone."""

import asyncio
import random
import re
import signal
import ssl
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import NoReturn

import aiohttp
import asyncclick as click
import orjson

from imsync import __version__
from imsync.sandbox.limits import Rates
from imsync.sandbox.records import Damaged, InUse
from imsync.sandbox.rows import Json
from imsync.sandbox.sandbox import Sandbox


class Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT; port 0 is any free one."""

    name = "HOST:PORT"

    def convert(
        self,
        value: str | tuple[str, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = value.rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
            self.fail(f"{value!r} is not HOST:PORT, as 127.0.0.1:8090 is.", param, ctx)
        return host.removeprefix("[").removesuffix("]"), int(port)


class Limit(click.ParamType[tuple[str, int]]):
    """NAME=N: one of the limits, and calls a minute."""

    name = "NAME=N"

    def convert(
        self,
        value: str | tuple[str, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        limit, _, number = value.partition("=")
        known = [field.name for field in fields(Rates)]
        if limit not in known or not re.fullmatch(r"[1-9][0-9]{0,8}", number):
            names = ", ".join(known)
            self.fail(f"{value!r} is not NAME=N, with 1 or more for one of {names}.", param, ctx)
        return limit, int(number)


READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("pagerduty-sandbox", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--listen", type=Address(), default="127.0.0.1:8090", show_default=True, help="Where to serve."
)
@click.option("--seed", type=int, help="The same seed makes the same account. [any]")
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How to say where it listens.",
)  # fmt: skip
@click.option(
    "--state", type=click.Path(dir_okay=False, path_type=Path),
    help="Keep everything in this file, and go on from it. [in memory only]",
)  # fmt: skip
@click.option("--tls-cert", type=READABLE, help="Serve https with this certificate (PEM).")
@click.option("--tls-key", type=READABLE, help="Its key (PEM).")
@click.option(
    "--rate-limit", type=click.IntRange(min=1), default=960, show_default=True,
    help="API calls a minute for each token; operations with a lower limit in proportion.",
)  # fmt: skip
@click.option(
    "--limit", "limits", type=Limit(), multiple=True,
    help="One limit by name, again for each: put_incidents=500, post_incidents, get_oncalls.",
)  # fmt: skip
@click.option(
    "--time-scale", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
    help="How many times faster PagerDuty's own waits go by: retries, timers.",
)  # fmt: skip
@click.version_option(__version__, message="%(prog)s %(version)s")
async def cli(
    *,
    listen: tuple[str, int],
    seed: int | None,
    style: str,
    state: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    rate_limit: int,
    limits: tuple[tuple[str, int], ...],
    time_scale: float,
) -> None:
    """A PagerDuty of your own to try imsync against: REST, webhooks, limits, faults."""
    if (tls_cert is None) is not (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    tls = _tls(tls_cert, tls_key) if tls_cert and tls_key else None
    async with aiohttp.ClientSession() as session:
        try:
            sandbox = Sandbox(
                session=session,
                now=lambda: time.time_ns() // 1_000_000,
                rng=random.Random(seed),
                state=state,
                time_scale=time_scale,
                rates=replace(Rates.of(rate_limit), **dict(limits)),
            )
        except (OSError, Damaged, InUse) as error:
            raise click.ClickException(f"The state cannot be kept: {error}") from None
        try:
            await sandbox.start(*listen, ssl_context=tls)
        except OSError as error:
            await sandbox.stop()
            why = error.strerror or str(error)
            raise click.ClickException(f"Cannot listen on {listen[0]}:{listen[1]}: {why}") from None
        await _serve(sandbox, style)


async def _serve(sandbox: Sandbox, style: str) -> None:
    """Until a signal says to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    about = sandbox.describe()
    print(orjson.dumps(about).decode() if style == "json" else _for_people(about), flush=True)
    running, told = asyncio.create_task(sandbox.run()), asyncio.create_task(stop.wait())
    await asyncio.wait((running, told), return_when=asyncio.FIRST_COMPLETED)
    await sandbox.stop()
    told.cancel()
    await running


def _tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise click.UsageError(f"The certificate and its key do not load: {error}") from None
    return context


def _for_people(about: Json) -> str:
    lines = [
        f"A PagerDuty sandbox listens on {about['url']}",
        "Open it in a browser to play PagerDuty; ask it with curl what else there is.",
        "",
        f"token            {about['token']}",
        f"from             {about['from_email']}",
        f"default service  {about['default_service']}",
    ]
    for name in ("users", "services", "escalation_policies", "schedules", "priorities"):
        lines += ["", name.replace("_", " ")]
        lines += [f"  {_row(item)}" for item in about[name]]
    return "\n".join([*lines, "", "Ctrl-C stops it."])


def _row(item: Json) -> str:
    return "  ".join([item["id"], item["name"], *([item["email"]] if "email" in item else [])])


async def run() -> int:
    """Do what the command line says; answers the exit status."""
    try:
        await cli.main(prog_name="pagerduty-sandbox", standalone_mode=False)
    except click.ClickException as error:
        print(f"pagerduty-sandbox: {error.format_message()}", file=sys.stderr)
        return error.exit_code
    except click.Abort:
        return 0
    return 0


def main() -> NoReturn:
    """The entry point."""
    sys.exit(asyncio.run(run()))
