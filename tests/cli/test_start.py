"""`im` as a program: what it loads, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"aiohttp", "pydantic", "pydantic_settings", "rich", "orjson", "aiosqlite", "sqlite3"}
HOUSE = {"imsync", "imsync.errors", "imsync.harmless"}
IM = [sys.executable, "-c", "from imsync.cli.main import main; main()"]
LIST_MODULES = """
import sys
from imsync.cli.main import main
try:
    main()
finally:
    print("loaded:", *sys.modules)
"""


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IMSYNC_")}
    env = {**clean, "IMSYNC_SOCKET": str(folder / "s"), **environment}
    return subprocess.run(
        command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


@pytest.mark.parametrize(
    "args", [["--help"], ["incident", "list", "--help"], ["--version"], ["status"]]
)
def test_nothing_slow_and_nothing_of_the_house_is_loaded(args: list[str], folder: Path) -> None:
    done = run(sys.executable, "-c", LIST_MODULES, *args, folder=folder)

    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    assert "imsync.cli.main" in loaded
    assert not loaded & HEAVY
    assert {
        name
        for name in loaded
        if name.partition(".")[0] == "imsync" and not name.startswith("imsync.cli")
    } == HOUSE


def test_a_daemon_that_is_not_there_costs_one_line_and_status_3(folder: Path) -> None:
    done = run(*IM, "incident", "list", folder=folder)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"error: imsyncd is not listening on {folder / 's'}: "
        "start it with `imsyncd`, or name its socket with --socket\n"
    )


def test_a_remote_daemon_that_is_not_there_is_status_3_too(folder: Path) -> None:
    done = run(*IM, "--url", "http://127.0.0.1:1", "status", folder=folder)
    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.splitlines()) == 1


def test_version_answers_without_a_daemon(folder: Path) -> None:
    done = run(*IM, "version", folder=folder)
    assert done.returncode == 0
    assert "imsyncd  -" in done.stdout
    assert "is not listening" in done.stderr


def test_ctrl_c_ends_it_quietly_with_130(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(folder / "s"))
        daemon.listen()
        waiting = subprocess.Popen(
            [*IM, "--socket", str(folder / "s"), "status"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        taken, _ = daemon.accept()
        with taken:
            taken.recv(1)
            waiting.send_signal(signal.SIGINT)
            out, err = waiting.communicate()
    assert (waiting.returncode, out, err.strip()) == (130, "", "")


@pytest.mark.parametrize("args", [[], ["incident"]])
def test_a_noun_alone_shows_what_there_is(args: list[str], folder: Path) -> None:
    done = run(*IM, *args, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Commands:" in done.stdout


@pytest.mark.parametrize("output", ["stdout", "stderr"])
def test_a_reader_who_has_seen_enough_hears_no_complaint(output: str, folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    other = "stderr" if output == "stdout" else "stdout"
    with os.fdopen(writing, "w") as closed:
        done = subprocess.run(
            [*IM, "version"],
            env={**os.environ, "IMSYNC_SOCKET": str(folder / "s")},
            text=True,
            check=False,
            **{output: closed, other: subprocess.PIPE},  # type: ignore[call-overload]
        )
    assert done.returncode == 0
    assert "Traceback" not in (done.stdout or "") + (done.stderr or "")


def test_a_narrow_terminal_gets_no_traceback(folder: Path) -> None:
    done = run(*IM, "incident", "list", "--sevérité", folder=folder, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "error: No such option '--sev\\xe9rit\\xe9'" in done.stderr
