"""Conflicts and owners, by `im` against a real daemon: as the description prints them."""

import pytest

from tests.system.world import World, eventually

OWNERSHIP = ("integration", "field-ownership")


@pytest.fixture
def tried(world: World) -> World:
    """A daemon with its sandbox, and one incident on both sides."""
    world.start("--sandbox")
    world.use_inner_sandbox()
    world.json("declare", "--sev", "SEV-2", "--title", "Start")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    return world


def test_the_lines_of_the_description(tried: World) -> None:
    for field, owner, priority in (
        ("title", "platform", 10),
        ("description", "platform", 10),
        ("escalation_policy", "external", 5),
        ("assigned_to", "external", 5),
    ):
        line = ("set", "prod-pd", field, "--owner", owner, "--priority", str(priority))
        assert tried.json(*OWNERSHIP, *line) == {
            "field": field,
            "owner": owner,
            "priority": priority,
            "strict": False,
            "default": False,
        }
    listed = {rule["field"]: rule for rule in tried.json(*OWNERSHIP, "list", "prod-pd")["items"]}
    assert len(listed) == 6
    assert listed["title"]["priority"] == 10
    assert listed["status"]["default"]
    assert tried.json(*OWNERSHIP, "delete", "prod-pd", "title")["default"]
    assert tried.im(*OWNERSHIP, "delete", "prod-pd", "title").returncode == 4
    assert tried.im(*OWNERSHIP, "set", "prod-pd", "colour", "--owner", "platform").returncode == 2
    for strategy in ("last-write-wins", "ownership-priority", "manual-review"):
        changed = tried.json("integration", "configure", "prod-pd", "--conflict-strategy", strategy)
        assert changed["conflict_strategy"] == strategy


def test_a_conflict_is_asked_about_and_answered(tried: World) -> None:
    tried.json("integration", "configure", "prod-pd", "--conflict-strategy", "manual-review")
    tried.act(tried.external_id(), title="There")
    tried.json("incident", "update", "INC-1", "--title", "Here")

    def pending() -> list[str]:
        line = ("conflict", "list", "--integration", "prod-pd", "--status", "pending")
        return [one["id"] for one in tried.json(*line)["items"]]

    eventually(pending, ["cfl_1"], "what is pending")
    assert tried.im("conflict", "resolve", "cfl_1").returncode == 2
    assert tried.im("conflict", "restore", "cfl_1").returncode == 1
    answered = tried.json(
        "--as", "bob@acme.example", "conflict", "resolve", "cfl_1", "--use", "external"
    )
    assert (answered["status"], answered["winner"]) == ("resolved", "external")
    assert answered["resolved_by"] == "bob@acme.example"
    assert tried.here("title") == "There"
    assert tried.im("conflict", "resolve", "cfl_1", "--use", "platform").returncode == 1
    tried.json("conflict", "restore", "cfl_1")
    eventually(lambda: tried.all_there()[0]["title"], "Here", "the title there")
    assert tried.im("conflict", "ignore", "cfl_9").returncode == 4
