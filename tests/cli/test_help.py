"""Help: an example in every command, each of which the command line takes as it is printed."""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path

import asyncclick as click
import pytest

from imsync.cli import maps
from imsync.cli.main import im
from imsync.connectors.pagerduty.mapping import broken
from imsync.core.maps import Custom, Pairs
from tests.docs import leaves

from .conftest import FakeDaemon
from .test_start import HEAVY, HOUSE

RUN_ALL = """
import asyncio, json, sys
from imsync.cli.main import run

statuses = [asyncio.run(run(args)) for args in json.load(sys.stdin)]
json.dump({"statuses": statuses, "loaded": list(sys.modules)}, open("done.json", "w"))
"""


def examples(command: click.Command) -> list[str]:
    """The lines of its help that can be typed, each as one."""
    help_ = (command.help or "").replace("\\\n", " ")
    return re.findall(r"^ *(im .*?)(?: > .*)?$", help_, re.MULTILINE)


COMMANDS = dict(leaves(im))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_of_itself(path: tuple[str, ...]) -> None:
    found = [shlex.split(line) for line in examples(COMMANDS[path])]
    assert found, f"`im {' '.join(path)} --help` shows no example"
    assert any(tuple(line[1 : len(path) + 1]) == path for line in found)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_of_its_own_says_what_it_takes_or_does(path: tuple[str, ...]) -> None:
    """Words speak for themselves; anything else has a line of help, or at least a metavar."""
    for param in COMMANDS[path].params:
        if isinstance(param, click.Option):
            told = param.help or param.metavar or isinstance(param.type, click.Choice)
            assert told or param.name in ("name", "title", "description", "integration", "incident")


def test_the_maps_of_the_help_come_out_even() -> None:
    """One was refused as soon as somebody typed it."""
    tried = [shlex.split(line) for line in examples(COMMANDS["integration", "map", "set"])]
    for _, _, _, _, _, name, *pairs in tried:
        body = maps.parsed(name, tuple(pairs))
        custom = Custom({name: Pairs(body["out"], body["in"])})
        assert broken(custom, ["Critical", "Major", "Minor"]) is None, pairs
    assert len(tried) == 3


async def test_every_example_is_taken_and_none_loads_anything_slow(
    daemon: FakeDaemon, folder: Path
) -> None:
    """One process runs them all over the socket: not even together do they load what is heavy."""
    daemon.answers_everything()
    (folder / "token.txt").write_text("u+secret")
    typed = []
    for command in COMMANDS.values():
        asks = {"--yes"} if any(param.name == "yes" for param in command.params) else set()
        typed += [[*shlex.split(line)[1:], *asks] for line in examples(command)]
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN_ALL,
        env={"IMSYNC_SOCKET": str(daemon.socket), "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await running.communicate(json.dumps(typed).encode())
    assert running.returncode == 0, said.decode()
    done = json.loads((folder / "done.json").read_text())
    refused = [line for line, status in zip(typed, done["statuses"], strict=True) if status == 2]
    assert refused == [], said.decode()
    assert not HEAVY & set(done["loaded"])
    house = {name for name in done["loaded"] if name.partition(".")[0] == "imsync"}
    assert {name for name in house if not name.startswith("imsync.cli")} == HOUSE
