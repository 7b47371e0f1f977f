"""The two-way tour with real processes, by hand, with crashes in the middle."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.system.world import World, eventually

TOUR = Path(__file__).parents[2] / "examples" / "tour.py"


def test_the_tour_that_make_demo_plays_ends_well() -> None:
    ran = subprocess.run([sys.executable, TOUR], capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Everything arrived" in ran.stdout


def test_by_hand_against_a_sandbox_of_its_own(world: World) -> None:
    world.start_pagerduty()
    world.start()
    world.connect()
    assert world.im("integration", "test", "prod-pd").returncode == 0

    world.json("declare", "--sev", "SEV-2", "--title", "Checkout down", "--description", "Oh.")
    eventually(lambda: len(world.all_there()), 1, "how many stand there")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    external_id = world.external_id()
    world.act(external_id, status="acknowledged")
    eventually(lambda: world.here("status"), "mitigated", "the status here")
    bob = world.sandbox["users"][-1]
    world.act(external_id, assignments=[{"assignee": {"id": bob["id"], "type": "user_reference"}}])
    eventually(lambda: world.here("assigned_to"), bob["email"], "the assignee here")
    world.json("incident", "update", "INC-1", "--title", "Checkout gone", "--sev", "SEV-1")
    eventually(lambda: world.all_there()[0]["title"], "Checkout gone", "the title there")
    eventually(lambda: world.all_there()[0]["priority"]["summary"], "P1", "the priority there")
    world.there("POST", f"/incidents/{external_id}/notes", {"note": {"content": "Rolled back."}})
    eventually(lambda: notes(world), ["Rolled back."], "the notes here")
    world.json("incident", "resolve", "INC-1")
    eventually(lambda: world.all_there()[0]["status"], "resolved", "the status there")
    world.json("incident", "reopen", "INC-1")
    eventually(lambda: world.all_there()[0]["status"], "triggered", "the status there")
    world.act(external_id, status="resolved")
    eventually(lambda: world.here("status"), "resolved", "the status here")
    world.json("incident", "close", "INC-1")

    assert world.json("integration", "sync-status", "prod-pd")["healthy"]
    assert len(world.all_there()) == 1
    assert [one["id"] for one in world.json("incident", "list")["items"]] == ["INC-1"]
    secrets = [world.sandbox["token"]]
    assert not any(secret in world.log.read_text() for secret in secrets)


def notes(world: World) -> list[str]:
    entries = world.json("incident", "timeline", "INC-1")["items"]
    return [entry["text"] for entry in entries if entry["kind"] == "note"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_again_and_again_the_tour_ends_the_same(world: World, seed: int) -> None:
    """kill -9 right after edits on either side; the sandbox and its edits go on meanwhile."""
    dice = Random(seed)
    world.start_pagerduty()
    world.start()
    world.connect()

    def maybe_kill() -> None:
        if dice.random() < 0.6:
            world.kill()
            world.start()

    world.json("declare", "--sev", "SEV-3", "--title", "Checkout slow")
    maybe_kill()
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    external_id = world.external_id()
    world.act(external_id, status="acknowledged")
    maybe_kill()
    world.json("incident", "update", "INC-1", "--title", "Checkout down")
    maybe_kill()
    eventually(lambda: world.here("status"), "mitigated", "the status here")
    world.act(external_id, title="Checkout is down")
    eventually(lambda: world.here("title"), "Checkout is down", "the title here")
    world.json("incident", "update", "INC-1", "--sev", "SEV-1")
    maybe_kill()
    eventually(lambda: world.all_there()[0]["urgency"], "high", "the urgency there")
    world.act(external_id, status="resolved")
    maybe_kill()
    eventually(lambda: world.here("status"), "resolved", "the status here")
    world.json("incident", "close", "INC-1")
    maybe_kill()

    there = world.all_there()
    assert [(one["title"], one["status"]) for one in there] == [("Checkout is down", "resolved")]
    assert [one["status"] for one in world.json("incident", "list")["items"]] == ["closed"]
    assert "Traceback" not in world.log.read_text()


def test_the_inner_sandbox_survives_a_kill_too(world: World) -> None:
    world.start("--sandbox")
    world.json("declare", "--sev", "SEV-1", "--title", "Search down")
    world.kill()
    world.start("--sandbox")
    world.use_inner_sandbox()
    eventually(lambda: len(world.all_there()), 1, "how many stand there")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    world.act(world.external_id(), status="acknowledged")
    world.kill()
    world.start("--sandbox")
    world.use_inner_sandbox()
    eventually(lambda: world.here("status"), "mitigated", "the status here")
    assert len(world.all_there()) == 1
