"""`im integration drift`: what no webhook told of, a sweep for it, and the brake."""

import asyncio

import asyncclick as click

from imsync.cli.ask import agreed
from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, command, yes
from imsync.cli.output import DONE, REFUSED, UNHEALTHY, Output
from imsync.cli.table import Block, cell, facts, when
from imsync.cli.working import working
from imsync.errors import UserError
from imsync.harmless import harmless

_PAUSE = 0.2
"""Seconds between looks at how far a sweep is."""


@command("drift")
@click.argument("integration", type=NAME)
@click.option("--now", is_flag=True, help="Look now, past the brake if it was pulled.")
@yes
async def drift(daemon: Daemon, /, integration: str, now: bool, yes: bool) -> Output:
    """Show what was found by looking, and whether a sweep was stopped; look now with --now.

    --now waits until everything has been looked at, and exits 5 if that came to no good
    end. A sweep that would change very much at once is stopped: another account, or
    nonsense, would look just like it. --now then asks, and lets it go ahead.

    \b
    im integration drift prod-pd
    im integration drift prod-pd --now
    """
    found = await daemon.get("integrations", integration, "drift")
    if not now:
        return Output(found, shown(found))
    stopped = found.get("stopped")
    if isinstance(stopped, dict):
        question = f"Change {cell(stopped.get('would_change'))} incidents at once?"
        if not agreed(question, yes=yes):
            return Output(found, [], note="nothing was changed", status=REFUSED)
    body = {"accept": isinstance(stopped, dict)}
    await daemon.post("integrations", integration, "drift", body=body)
    found = await swept(daemon, integration)
    well = _sweep(found).get("state") == "done"
    return Output(found, [outcome(found), *shown(found)], status=DONE if well else UNHEALTHY)


async def swept(daemon: Daemon, integration: str) -> Json:
    """Wait for the sweep that was asked for, or is under way. Raises UserError if there is none."""
    async with working(f"looking at {integration}") as work:
        while True:
            found = await daemon.get("integrations", integration, "drift")
            sweep = _sweep(found)
            if not sweep:
                raise UserError(
                    f"{integration} was taken from work meanwhile",
                    hint=f"see `im integration get {integration}`",
                )
            if sweep.get("state") not in ("waiting", "running"):
                return found
            work.tell(int(sweep.get("met") or 0), found.get("open_there"))
            await asyncio.sleep(_PAUSE)


def outcome(found: Json) -> str:
    """What came of the sweep, in a line."""
    sweep = _sweep(found)
    if because := sweep.get("because"):
        if sweep.get("state") == "stopped":
            return harmless(f"the sweep was stopped: {because}; nothing was changed")
        return harmless(f"the sweep failed: {because}; it is tried again")
    told = f"looked at {counted(sweep.get('met'))}: {cell(sweep.get('mended'))} mended"
    return f"{told}, {cell(sweep['taken_in'])} taken in" if sweep.get("taken_in") else told


def counted(count: object) -> str:
    return "1 incident" if count == 1 else f"{cell(count)} incidents"


def shown(found: Json) -> list[Block]:
    told = {**found, "log_read_to": when(found.get("log_read_to_at"))}
    text: list[Block] = [facts(told, "integration", "healed", "last_sweep_at", "log_read_to")]
    stopped = found.get("stopped")
    if isinstance(stopped, dict):
        text.append(
            f"stopped {when(stopped.get('at'))}: a sweep would have changed"
            f" {cell(stopped.get('would_change'))} of {cell(stopped.get('met'))} incidents;"
            f" `im integration drift {cell(found.get('integration'))} --now` lets it go ahead"
        )
    return text


def _sweep(found: Json) -> Json:
    sweep = found.get("sweep")
    return sweep if isinstance(sweep, dict) else {}
