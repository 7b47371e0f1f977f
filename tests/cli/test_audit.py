"""`im audit`: what it asks, and how a line reads."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from imsync.cli import audit
from imsync.cli.table import Table
from imsync.cli.terminal import show

from .conftest import FakeDaemon, Im

Capture = pytest.CaptureFixture[str]

LINE: dict[str, Any] = {
    "id": "aud_1",
    "at": "2026-11-03T12:05:05.123Z",
    "action": "integration.configured",
    "subject": "int_1",
    "subject_name": "prod-pd",
    "changes": [{"field": "sync_notes", "old": True, "new": False, "secret": False}],
    "actor": "token ci",
    "actor_id": "tok_1",
    "claims": "ada@acme.example",
    "peer": "10.0.0.1",
    "forwarded": "203.0.113.9",
    "request_id": None,
}
RULE = {"owner": "external", "priority": 0, "strict": True}


@pytest.mark.parametrize(
    ("args", "query"),
    [
        ([], {}),
        (["--since", "2026-11-03"], {"since": "2026-11-03T00:00:00.000Z"}),
        (["--until", "2026-11-03T12:00Z"], {"until": "2026-11-03T12:00:00.000Z"}),
        (["--since", "2026-11-03t12:00:00+02:00"], {"since": "2026-11-03T12:00:00.000+02:00"}),
        (
            ["--actor", "ci", "--action", "token,rule", "--subject", "prod-pd"],
            {"actor": "ci", "action": "token,rule", "subject": "prod-pd"},
        ),
    ],
)
async def test_it_asks_for_what_it_says(
    daemon: FakeDaemon, im: Im, args: list[str], query: dict[str, str]
) -> None:
    daemon.answers_with("GET /audit", {"items": [LINE], "next_cursor": None})
    assert await im("audit", *args) == 0
    assert daemon.heard[0].query == {"limit": "50", **query}


async def test_since_may_be_as_long_ago_as_a_duration_says(daemon: FakeDaemon, im: Im) -> None:
    daemon.answers_with("GET /audit", {"items": [], "next_cursor": None})
    assert await im("audit", "--since", "7d") == 0
    since = datetime.fromisoformat(daemon.heard[0].query["since"])
    assert abs(datetime.now(UTC) - timedelta(days=7) - since) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("since", "says"),
    [
        ("yesterday", "'yesterday' is not a time: give 7d, 2026-11-03 or 2026-11-03T12:00Z."),
        ("", "is not a time"),
        ("7", "is not a time"),
        ("9999999w", "is before there were any dates"),
        ("2026-13-01", "is not a time"),
    ],
)
async def test_what_is_no_time_is_told_so(
    daemon: FakeDaemon, im: Im, capsys: Capture, since: str, says: str
) -> None:
    assert await im("audit", "--since", since) == 2
    assert says in capsys.readouterr().err
    assert daemon.heard == []


async def test_a_line_says_when_who_what_and_how(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with("GET /audit", {"items": [LINE], "next_cursor": None})
    assert await im("audit") == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["AT", "WHO", "DONE"]
    assert re.split("  +", line) == [
        "2026-11-03 12:05:05Z",
        "token ci at 10.0.0.1",
        "integration.configured prod-pd: sync_notes: no (was yes)"
        " (says ada@acme.example, 203.0.113.9)",
    ]
    assert await im("audit", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["items"] == [LINE]


@pytest.mark.parametrize(
    ("change", "reads"),
    [
        ({"field": "token", "old": None, "new": None, "secret": True}, "token is another"),
        ({"field": "scope", "old": None, "new": "read"}, "scope: read"),
        ({"field": "link/prod-pd", "old": "PX", "new": None}, "link/prod-pd: no longer PX"),
        (
            {"field": "field-ownership/title", "old": None, "new": RULE},
            "field-ownership/title: external, priority 0, strict",
        ),
        (
            {
                "field": "map/urgency",
                "old": {"out": {}, "in": {}},
                "new": {"out": {"a": "b"}, "in": {}},
            },
            "map/urgency: a=b (was imsync's own)",
        ),
        ({"field": "x\x1b[31m", "new": "\u202ey"}, "x\\x1b[31m: \\u202ey"),
        ({}, "-: no longer -"),
    ],
)
def test_a_change_reads_as_it_was_made(change: dict[str, object], reads: str) -> None:
    assert audit.changed(change) == reads


def test_over_the_socket_nothing_is_said_of_where() -> None:
    line = {"actor": "user ada", "peer": "socket", "claims": None, "forwarded": None}
    assert audit.who(line) == "user ada"


@pytest.mark.parametrize("width", [80, 200])
def test_it_fits_the_terminal_and_nothing_is_cut(width: int) -> None:
    console = Console(width=width, record=True, highlight=False, markup=False)
    show([Table(audit.COLUMNS, [audit.row(LINE)])], console=console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) == (2 if width == 200 else 4)
    for part in ("2026-11-03 12:05:05Z", "integration.configured", "prod-pd", "203.0.113.9)"):
        assert part in text


async def test_where_there_is_more_it_says_so(daemon: FakeDaemon, im: Im, capsys: Capture) -> None:
    daemon.answers_with("GET /audit", {"items": [LINE, LINE], "next_cursor": "7"})
    assert await im("audit", "--limit", "1") == 0
    assert "--limit shows more" in capsys.readouterr().err
    daemon.answers_with("GET /audit", {"items": [], "next_cursor": None})
    assert await im("audit") == 0
    assert capsys.readouterr().err == "no lines\n"
