"""Killed at each commit that matters, before it and after it, and started again on what is left."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError

import pytest

from tests.system.world import Json, World, answered, eventually

T = TypeVar("T")

DOOMED = Path(__file__).with_name("doomed.py")

BEFORE = (
    "incidents.declare_once",
    "writing.confirm_created",
    "writing.confirm",
    "noting.sent",
    "inbox.put",
    "inbound.apply",
)
AFTER = (
    *BEFORE,
    "incidents.updated",
    "edits.note",
    "outbox.claim",
    "linking.draft",
    "writing.prepare",
)
"""Units of work on the way of an incident through both sides. Before the rest, nothing has left."""


class Risen:
    """A world whose daemon dies once, wherever it is told to, and is started again each time."""

    def __init__(self, world: World, when: str, point: str) -> None:
        self.world, self.deaths = world, 0
        world.start_pagerduty()
        world.start(launcher=(sys.executable, DOOMED, when, point))
        world.connect()

    def insist(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer: whoever gets none asks again."""
        while True:
            try:
                return ask()
            except (URLError, ConnectionError):
                self.raise_the_dead()

    def raise_the_dead(self) -> None:
        daemon = self.world.daemon
        assert daemon is not None
        daemon.communicate(timeout=10)  # raises if it lives: then it should have answered
        self.deaths += 1
        self.world.start()

    def call(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        url = f"{self.world.url}/api/v1{path}"
        return self.insist(lambda: answered(method, url, body, **headers))

    def here(self, path: str = "") -> Json:
        return self.call("GET", f"/incidents/INC-1{path}")

    def becomes(self, look: Callable[[], Any], wanted: object, what: str) -> None:
        def alive() -> Any:
            assert self.world.daemon is not None
            if self.world.daemon.poll() is not None:
                self.raise_the_dead()
            return self.insist(look)

        eventually(alive, wanted, what)

    def note(self, text: str) -> None:
        """Whoever does not know whether it was taken looks first."""
        if text not in self.insist(self.notes):
            url = f"{self.world.url}/api/v1/incidents/INC-1/notes"
            try:
                answered("POST", url, {"text": text})
            except (URLError, ConnectionError):
                self.raise_the_dead()
                self.note(text)

    def notes(self) -> list[str]:
        lines = self.here("/timeline")["items"]
        return sorted(line["text"] for line in lines if line["kind"] == "note")


def live(life: Risen) -> None:
    """An incident on its way through both sides."""
    world = life.world
    draft = {"title": "Checkout slow", "severity": "SEV-3", "description": "Since noon"}
    life.call("POST", "/incidents", draft, **{"Idempotency-Key": "once"})
    life.becomes(lambda: bool(life.here()["links"][0]["external_id"]), True, "whether it is linked")
    external_id = life.here()["links"][0]["external_id"]
    world.act(external_id, status="acknowledged")
    life.call("PATCH", "/incidents/INC-1", {"title": "Checkout down", "severity": "SEV-4"})
    life.note("Ours.")
    world.there("POST", f"/incidents/{external_id}/notes", {"note": {"content": "Theirs."}})
    life.becomes(lambda: life.here()["status"], "mitigated", "the status here")
    life.becomes(lambda: world.all_there()[0]["title"], "Checkout down", "the title there")
    world.act(external_id, title="Checkout is down")
    life.becomes(lambda: life.here()["title"], "Checkout is down", "the title here")


@pytest.mark.parametrize(
    ("when", "point"),
    [*(("before", point) for point in BEFORE), *(("after", point) for point in AFTER)],
)
def test_killed_at_a_commit_it_goes_on_as_if_nothing_had_been(
    world: World, when: str, point: str
) -> None:
    life = Risen(world, when, point)
    live(life)
    assert life.deaths == 1, f"it never came to {point}"
    life.becomes(lambda: status_of(life)["pending"], 0, "what is owed")
    (there,) = world.all_there()
    here = life.here()
    assert (here["title"], here["severity"], here["status"]) == (
        there["title"],
        "SEV-4",
        "mitigated",
    )
    assert (there["priority"]["summary"], there["status"]) == ("P4", "acknowledged")
    assert len(life.call("GET", "/incidents")["items"]) == 1
    life.becomes(life.notes, ["Ours.", "Theirs."], "the notes here")
    written = world.there("GET", f"/incidents/{there['id']}/notes")["notes"]
    assert len(written) == 2, written
    assert status_of(life)["dead_letters"] == 0


def status_of(life: Risen) -> Json:
    return life.call("GET", "/integrations/prod-pd/sync-status")
