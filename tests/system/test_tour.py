"""The two-way tour with real processes, by hand, with crashes in the middle."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.system.world import Json, World, answered, eventually

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


def notes(world: World) -> list[str]:
    return [entry["text"] for entry in timeline(world) if entry["kind"] == "note"]


def timeline(world: World) -> list[Json]:
    found: list[Json] = answered("GET", f"{world.url}/api/v1/incidents/INC-1/timeline")["items"]
    return found


END = {
    "here": ("Checkout is down", "SEV-1", "closed"),
    "there": ("Checkout is down", "high", "P1", "resolved"),
    "escalated": 1,
    "notes": ["Rolled back."],
}


class Fate:
    """Kills the daemon, the PagerDuty, or both, right after an edit; -9, and starts them again."""

    def __init__(self, world: World, seed: int | None) -> None:
        self.world, self.dice = world, Random(seed)
        self.spares = seed is None

    def strikes(self) -> None:
        world, kill = self.world, self.dice.choice(["nobody", "imsyncd", "imsyncd", "both"])
        if self.spares or kill == "nobody":
            return
        world.kill()
        if kill == "both":
            world.kill_pagerduty()
            world.start_pagerduty()
        world.start()


@pytest.mark.parametrize("seed", [None, 1, 2], ids=["unharmed", "seed 1", "seed 2"])
def test_killed_again_and_again_the_tour_ends_the_same(world: World, seed: int | None) -> None:
    world.start_pagerduty()
    world.start()
    world.connect()
    world.json("integration", "configure", "prod-pd", "--sync-escalations", "true")
    fate = Fate(world, seed)

    world.json("declare", "--sev", "SEV-3", "--title", "Checkout slow")
    fate.strikes()
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    external_id = world.external_id()
    world.act(external_id, status="acknowledged")
    world.json("incident", "update", "INC-1", "--title", "Checkout down")
    fate.strikes()
    eventually(lambda: world.here("status"), "mitigated", "the status here")
    eventually(lambda: world.all_there()[0]["title"], "Checkout down", "the title there")
    world.act(external_id, title="Checkout is down")
    fate.strikes()
    eventually(lambda: world.here("title"), "Checkout is down", "the title here")
    world.json("incident", "update", "INC-1", "--sev", "SEV-1")
    fate.strikes()
    eventually(lambda: world.all_there()[0]["urgency"], "high", "the urgency there")
    world.there("POST", f"/incidents/{external_id}/notes", {"note": {"content": "Rolled back."}})
    world.act(external_id, escalation_level=2)
    fate.strikes()
    eventually(lambda: (notes(world), escalated(world)), (["Rolled back."], 1), "the story here")
    world.act(external_id, status="resolved")
    fate.strikes()
    eventually(lambda: world.here("status"), "resolved", "the status here")
    world.json("incident", "close", "INC-1")
    fate.strikes()

    eventually(lambda: end_of(world), END, "the end")
    status = f"{world.url}/api/v1/integrations/prod-pd/sync-status"
    eventually(lambda: answered("GET", status)["pending"], 0, "what is owed")
    assert end_of(world) == END
    assert "Traceback" not in world.log.read_text()


def end_of(world: World) -> dict[str, object]:
    (there,) = world.all_there()
    (here,) = answered("GET", f"{world.url}/api/v1/incidents")["items"]
    return {
        "here": (here["title"], here["severity"], here["status"]),
        "there": (
            there["title"],
            there["urgency"],
            (there["priority"] or {}).get("summary"),
            there["status"],
        ),
        "escalated": escalated(world),
        "notes": notes(world),
    }


def escalated(world: World) -> int:
    return [entry["kind"] for entry in timeline(world)].count("escalated")


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


def test_what_the_inner_sandbox_still_owed_is_delivered_after_a_kill(world: World) -> None:
    world.start("--sandbox")
    world.use_inner_sandbox()
    world.json("declare", "--sev", "SEV-1", "--title", "Search down")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    late = {"delivery_delay": 1.0, "delivery_delay_ms": 1_000}
    answered("PUT", f"{world.sandbox['url']}/_sandbox/faults", late)
    world.act(world.external_id(), escalation_level=2)
    assert escalated(world) == 0
    world.kill()
    world.start("--sandbox")
    eventually(lambda: escalated(world), 1, "how often it was escalated")
