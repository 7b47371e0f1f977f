"""`im integration webhook`: what is asked, what is shown, and what is not."""

import json

import pytest

from .conftest import FakeDaemon, Im

Capture = pytest.CaptureFixture[str]
ROUTE = "/integrations/prod-pd/webhook"
SHOWN = {
    "integration": "prod-pd",
    "subscription_id": "PHOOK",
    "state": "disabled",
    "because": "PagerDuty has disabled it",
    "url": "https://imsync.example/api/v1/webhooks/int_1",
    "points_here": True,
    "times_disabled": 2,
    "disabled_at": "2026-11-03T12:00:00.000Z",
    "times_enabled": 0,
    "enabled_at": None,
    "replaced": ["POLD"],
    "lag": {"count": 40, "p50_ms": 120, "p99_ms": 900},
    "problems": ["it delivers nothing\x1b[2J"],
}


@pytest.mark.parametrize(
    ("args", "asked", "body"),
    [
        (["install", "prod-pd"], f"POST {ROUTE}", {}),
        (
            ["install", "prod-pd", "--public-url", "https://a.example", "--show-secret"],
            f"POST {ROUTE}",
            {"public_url": "https://a.example", "show_secret": True},
        ),
        (["rotate", "prod-pd"], f"POST {ROUTE}/rotate", {}),
        (["rotate", "prod-pd", "--show-secret"], f"POST {ROUTE}/rotate", {"show_secret": True}),
        (["enable", "prod-pd"], f"POST {ROUTE}/enable", {}),
        (["show", "prod-pd"], f"GET {ROUTE}", None),
    ],
)
async def test_a_command_asks_for_what_it_says_and_shows_what_came_of_it(
    daemon: FakeDaemon, im: Im, capsys: Capture, args: list[str], asked: str, body: object
) -> None:
    daemon.answers_with(asked, SHOWN | {"detail": "made PHOOK"})
    assert await im("integration", "webhook", *args) == 0
    assert daemon.asked() == [asked]
    assert daemon.heard[0].body == body
    out = capsys.readouterr().out
    lines = {" ".join(line.split()) for line in out.splitlines()}
    assert {
        "subscription id PHOOK",
        "because PagerDuty has disabled it",
        "enabled never",
        "deliveries take 120 ms (p50), 900 ms (p99)",
        "to be deleted POLD",
        "problem: it delivers nothing\\x1b[2J",
    } <= lines
    assert any(line.startswith("disabled 2 times, last at 2026-11-03 12:00:00Z") for line in lines)
    assert ("made PHOOK" in out) is (args[0] in ("install", "rotate"))

    assert await im("integration", "webhook", *args, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == SHOWN | {"detail": "made PHOOK"}


async def test_a_secret_is_shown_when_it_is_told(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with(f"POST {ROUTE}", SHOWN | {"secret": "s3cret"}, SHOWN | {"secret": None})
    assert await im("integration", "webhook", "install", "prod-pd", "--show-secret") == 0
    assert "secret  s3cret" in capsys.readouterr().out
    assert await im("integration", "webhook", "install", "prod-pd", "--show-secret") == 0
    assert "is not shown again" in capsys.readouterr().err


@pytest.mark.parametrize(("arrived", "status"), [(True, 0), (False, 5)])
async def test_a_ping_that_does_not_arrive_is_status_5(
    daemon: FakeDaemon, im: Im, capsys: Capture, arrived: bool, status: int
) -> None:
    answer = {"arrived": arrived, "detail": "so it was", "hint": "" if arrived else "look there"}
    daemon.answers_with(f"POST {ROUTE}/ping", answer)
    assert await im("integration", "webhook", "ping", "prod-pd") == status
    out = capsys.readouterr().out
    assert out.startswith("so it was\n")
    assert ("hint: look there" in out) is not arrived
    assert await im("integration", "webhook", "ping", "prod-pd", "--format", "json") == status
    assert json.loads(capsys.readouterr().out) == answer


async def test_a_ping_may_take_longer_than_any_other_command_but_not_than_im_waits() -> None:
    """What the daemon waits for, and what it asks before it, fits into what `im` waits."""
    from imsync.cli.wire import PATIENCE
    from imsync.connectors.pagerduty.rest import TIMEOUT
    from imsync.engine import proving

    assert TIMEOUT.total is not None
    assert proving.PATIENCE + 2 * TIMEOUT.total < PATIENCE


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["install"], "Missing argument 'INTEGRATION'"),
        (["install", ".."], "names nothing"),
        (["rotat", "prod-pd"], "rotate"),
        (["show", "prod-pd", "--public-url", "x"], "No such option"),
    ],
)
async def test_a_mistake_is_told_before_anybody_is_asked(
    daemon: FakeDaemon, im: Im, capsys: Capture, args: list[str], said: str
) -> None:
    assert await im("integration", "webhook", *args) == 2
    assert said in capsys.readouterr().err
    assert daemon.heard == []
