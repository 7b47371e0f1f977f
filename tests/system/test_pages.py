"""What the pages show is what happens: their consoles are typed, and what they print is compared.

In a ```console block, lines that begin with `$ ` are typed into one shell, in their order, and
the lines below them are what is printed: `…` stands for anything, and alone for any lines.
"""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.world import BIN, PATIENCE, World

PAGES = Path(__file__).parents[2] / "docs"
LOOKS = re.compile(
    r"im (?:(?:incident|integration|conflict) )?"
    r"(?:list|show|get|timeline|links|explain|plan|sync-status|test)\b"
)
KEEP = "; status=$?; export -p > .shell; exit $status"


def typed(page: str) -> Iterator[tuple[str, list[str]]]:
    """Every command of the page's consoles, with the lines that it should print."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for one in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *printed = one.rstrip("\n").split("\n")
            yield command, printed


def looks_like(printed: list[str]) -> re.Pattern[str]:
    """What the page shows, as a pattern. Trailing spaces do not count."""
    parts = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*?") + r" *\n"
        for line in printed
    ]
    return re.compile("".join(parts))


class Shell:
    """One shell: what a command sets, the next one has."""

    def __init__(self, world: World) -> None:
        self.world = world

    def types(self, command: str) -> subprocess.CompletedProcess[str]:
        path = f"{BIN}:{self.world.environment['PATH']}"
        return subprocess.run(
            ["bash", "-c", f"set -a; [ -f .shell ] && . ./.shell; {command}\n{KEEP[2:]}"],
            env={**self.world.environment, "PATH": path},
            cwd=self.world.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )


@pytest.mark.parametrize("name", ["getting-started.md"])
def test_what_a_page_shows_is_what_happens(world: World, name: str) -> None:
    world.start("--sandbox")
    shell = Shell(world)
    commands = list(typed((PAGES / name).read_text()))
    assert len(commands) > 10
    for command, printed in commands:
        pattern, deadline = looks_like(printed), time.monotonic() + PATIENCE
        while True:
            ran = shell.types(command)
            if pattern.fullmatch(ran.stdout) and ran.returncode == 0:
                break
            again = LOOKS.match(command) and time.monotonic() < deadline
            assert again, f"$ {command}\n{ran.stdout}{ran.stderr}"
