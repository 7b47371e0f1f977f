"""Completion as it is used: a bash, a line half typed, and the Tab key."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.system.world import BIN, PATIENCE, World

SCRIPT = 'source <(im completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
ANSWER = '_im_completion im; printf "%s\\n" "${COMPREPLY[@]}"'


def completed(world: World, *words: str) -> tuple[list[str], str]:
    """What bash would offer for the last of these words, and what it would write in between."""
    ran = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT + ANSWER, "bash", *words],
        env={**world.environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split(), ran.stderr


def test_commands_options_words_and_ids_are_completed(world: World) -> None:
    world.start()
    world.json("integration", "configure", "--name", "Production PagerDuty", "--enabled", "false")
    world.json("declare", "--sev", "SEV-2", "--title", "Checkout is slow, and 'quoted'")
    for words, offered in (
        (("im", "inci"), ["incident"]),
        (("im", "incident", "re"), ["resolve", "reopen"]),
        (("im", "integration", "field-ownership", ""), ["list", "set", "delete"]),
        (("im", "incident", "list", "--sta"), ["--status"]),
        (("im", "incident", "list", "--status", "m"), ["mitigated"]),
        (("im", "declare", "--sev", "sev-1"), ["SEV-1"]),
        (("im", "incident", "list", "--format", "=", "js"), ["json"]),
        (("im", "integration", "get", ""), ["prod-pd"]),
        (("im", "incident", "list", "--integration", "pr"), ["prod-pd"]),
        (("im", "--format", "json", "incident", "show", "inc"), ["INC-1"]),
        (("im", "conflict", "show", ""), []),
        (("im", "explain", "INC-1", "assi"), ["assigned_to"]),
        (("im", "completion", ""), ["bash", "zsh", "fish"]),
        (("im", "integration", "get", "zzz"), []),
    ):
        assert completed(world, *words) == (offered, ""), words


def test_without_a_daemon_words_are_completed_and_ids_are_not_quietly(world: World) -> None:
    assert completed(world, "im", "incident", "show", "") == ([], "")
    assert completed(world, "im", "incident", "sh") == (["show"], "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_what_an_id_stands_for(world: World, shell: str) -> None:
    world.start()
    world.json("declare", "--sev", "SEV-2", "--title", "Checkout\x1b[2J is slow")
    asked = {
        "_IM_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "im incident show ",
        "COMP_CWORD": "3" if shell == "zsh" else "",
    }
    ran = subprocess.run(
        [BIN / "im"], env={**world.environment, **asked}, capture_output=True, text=True
    )
    told = "Checkout\\x1b[2J is slow"  # and nothing that steers the terminal
    wanted = f"plain\nINC-1\n{told}\n" if shell == "zsh" else f"plain,INC-1\t{told}\n"
    assert (ran.stdout, ran.stderr) == (wanted, "")


def test_fish_shows_all_that_a_candidate_says_of_itself(world: World) -> None:
    """It splits what it is told at commas, and titles have some."""
    script = world.im("completion", "fish").stdout
    assert 'string split --max 1 "," $completion' in script


@contextmanager
def typing(world: World) -> Iterator[int]:
    """A bash on a terminal; yields the end that a person types on."""
    environment = {
        **world.environment,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PS1": "READY> ",
        "TERM": "dumb",
    }
    person, terminal = pty.openpty()
    bash = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        env=environment,
        cwd=world.folder,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    try:
        yield person
    finally:
        bash.kill()
        bash.wait()
        os.close(person)


def reads(person: int, wanted: str) -> str:
    """What appears on the terminal, up to this."""
    seen, deadline = "", time.monotonic() + PATIENCE
    while wanted not in seen:
        ready, _, _ = select.select([person], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"no {wanted!r} in {seen!r}"
        seen += os.read(person, 4096).decode()
    return seen


def test_the_tab_key_completes_a_line_that_then_runs(world: World) -> None:
    world.start()
    world.json("declare", "--sev", "SEV-2", "--title", "Checkout is slow")
    with typing(world) as person:
        reads(person, "READY> ")
        os.write(person, b"source <(im completion bash)\n")
        reads(person, "READY> ")
        os.write(person, b"im incid\tsho\tINC\t")
        reads(person, "im incident show INC-1 ")
        os.write(person, b"--form\tjs\t\n")
        assert '"title": "Checkout is slow"' in reads(person, "READY> ")
