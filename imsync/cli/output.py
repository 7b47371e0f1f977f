"""The one printer: what a command found, or why it did not, and the exit status.

Standard output carries what was asked for and nothing else; messages go to
standard error.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import asyncclick as click

from imsync.cli.table import Block, plain
from imsync.cli.wire import Unreachable
from imsync.errors import ImsyncError, NotFound
from imsync.harmless import STEERING, harmless

DONE = 0
REFUSED = 1
USAGE = 2
UNREACHABLE = 3
NOT_FOUND = 4
UNHEALTHY = 5
INTERRUPTED = 130

# The first row that fits.
EXITS: tuple[tuple[type[Exception], int], ...] = (
    (click.ClickException, USAGE),
    (Unreachable, UNREACHABLE),
    (NotFound, NOT_FOUND),
    (ImsyncError, REFUSED),
)


@dataclass(frozen=True, slots=True)
class Output:
    """What a command found: `data` for programs, `text` for people."""

    data: Any
    text: Sequence[Block]
    note: str = ""  # said to people beside the text: that there is nothing, or that there is more
    status: int = DONE


def how_many(found: Mapping[str, Any], what: str) -> str:
    """What to say beside a list that is empty, or that goes on."""
    if not found["items"]:
        return f"no {what}"
    if found["next_cursor"]:
        return f"the first {len(found['items'])} {what}: --limit shows more"
    return ""


def show(output: Output, *, as_json: bool) -> int:
    """Print the output; answers the exit status."""
    try:
        if as_json:
            sys.stdout.write(encode(output.data, ascii_only=is_narrow(sys.stdout)))
        elif sys.stdout.isatty():
            from imsync.cli.terminal import show as show_on_terminal  # rich: slow to load

            show_on_terminal(output.text)
        elif texts := list(filter(None, map(plain, output.text))):
            sys.stdout.write("\n\n".join(texts) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        leave_the_pipe()
    if output.note:
        say(output.note)
    return output.status


def complain(error: Exception) -> int:
    """Say what went wrong in a line, and what would help in another; answers the exit status."""
    if isinstance(error, click.ClickException):
        message, hint = error.format_message(), _usage_hint(error)
    else:
        message, hint = str(error), getattr(error, "hint", "")
    say(f"error: {message}")
    if hint:
        say(f"hint: {hint}")
    return next(status for kind, status in EXITS if isinstance(error, kind))


def encode(data: Any, *, ascii_only: bool, indent: int | None = 2) -> str:
    """The data as JSON that is safe to look at: what could steer a terminal is escaped.

    Without an `indent` it is one line.
    """
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    lines = (
        STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in text.split("\n")
    )
    return "\n".join(lines) + "\n"


def _usage_hint(error: click.ClickException) -> str:
    if isinstance(error, click.UsageError) and error.ctx:
        return f"see `{error.ctx.command_path} --help`"
    return ""


def is_narrow(stream: TextIO) -> bool:
    return "utf" not in (stream.encoding or "").lower()


def say(message: str) -> None:
    """Tell people something on standard error."""
    try:
        print(harmless(message), file=sys.stderr, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def interrupted() -> int:
    """Leave the line on which the terminal has shown ^C; answers the exit status."""
    if sys.stderr.isatty():
        say("")
    return INTERRUPTED


def leave_the_pipe() -> None:
    """Whoever read us has seen enough. Nothing may fail later for what is still unwritten."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
