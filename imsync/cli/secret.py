"""Secrets that come by another way than the command line, which others on the machine can read."""

import sys
from pathlib import Path

import asyncclick as click


def read_secret(source: str, *, option: str) -> str:
    """The secret in a file, or on standard input for `-`, without the line's end."""
    try:
        secret = (sys.stdin.read() if source == "-" else Path(source).read_text()).strip()
    except OSError as error:
        raise click.UsageError(f"{option}: cannot read {source}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{option}: {source} is not text.") from None
    if not secret:
        raise click.UsageError(f"{option}: {source} is empty.")
    return secret


def choose_secret(value: str | None, file: str | None, *, option: str) -> str | None:
    """The secret that `--option` or `--option-file` gives; None if neither does."""
    if file is None:
        return value
    if value is not None:
        raise click.UsageError(f"{option} and {option}-file say it twice: give one.")
    return read_secret(file, option=f"{option}-file")
