"""`im integration oncall`: who is on call, told to people with how old that is."""

import json

import pytest

from .conftest import FakeDaemon, Im

Capture = pytest.CaptureFixture[str]
ROUTE = "GET /integrations/prod-pd/oncall"
BOB = {
    "user": "Bob Chen",
    "email": "bob@acme.example",
    "level": 1,
    "escalation_policy": "Platform on call",
    "schedule": "Primary",
    "since": "2026-11-23T00:00:00.000Z",
    "until": "2026-11-30T12:30:00.000Z",
}
DAVE = {
    "user": "Dave Okafor",
    "email": None,
    "level": 2,
    "escalation_policy": "Platform on call",
    "schedule": None,
    "since": None,
    "until": None,
}
FOUND = {"items": [BOB, DAVE], "checked_at": "2026-11-25T22:38:25.270Z", "age_s": 12}


async def test_by_a_policy_the_schedules_are_told(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with(ROUTE, FOUND)
    assert await im("integration", "oncall", "prod-pd", "--escalation-policy", "Platform x") == 0
    assert daemon.heard[0].query == {"escalation_policy": "Platform x"}
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "LEVEL  USER         EMAIL             SCHEDULE  SINCE              UNTIL",
        "1      Bob Chen     bob@acme.example  Primary   2026-11-23 00:00Z  2026-11-30 12:30Z",
        "2      Dave Okafor  -                 -         always             always",
        "",
        "as of 12 s ago",
    ]
    assert err == ""


async def test_by_a_schedule_the_policies_are_told(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with(ROUTE, FOUND)
    assert await im("integration", "oncall", "prod-pd", "--schedule-id", "PABC123") == 0
    assert daemon.heard[0].query == {"schedule_id": "PABC123"}
    assert "ESCALATION POLICY" in capsys.readouterr().out


async def test_programs_are_told_all_of_it(daemon: FakeDaemon, im: Im, capsys: Capture) -> None:
    daemon.answers_with(ROUTE, FOUND)
    args = ("integration", "oncall", "prod-pd", "--schedule-id", "P1", "--format", "json")
    assert await im(*args) == 0
    assert json.loads(capsys.readouterr().out) == FOUND


async def test_nobody_is_on_call(daemon: FakeDaemon, im: Im, capsys: Capture) -> None:
    daemon.answers_with(ROUTE, FOUND | {"items": []})
    assert await im("integration", "oncall", "prod-pd", "--schedule-id", "P1") == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("as of 12 s ago\n", "nobody is on call\n")


async def test_an_old_answer_is_told_to_be_one(daemon: FakeDaemon, im: Im, capsys: Capture) -> None:
    daemon.answers_with(ROUTE, FOUND | {"age_s": 61}, FOUND | {"age_s": 7_300})
    for age in ("61 s", "2h 1m"):
        assert await im("integration", "oncall", "prod-pd", "--schedule-id", "P1") == 0
        out, err = capsys.readouterr()
        assert out.endswith(f"as of {age} ago\n")
        assert "its last answer" in err


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--schedule-id", "P1", "--escalation-policy", "x"],
        ["--schedule-id", " "],
    ],
)
async def test_one_of_the_two_is_said(
    daemon: FakeDaemon, im: Im, capsys: Capture, args: list[str]
) -> None:
    assert await im("integration", "oncall", "prod-pd", *args) == 2
    assert "--schedule-id" in capsys.readouterr().err
    assert daemon.heard == []


async def test_what_there_is_not_is_status_4(daemon: FakeDaemon, im: Im, capsys: Capture) -> None:
    daemon.refuses(ROUTE, 404, detail="PagerDuty has no schedule 'P9'", hint="there are: P1 (x)")
    assert await im("integration", "oncall", "prod-pd", "--schedule-id", "P9") == 4
    assert "hint: there are: P1 (x)" in capsys.readouterr().err
