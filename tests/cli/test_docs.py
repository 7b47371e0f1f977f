"""Every command of `im` that a page or an example shows is one that the command line takes."""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path

import asyncclick as click
import pytest

from imsync.cli.main import im

from .conftest import FakeDaemon
from .test_help import RUN_ALL

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.sh")]


def shown(text: str, *, script: bool) -> list[str]:
    """The lines of its blocks (or of a script) that run `im`, each as one."""
    blocks = [text] if script else re.findall(r"^ *```\w+\n(.*?)^ *```$", text, re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = [re.match(r"^(?:\$ |sudo -u \w+ )?(im .*)$", line.strip()) for line in lines]
    return [one[1] for one in found if one]


def words(line: str) -> list[str]:
    """As a shell would read them, up to the first thing that is the shell's."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=">|;&<")
    lexer.whitespace_split = True
    typed: list[str] = []
    for word in lexer:
        if word and set(word) <= set(">|;&<"):
            break
        typed.append(word)
    return typed


def leaf(typed: list[str]) -> click.Command:
    """The command that these words run."""
    command: click.Command = im
    for word in typed:
        if isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
    return command


def as_tried(typed: list[str], socket: Path) -> list[str]:
    """The same without questions, standard input, and other people's daemons."""
    tried = ["token.txt" if word == "-" else word for word in typed]
    for at, word in enumerate(tried[:-1]):
        if word in ("--url", "--socket"):
            tried[at : at + 2] = ["--socket", str(socket)]
    asks = any(param.name == "yes" for param in leaf(typed).params)
    return [*tried, "--yes"] if asks and "--yes" not in tried else tried


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_it_is_taken_as_it_is_shown(page: Path, daemon: FakeDaemon, folder: Path) -> None:
    daemon.answers_everything()
    (folder / "token.txt").write_text("u+secret")
    lines = shown(page.read_text(), script=page.suffix == ".sh")
    typed = [words(line)[1:] for line in lines]
    unknown = [line for line in typed if isinstance(leaf(line), click.Group)]
    assert unknown == []
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN_ALL,
        env={"IMSYNC_SOCKET": str(daemon.socket), "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    tried = [as_tried(line, daemon.socket) for line in typed]
    _, said = await running.communicate(json.dumps(tried).encode())
    statuses = json.loads((folder / "done.json").read_text())["statuses"]
    refused = [line for line, status in zip(tried, statuses, strict=True) if status == 2]
    assert refused == [], said.decode()


def test_the_pages_show_some() -> None:
    counts = {
        page.name: len(shown(page.read_text(), script=page.suffix == ".sh")) for page in PAGES
    }
    for name in (
        "README.md",
        "getting-started.md",
        "operating.md",
        "reference.md",
        "description.sh",
    ):
        assert counts[name] > 5, name
