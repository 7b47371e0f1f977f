"""The question before something is destroyed."""

import sys

import asyncclick as click

from imsync.harmless import harmless


def agreed(question: str, *, yes: bool) -> bool:
    """Whether to go on: because `--yes` said so, or because somebody at the terminal does.

    Without a terminal nobody can be asked, and going on would be a guess.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is at a terminal to be asked: say --yes to go on.")
    sys.stderr.write(f"{harmless(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
