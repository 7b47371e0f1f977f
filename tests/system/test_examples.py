"""The examples, run as they are against a real daemon; and the backup that a page describes."""

import os
import subprocess
import sys
from pathlib import Path

from tests.system.world import BIN, PATIENCE, World, eventually

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(world: World, *command: str, **environment: str) -> str:
    path = f"{BIN}:{os.environ['PATH']}"
    ran = subprocess.run(
        command,
        env={**world.environment, "PATH": path, **environment},
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_client_in_thirty_lines(world: World) -> None:
    world.start()
    said = run(world, sys.executable, str(EXAMPLES / "client.py"))
    assert said == "INC-1 SEV-2 open Checkout is slow\n"
    lines = world.json("incident", "timeline", "INC-1")["items"]
    assert (lines[0]["kind"], lines[0]["by"]) == ("declared", "ada@acme.example")
    assert "Seen by the canary." in [line["text"] for line in lines]
    code = (EXAMPLES / "client.py").read_text().splitlines()
    assert len([line for line in code if line.strip()]) <= 30


def test_a_session_with_curl(world: World) -> None:
    world.start("--sandbox")
    said = run(world, str(EXAMPLES / "curl.sh"), IMSYNC_URL=world.url)
    assert '"code":"invalid_request"' in said
    assert "SEV-9" in said
    found = world.json("incident", "show", "INC-1")
    assert (found["status"], found["severity"]) == ("mitigated", "SEV-2")
    assert found["title"] in ("Checkout was slow", "Checkout is slow"), (
        "unless somebody was quicker"
    )
    by = {line["by"] for line in world.json("incident", "timeline", "INC-1")["items"]}
    assert "ada@acme.example" in by
    run(world, str(EXAMPLES / "curl.sh"), IMSYNC_URL=world.url)
    assert len(world.json("incident", "list")["items"]) == 1, "its key makes no second incident"


def test_a_copy_can_be_put_on_a_host_that_has_no_database_yet(world: World) -> None:
    """Its folder is made, as by a start; it was a traceback."""
    world.start()
    world.json("declare", "--sev", "SEV-2", "--title", "Moves house")
    copy = world.folder / "copy.db"
    world.json("backup", str(copy))
    elsewhere = world.folder / "new" / "host" / "im.db"
    status, told, _ = world.ran("--restore", str(copy), IMSYNC_DATABASE=str(elsewhere))
    assert (status, told) == (0, f"{elsewhere} is what {copy} was: 1 incident\n")
    assert (elsewhere.parent.stat().st_mode & 0o777, elsewhere.stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )


def test_nor_does_forgetting_need_one_to_say_so_in_a_line(world: World) -> None:
    nowhere = str(world.folder / "no" / "im.db")
    status, said = world.refused("--forget-secrets", IMSYNC_DATABASE=nowhere)
    assert (status, "Traceback" in said, nowhere in said) == (1, False, True)


def test_what_im_backup_makes_can_be_put_back(world: World) -> None:
    """As docs/operating.md says: stop, put back, start."""
    world.start("--sandbox")
    world.json("declare", "--sev", "SEV-2", "--title", "Before the backup")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    database = world.folder / "data" / "im.db"
    made = world.json("backup", str(world.folder / "copy.db"))
    assert made["bytes"] == (world.folder / "copy.db").stat().st_size
    again = world.im("backup", str(world.folder / "copy.db"))
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
    world.json("declare", "--sev", "SEV-2", "--title", "After it")
    while_it_runs = world.refused("--restore", str(world.folder / "copy.db"))
    assert (while_it_runs[0], "is in use by imsyncd" in while_it_runs[1]) == (1, True)
    world.kill()
    status, told, _ = world.ran("--restore", str(world.folder / "copy.db"))
    assert status == 0
    who = f"uid:{os.getuid()}"
    first, second = told.splitlines()
    assert first == f"{database} is what {world.folder / 'copy.db'} was: 1 incident"
    assert list(database.parent.glob("im.db.2*Z")) == [Path(second.split()[-2])]
    world.start("--sandbox")
    assert [one["title"] for one in world.json("incident", "list")["items"]] == [
        "Before the backup"
    ]
    (put_back,) = world.json("audit", "--action", "backup.restored")["items"]
    assert (put_back["subject"], put_back["actor_id"], put_back["peer"]) == (
        *(str(world.folder / "copy.db"), who, "file"),
    )
    world.json("incident", "update", "INC-1", "--title", "After the restore")
    world.use_inner_sandbox()
    eventually(
        lambda: "After the restore" in [one["title"] for one in world.all_there()],
        True,
        "whether the edit reached what it is linked to",
    )
