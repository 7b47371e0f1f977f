"""`im integration drift --now`: it waits for the sweep, and says what came of it."""

import json
from typing import Any

import pytest

from imsync.cli import drift, working

from .conftest import FakeDaemon, Im

Capture = pytest.CaptureFixture[str]
ROUTE = "/integrations/prod-pd/drift"
NONE = {"state": "waiting", "met": 0, "mended": 0, "taken_in": 0, "because": "", "ended_at": None}
STOPPED = {"at": "2026-11-03T12:00:00.000Z", "would_change": 40, "met": 50}


def found(*, stopped: object = None, **sweep: object) -> dict[str, Any]:
    return {
        "integration": "prod-pd",
        "healed": 7,
        "open_there": 200,
        "last_sweep_at": None,
        "log_read_to_at": None,
        "stopped": stopped,
        "sweep": {**NONE, **sweep},
    }


DONE = found(state="done", met=210, mended=2)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "_PAUSE", 0)
    monkeypatch.setattr(working, "SOON", 0)


def goes(daemon: FakeDaemon, *how: dict[str, Any], before: dict[str, Any] = DONE) -> None:
    daemon.answers_with(f"GET {ROUTE}", before, *how)
    daemon.answers_with(f"POST {ROUTE}", found(), status=202)


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        (DONE, 0, "looked at 210 incidents: 2 mended\n"),
        (
            found(state="done", met=1, taken_in=1),
            0,
            "looked at 1 incident: 0 mended, 1 taken in\n",
        ),
        (
            found(state="failed", because="no route to PagerDuty"),
            5,
            "the sweep failed: no route to PagerDuty; it is tried again\n",
        ),
        (
            found(state="stopped", because="it would change 40 of 50", stopped=STOPPED),
            5,
            "the sweep was stopped: it would change 40 of 50; nothing was changed\n",
        ),
    ],
)
async def test_it_waits_until_the_sweep_has_ended(
    daemon: FakeDaemon, im: Im, capsys: Capture, end: dict[str, Any], status: int, said: str
) -> None:
    goes(daemon, found(), found(state="running", met=100), end)
    assert await im("integration", "drift", "prod-pd", "--now") == status
    asked = [f"GET {ROUTE}", f"POST {ROUTE}", *[f"GET {ROUTE}"] * 3]
    assert daemon.asked() == asked
    out, err = capsys.readouterr()
    assert out.startswith(said)
    assert err == "", "nobody sits at a terminal"

    goes(daemon, end)
    assert await im("integration", "drift", "prod-pd", "--now", "--format", "json") == status
    assert json.loads(capsys.readouterr().out) == end


async def test_a_stopped_sweep_is_let_go_ahead_by_whoever_says_so(
    daemon: FakeDaemon, im: Im
) -> None:
    goes(daemon, DONE, before=found(state="stopped", stopped=STOPPED))
    assert await im("integration", "drift", "prod-pd", "--now", "--yes") == 0
    assert daemon.heard[1].body == {"accept": True}


async def test_an_integration_that_is_taken_from_work_is_not_waited_for(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    goes(daemon, {**DONE, "sweep": None})
    assert await im("integration", "drift", "prod-pd", "--now") == 1
    assert "taken from work meanwhile" in capsys.readouterr().err


async def test_at_a_terminal_it_shows_how_far_it_is_and_leaves_nothing(
    daemon: FakeDaemon, im: Im, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    goes(daemon, *[found(state="running", met=100)] * 3, DONE)
    assert await im("integration", "drift", "prod-pd", "--now", "--format", "json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == DONE
    assert "looking at prod-pd" in err
    assert "100" in err
    assert err.rstrip().endswith("\x1b[2K"), "its line is wiped"


async def test_an_import_is_waited_for_and_told(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    made = {"slug": "prod-pd", "state": "active", "import_open": "all"}
    daemon.answers_with("PATCH /integrations/prod-pd", made)
    goes(daemon, found(state="done", met=30, taken_in=30), before=found(state="running"))
    assert await im("integration", "configure", "prod-pd", "--import", "all") == 0
    assert capsys.readouterr().err == (
        "what is open there already: looked at 30 incidents: 0 mended, 30 taken in\n"
    )


@pytest.mark.parametrize("made", [{"state": "disabled"}, {"import_open": "none"}])
async def test_where_nothing_is_taken_in_nothing_is_waited_for(
    daemon: FakeDaemon, im: Im, made: dict[str, Any]
) -> None:
    shape = {"slug": "prod-pd", "state": "active", "import_open": "all", **made}
    daemon.answers_with("PATCH /integrations/prod-pd", shape)
    assert await im("integration", "configure", "prod-pd", "--import", "all") == 0
    assert daemon.asked() == ["PATCH /integrations/prod-pd"]
