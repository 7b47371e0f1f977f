"""`im link` and `im unlink`: what they ask of the daemon, and what they ask of people."""

import pytest

from .conftest import FakeDaemon, Im

Capture = pytest.CaptureFixture[str]
WHERE = ("INC-1", "--integration", "prod-pd")
LINK = {
    "incident": "INC-1",
    "integration": "prod-pd",
    "external_id": "Q1",
    "external_url": "https://acme.pagerduty.com/incidents/Q1",
    "state": "linked",
    "fields": {
        "title": {"platform": "A", "external": "B", "state": "held", "because": "both changed"},
        "odd": None,
    },
}


async def test_a_link_is_asked_for_and_shown_field_by_field(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with("POST /incidents/INC-1/links", LINK)
    assert await im("link", *WHERE, "--external", "Q1") == 0
    assert daemon.heard[0].body == {"integration": "prod-pd", "external_id": "Q1"}
    out = capsys.readouterr().out
    assert "external url  https://acme.pagerduty.com/incidents/Q1" in out
    assert "title  A     B      held   both changed" in out


async def test_a_dry_run_asks_nobody(daemon: FakeDaemon, im: Im, capsys: Capture) -> None:
    plan = {"dry_run": True, "plan": "pln_1"}
    daemon.answers_with("POST /incidents/INC-1/links", plan)
    daemon.answers_with("DELETE /incidents/INC-1/links/prod-pd", plan)
    assert await im("link", *WHERE, "--external", "Q1", "--dry-run") == 0
    assert await im("unlink", *WHERE, "--dry-run") == 0
    assert [heard.query for heard in daemon.heard] == [{"dry_run": "true"}] * 2
    assert "it would change nothing" in capsys.readouterr().out


async def test_unlinking_is_asked_about_unless_yes_was_said(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with("DELETE /incidents/INC-1/links/prod-pd", {**LINK, "state": "unlinked"})
    assert await im("unlink", *WHERE) == 2
    assert "--yes" in capsys.readouterr().err
    assert daemon.heard == []
    assert await im("unlink", *WHERE, "--yes") == 0
    assert daemon.asked() == ["DELETE /incidents/INC-1/links/prod-pd"]
    assert "state         unlinked" in capsys.readouterr().out
