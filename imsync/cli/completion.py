"""`im completion`, and the answers to the shells that have it: words, and ids of the daemon.

A shell asks by starting `im` with ASKED set. Whatever goes wrong then is kept quiet:
nobody wants an error in the middle of a line that is being typed.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import asyncclick as click
from asyncclick.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
)

from imsync.cli.client import Daemon
from imsync.cli.options import ASKED_FOR, Word, command
from imsync.cli.output import Output
from imsync.cli.session import Session
from imsync.cli.table import Verbatim
from imsync.harmless import harmless

ASKED = "_IM_COMPLETE"
PATIENCE = 1.0  # seconds: who presses Tab does not wait longer
NEWEST = 100

# What an argument or option of this name takes: where it is listed, what it is called there,
# and what says which it is.
LISTED: Mapping[str, tuple[str, str, str]] = {
    "integration": ("integrations", "slug", "name"),
    "incident": ("incidents", "id", "title"),
    "conflict": ("conflicts", "id", "field"),
}


class _Answering(ShellComplete):
    """What the shells have in common: ids are asked of the daemon when it is their turn."""

    async def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        found = list[CompletionItem[str]]()
        for item in await super().get_completions(args, incomplete):
            found += await _ids(item) if item.type == ASKED_FOR else [item]
        return found


class _Bash(_Answering, BashComplete):
    def get_completion_args(self) -> tuple[list[str], str]:
        """Bash makes three words of `--format=json`."""
        args, incomplete = super().get_completion_args()
        return [word for word in args if word != "="], incomplete


class _Zsh(_Answering, ZshComplete): ...


class _Fish(_Answering, FishComplete):
    # What a candidate says of itself ("Incidents: look, change, note.") has commas of its own.
    source_template = FishComplete.source_template.replace(
        'string split "," $completion', 'string split --max 1 "," $completion'
    )


SHELLS: Mapping[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


@command("completion")
@click.argument("shell", type=Word(*SHELLS))
async def completion(daemon: Daemon, /, shell: str) -> Output:  # noqa: ARG001 - every command has one
    """Print what makes a shell complete commands, options and ids.

    \b
    im completion bash > ~/.local/share/bash-completion/completions/im
    im completion zsh > ~/.zfunc/_im
    im completion fish > ~/.config/fish/completions/im.fish
    """
    asking = SHELLS[shell](click.get_current_context().find_root().command, {}, "im", ASKED)
    script = asking.source_template % asking.source_vars()
    return Output({"shell": shell, "script": script}, [Verbatim(script.rstrip("\n"))])


async def answer(im: click.Command, instruction: str) -> str:
    """The completions of the line that the shell left in the environment, as it reads them."""
    asking = SHELLS.get(instruction.partition("_")[0])
    with suppress(Exception):  # also the bugs: see above
        if asking is not None:
            return await asking(im, {"obj": Session()}, "im", ASKED).complete() + "\n"
    return ""


async def _ids(item: CompletionItem[str]) -> list[CompletionItem[str]]:
    """The ids that begin as it does, the newest first."""
    if item.kind not in LISTED:
        return []
    path, called, says = LISTED[item.kind]
    daemon = item.ctx.ensure_object(Session).daemon(os.environ, patience=PATIENCE)
    page = await daemon.items(path, limit=NEWEST)
    return [
        CompletionItem(harmless(str(one[called])), help=harmless(str(one.get(says) or "")) or None)
        for one in page["items"]
        if _begins(one, called, item.value)
    ]


def _begins(one: Any, called: str, begun: str) -> bool:
    return isinstance(one, Mapping) and str(one.get(called, "")).lower().startswith(begun.lower())
