"""`im watch` and the stream of events, with a real daemon: stopped, killed, started again."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from urllib.request import Request, urlopen

import pytest

from tests.system.world import BIN, PATIENCE, Json, World


@contextmanager
def watching(world: World, *words: str, at: str = "") -> Iterator[subprocess.Popen[str]]:
    """An `im watch` that says it is watching."""
    process = subprocess.Popen(
        [BIN / "im", *(["--url", at] if at else []), "watch", *words],
        env=world.environment,
        cwd=world.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert said(process) == "watching: Ctrl-C ends it\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def said(process: subprocess.Popen[str]) -> str:
    return pipe(process.stderr).readline()


def event(process: subprocess.Popen[str]) -> Json:
    found: Json = json.loads(pipe(process.stdout).readline())
    return found


def declare(world: World, title: str) -> None:
    world.json("declare", "--sev", "SEV-4", "--title", title)


def test_it_goes_on_when_the_daemon_was_stopped_or_killed(world: World) -> None:
    world.start()
    declare(world, "Before anybody looked")
    with watching(world, "--format", "json") as process:
        seen = []
        for number, end in enumerate([world.stop, world.kill, world.stop]):
            declare(world, f"{number} before the end")
            seen.append(event(process))
            end()
            assert "waiting for it to be back" in said(process)
            world.start()
            declare(world, f"{number} after the start")
            seen.append(event(process))
            assert said(process) == "imsyncd is back: nothing was missed\n"
    assert [one["id"] for one in seen] == ["2", "3", "4", "5", "6", "7"]
    assert [one["data"]["title"][2:] for one in seen] == ["before the end", "after the start"] * 3


def test_people_get_a_line_an_event_at_once_also_in_a_pipe(world: World) -> None:
    world.start()
    with watching(world) as process:
        world.json("--as", "ada@acme.example", "declare", "--sev", "SEV-2", "--title", "Disk full")
        line = pipe(process.stdout).readline()
        assert line[8:] == "Z  INC-1    declared SEV-2: Disk full  (by ada@acme.example)\n"


def test_ctrl_c_ends_it_with_130(world: World) -> None:
    world.start()
    with watching(world) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err.strip()) == (130, "", "")
        # ... and also while it waits for a daemon that is gone.
    with watching(world) as process:
        world.stop()
        assert "waiting for it to be back" in said(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err.strip()) == (130, "", "")


def test_a_reader_who_has_seen_enough_ends_it(world: World) -> None:
    world.start()
    with watching(world) as process:
        pipe(process.stdout).close()
        declare(world, "Nobody reads this")
        assert process.wait(timeout=PATIENCE) == 0
        assert pipe(process.stderr).read() == ""


@pytest.mark.parametrize("where", ["socket", "url"])
def test_a_stop_ends_the_streams_at_once(world: World, where: str) -> None:
    world.start()
    with watching(world, at=world.url if where == "url" else "") as process:
        before = time.monotonic()
        assert world.stop() == 0
        assert time.monotonic() - before < 3, "what a request in hand is waited for is 5 s"
        assert "waiting for it to be back" in said(process)


def test_any_client_can_go_on_where_it_ended(world: World) -> None:
    world.start()
    for number in range(3):
        declare(world, str(number))
    request = Request(f"{world.url}/api/v1/events", headers={"Last-Event-ID": "1"})
    with urlopen(request, timeout=PATIENCE) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = [answer.readline().decode() for _ in range(9)]
    assert [line for line in lines if line.startswith("id: ")] == ["id: 1\n", "id: 2\n", "id: 3\n"]
