"""`im integration drift`: what no webhook told of, and the brake."""

import asyncclick as click

from imsync.cli.ask import agreed
from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, command, yes
from imsync.cli.output import REFUSED, Output
from imsync.cli.table import Block, cell, facts, when


@command("drift")
@click.argument("integration", type=NAME)
@click.option("--now", is_flag=True, help="Look now, past the brake if it was pulled.")
@yes
async def drift(daemon: Daemon, /, integration: str, now: bool, yes: bool) -> Output:
    """Show what was found by looking, and whether a sweep was stopped; look now with --now.

    A sweep that would change very much at once is stopped: another account, or nonsense,
    would look just like it. --now lets it go ahead, and asks first.

    \b
    im integration drift prod-pd
    im integration drift prod-pd --now
    """
    found = await daemon.get("integrations", integration, "drift")
    if not now:
        return shown(found)
    stopped = found.get("stopped")
    if isinstance(stopped, dict):
        question = f"Change {cell(stopped.get('would_change'))} incidents at once?"
        if not agreed(question, yes=yes):
            return Output(found, [], note="nothing was changed", status=REFUSED)
    body = {"accept": isinstance(stopped, dict)}
    asked = await daemon.post("integrations", integration, "drift", body=body)
    return Output(asked, shown(asked).text, note="looking now")


def shown(found: Json) -> Output:
    text: list[Block] = [facts(found, "integration", "healed", "last_sweep_at", "log_read_to_at")]
    stopped = found.get("stopped")
    if isinstance(stopped, dict):
        text.append(
            f"stopped {when(stopped.get('at'))}: a sweep would have changed"
            f" {cell(stopped.get('would_change'))} of {cell(stopped.get('met'))} incidents;"
            f" `im integration drift {cell(found.get('integration'))} --now` lets it go ahead"
        )
    return Output(found, text)
