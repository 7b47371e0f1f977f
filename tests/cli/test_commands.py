"""What each command asks, and what it answers: incidents, conflicts, health, the global options."""

import json
import re

import pytest

from .conftest import FakeDaemon, Im

INCIDENT = {
    "id": "INC-1",
    "title": "Checkout is slow",
    "severity": "SEV-2",
    "status": "open",
    "assigned_to": None,
    "updated_at": "2026-11-03T12:05:05.123Z",
    "description": "first\nsecond",
    "links": [{"integration": "prod-pd", "external_id": "Q1", "state": "linked"}],
    "of_tomorrow": {"new": True},
}
Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("args", "asked", "body"),
    [
        (
            ["declare", "--sev", "sev-2", "--title", "T", "--assign", "ada@example.com"],
            "POST /incidents",
            {"severity": "SEV-2", "title": "T", "assigned_to": "ada@example.com"},
        ),
        (
            ["incident", "update", "INC-1", "--sev", "SEV-1", "--description", ""],
            "PATCH /incidents/INC-1",
            {"severity": "SEV-1", "description": ""},
        ),
        (
            ["incident", "update", "INC-1", "--assign", "", "--escalation-policy", ""],
            "PATCH /incidents/INC-1",
            {"assigned_to": None, "escalation_policy": None},
        ),
        (["incident", "mitigate", "INC-1"], "PATCH /incidents/INC-1", {"status": "mitigated"}),
        (["incident", "resolve", "INC-1"], "PATCH /incidents/INC-1", {"status": "resolved"}),
        (["incident", "close", "INC-1"], "PATCH /incidents/INC-1", {"status": "closed"}),
        (["incident", "reopen", "INC-1"], "PATCH /incidents/INC-1", {"status": "open"}),
        (
            ["incident", "note", "INC-1", "rolled back"],
            "POST /incidents/INC-1/notes",
            {"text": "rolled back"},
        ),
        (["incident", "show", "a/b c"], "GET /incidents/a%2Fb%20c", None),
    ],
)
async def test_a_command_asks_for_what_it_says_and_nothing_else(
    daemon: FakeDaemon, im: Im, args: list[str], asked: str, body: object
) -> None:
    daemon.answers_with(asked, INCIDENT)
    assert await im(*args) == 0
    assert daemon.asked() == [asked]
    assert daemon.heard[0].body == body


async def test_a_change_answers_the_thing_as_it_now_is(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with("PATCH /incidents/INC-1", INCIDENT)

    assert await im("incident", "resolve", "INC-1") == 0
    text = capsys.readouterr().out
    assert "Checkout is slow" in text
    assert "\n\nfirst\nsecond\n\nINTEGRATION  EXTERNAL ID" in text

    assert await im("incident", "resolve", "INC-1", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == INCIDENT


@pytest.mark.parametrize(
    "args",
    [
        ["--format", "json", "incident", "list"],
        ["incident", "--format", "json", "list"],
        ["incident", "list", "--format", "json"],
        ["--format", "table", "incident", "list", "--format", "JSON"],
    ],
)
async def test_the_format_may_stand_anywhere_and_the_last_one_counts(
    daemon: FakeDaemon, im: Im, capsys: Capture, args: list[str]
) -> None:
    page = {"items": [INCIDENT], "next_cursor": None}
    daemon.answers_with("GET /incidents", page)
    assert await im(*args) == 0
    assert json.loads(capsys.readouterr().out) == page


@pytest.mark.parametrize(
    "args",
    [
        ["--as", "ada@example.com", "incident", "close", "INC-1"],
        ["incident", "close", "INC-1", "--as", "ada@example.com"],
    ],
)
async def test_who_makes_the_edit_is_told(daemon: FakeDaemon, im: Im, args: list[str]) -> None:
    daemon.answers_with("PATCH /incidents/INC-1", INCIDENT)
    assert await im(*args) == 0
    assert daemon.heard[0].headers["From"] == "ada@example.com"


async def test_a_list_takes_as_many_pages_as_it_needs(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    pages: list[object] = [
        {"items": [{"id": f"INC-{page}-{n}"} for n in range(100)], "next_cursor": f"after-{page}"}
        for page in range(2)
    ]
    pages.append({"items": [{"id": "INC-2-0"}], "next_cursor": "after-2"})
    daemon.answers_with("GET /incidents", *pages)

    assert await im("incident", "list", "--limit", "201", "--status", "open") == 0

    assert [heard.query for heard in daemon.heard] == [
        {"limit": "100", "status": "open"},
        {"limit": "100", "status": "open", "cursor": "after-0"},
        {"limit": "1", "status": "open", "cursor": "after-1"},
    ]
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 202
    assert err == "the first 201 incidents: --limit shows more\n"


async def test_a_list_ends_where_the_daemon_has_no_more(daemon: FakeDaemon, im: Im) -> None:
    daemon.answers_with("GET /conflicts", {"items": [], "next_cursor": "again"})
    assert await im("conflict", "list", "--integration", "prod-pd", "--status", "pending") == 0
    assert daemon.heard[0].query == {"limit": "50", "integration": "prod-pd", "status": "pending"}
    assert len(daemon.heard) == 1


async def test_a_timeline_tells_changes_as_from_and_to(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    change = {"field": "assigned_to", "old": None, "new": "ada@example.com", "by": "Bob"}
    note = {"field": None, "text": "two\nlines", "kind": "note", "integration": "prod-pd"}
    daemon.answers_with("GET /incidents/INC-1/timeline", {"items": [change, note]})

    assert await im("incident", "timeline", "INC-1") == 0

    out = capsys.readouterr().out
    assert "assigned_to: - -> ada@example.com" in out
    assert "(prod-pd)" in out, "nobody knows who it was"
    assert "two lines" in out


async def test_a_conflict_shows_both_sides(daemon: FakeDaemon, im: Im, capsys: Capture) -> None:
    side = {"value": "A", "by": "Ada", "at": "2026-11-03T12:00:00.000Z"}
    conflict = {"id": "cfl_1", "base": {"platform": "x"}, "platform": side, "external": "odd"}
    daemon.answers_with("GET /conflicts/cfl_1", conflict)
    daemon.answers_with("GET /conflicts", {"items": [conflict]})

    assert await im("conflict", "show", "cfl_1") == 0
    assert await im("conflict", "list") == 0

    out = capsys.readouterr().out
    assert re.search(r"platform  A +Ada  \d+d \d+h ago\n", out)
    assert 'base      {"platform": "x"}  -    -' in out


@pytest.mark.parametrize(("healthy", "status"), [(True, 0), (False, 5)])
@pytest.mark.parametrize(
    ("command", "route"),
    [
        ("test", "POST /integrations/prod-pd/test"),
        ("sync-status", "GET /integrations/prod-pd/sync-status"),
    ],
)
async def test_something_unhealthy_is_status_5(
    daemon: FakeDaemon,
    im: Im,
    capsys: Capture,
    command: str,
    route: str,
    healthy: bool,
    status: int,
) -> None:
    found = {"integration": "prod-pd", "healthy": healthy, "problems": ["no webhook"]}
    daemon.answers_with(route, {**found, "checks": [{"name": "token", "ok": healthy}]})

    assert await im("integration", command, "prod-pd") == status
    assert f"prod-pd is {'' if healthy else 'not '}healthy" in capsys.readouterr().out
    assert await im("integration", command, "prod-pd", "--format", "json") == status
    assert json.loads(capsys.readouterr().out)["healthy"] is healthy


async def test_what_would_mend_several_things_is_said_once(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    checks = [{"name": name, "ok": False, "hint": "install it"} for name in ("secret", "hook")]
    daemon.answers_with("POST /integrations/prod-pd/test", {"healthy": False, "checks": checks})
    assert await im("integration", "test", "prod-pd") == 5
    assert capsys.readouterr().out.count("hint: install it") == 1


async def test_sync_status_shows_what_there_is_to_know(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with(
        "GET /integrations/prod-pd/sync-status",
        {
            "healthy": True,
            "limit": {"limit": 960, "remaining": 955, "reset_s": 42},
            "lag": {"inbound": {"count": 4, "p50_ms": 120, "p99_ms": None}, "outbound": None},
            "fields": [{"field": "title", "owner": "platform", "observed": "poll"}],
            "import": {"scope": "all", "open_there": 250, "linked": 240},
            "left_alone": 3,
        },
    )
    assert await im("integration", "sync-status", "prod-pd") == 0
    out = capsys.readouterr().out
    assert "240 of 250 open" in out
    assert "3, of services that are not mapped" in out
    assert "955 of 960 left, again full in 42 s" in out
    assert "inbound  4        120 ms  -" in out
    assert "title  platform  poll" in out


async def test_links_name_the_fields_that_are_not_in_step(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    blocked = {"state": "blocked", "because": "PagerDuty knows no user 'eve'"}
    fields = {"title": {"state": "in_sync"}, "assigned_to": blocked, "odd": None}
    links = [{"incident": "INC-1", "fields": fields}, {"incident": "INC-2"}]
    daemon.answers_with("GET /integrations/prod-pd/links", {"items": links})
    assert await im("integration", "links", "prod-pd") == 0
    assert (
        capsys.readouterr()
        .out.splitlines()[1]
        .endswith("  assigned_to (blocked: PagerDuty knows no user 'eve')")
    )


async def test_what_all_fields_of_a_link_share_is_said_once(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    fields = {name: {"state": "blocked", "because": "no service"} for name in ("title", "status")}
    daemon.answers_with("GET /integrations/prod-pd/links", {"items": [{"fields": fields}]})
    assert await im("integration", "links", "prod-pd") == 0
    out = capsys.readouterr().out
    assert "all (blocked: no service)" in out
    assert "title" not in out


async def test_links_are_asked_for_as_the_options_say(daemon: FakeDaemon, im: Im) -> None:
    daemon.answers_with("GET /integrations/prod-pd/links", {"items": []})
    options = ("--incident=INC-1", "--external=Q1", "--state=gone", "--field-state=BLOCKED")
    assert await im("integration", "links", "prod-pd", *options) == 0
    (heard,) = daemon.heard
    asked = {"incident": "INC-1", "external_id": "Q1", "state": "gone", "field_state": "blocked"}
    assert {**heard.query, **asked} == heard.query
    assert await im("integration", "links", "prod-pd", "--state=unlinked") == 2


async def test_an_integration_is_shown_whole_and_its_secrets_as_present_or_absent(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    prod = {"name": "Production PagerDuty", "slug": "prod-pd", "has_token": True}
    rule = {"field": "title", "owner": "platform", "priority": 10, "strict": True}
    own = {"map": "status", "default": True, "out": {"open": "triggered"}}
    set_ = {"map": "urgency", "default": False, "out": {"SEV-3": "high"}, "in": {"low": "SEV-4"}}
    fields = [{"field": "title", "owner": "platform", "observed": "poll"}]
    health = {"integration": "prod-pd", "healthy": False, "links": 7, "fields": fields}
    at = "GET /integrations/prod-pd"
    daemon.answers_with(at, prod | {"sync_notes": True, "sync_escalations": False})
    daemon.answers_with(f"{at}/sync-status", health | {"problems": ["no webhook"], "blocked": 2})
    daemon.answers_with(f"{at}/field-ownership", {"items": [rule]})
    mapping = {"id": "map_1", "pd_service": "P1", "service_name": "Search", "incident_type": "x"}
    daemon.answers_with(f"{at}/service-mappings", {"items": [mapping]})
    daemon.answers_with(f"{at}/maps", {"items": [own, set_]})
    daemon.answers_with(f"{at}/webhook", {"state": "active", "subscription_id": "PHOOK"})

    assert await im("integration", "show", "prod-pd") == 0
    out = re.sub(" +", " ", capsys.readouterr().out)
    for told in (
        *("token present", "webhook secret absent", "carries fields, notes"),
        *("subscription active (PHOOK)", "title platform 10 yes poll", "map_1 P1 Search x"),
        *("SEV-3 is written as high", "low reads as SEV-4", "own map holds for: status"),
        *("links 7", "blocked 2", "problem: no webhook", "prod-pd is not healthy"),
    ):
        assert told in out
    assert "triggered" not in out

    assert await im("integration", "show", "prod-pd", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["integration"]["has_token"] is True
    assert (found["sync_status"]["links"], found["webhook"]["state"]) == (7, "active")
    assert found["field_ownership"] == [rule]
    assert found["service_mappings"] == [mapping]
    assert found["maps"] == [own, set_]


async def test_status_shows_the_sandbox_when_there_is_one(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    status = {"version": "1", "uptime_s": 61, "integrations": 2, "sandbox": {"url": "http://pd"}}
    daemon.answers_with("GET /status", status)
    assert await im("status") == 0
    out = capsys.readouterr().out
    assert "up            1m 1s" in out
    assert "integrations  2" in out
    assert "the sandbox\n\nurl  http://pd" in out
    assert await im("version", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["imsyncd"] == "1"


@pytest.mark.parametrize(("status", "exit_status"), [(404, 4), (409, 1), (401, 1), (500, 1)])
async def test_a_refusal_is_told_with_its_reason_and_what_would_help(
    daemon: FakeDaemon, im: Im, capsys: Capture, status: int, exit_status: int
) -> None:
    daemon.refuses("GET /incidents/INC-9", status, detail="no\x1b[2J", hint="INC-1, INC-2")
    assert await im("incident", "show", "INC-9") == exit_status
    assert capsys.readouterr() == ("", "error: no\\x1b[2J\nhint: INC-1, INC-2\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ["declare", "--sev", "SEV-9", "--title", "T"],
            "'SEV-9' is not one of 'SEV-1', 'SEV-2', 'SEV-3', 'SEV-4'",
        ),
        (["declare", "--title", "T"], "Missing option '--sev'"),
        (["incident", "update", "INC-1"], "Nothing to change"),
        (["incident", "update", "INC-1", "--status", "done"], "'open', 'mitigated'"),
        (["incident", "note", "INC-1", " "], "empty"),
        (["incident", "show", ".."], "names nothing"),
        (["incident", "lst"], "Did you mean 'list'?"),
        (["incidnet"], "Did you mean 'incident'?"),
        (["note", "INC-1", "x"], "There is `im incident note`."),
        (["links", "prod-pd"], "There is `im integration links`."),
        (["incident", "update", "INC-1", "--titel", "x"], "'--title'"),
        (["declare", "--sev", "sev2", "--title", "T"], "Did you mean SEV-2?"),
        (["incident", "update", "INC-1", "--status", "resolve"], "Did you mean resolved?"),
        (["explain", "INC-1", "assignee"], "Invalid value for FIELD: 'assignee'"),
        (["explain", "INC-1", "assignee"], "Did you mean assigned_to?"),
        (["incident", "list", "--limit", "0"], "0"),
        (["incident", "list", "--limit", "x"], "'x' is not a valid whole number"),
        (
            ["integration", "configure", "x", "--backoff-multiplier", "x"],
            "'x' is not a valid number",
        ),
        (["integration", "configure", "x", "--conflict-strategy", "coin"], "'manual-review'"),
        (["integration", "configure", "x", "--direction", "up"], "'bidirectional'"),
        (["--as", "ada", "status"], "--as takes an e-mail"),
    ],
)
async def test_a_mistake_is_told_before_anybody_is_asked(
    daemon: FakeDaemon, im: Im, capsys: Capture, args: list[str], said: str
) -> None:
    assert await im(*args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert said in err
    assert "--help`" in err.splitlines()[-1]
    assert daemon.heard == []


async def test_what_a_backup_needs_is_said_beside_it(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    made = {"path": "/b/im.db", "bytes": 9, "at": "now", "keys": ["0f1e"], "key_place": "/d/im.key"}
    daemon.answers_with("POST /backup", made)
    assert await im("backup", "/b/im.db") == 0
    out, said = capsys.readouterr()
    assert "0f1e" in out
    assert "(0f1e) is not in it: keep a copy of /d/im.key elsewhere" in said
    daemon.answers_with("POST /backup", {**made, "keys": []})
    assert await im("backup", "/b/im.db") == 0
    assert capsys.readouterr().err == "", "there are none in it"


async def test_which_key_the_backups_of_before_need_is_said_when_it_changes(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    told = {"key": "new1", "old_key": "old1", "key_place": "/d/im.key", "sealed": 3, "at": "now"}
    daemon.answers_with("POST /key/rotate", told)
    assert await im("key", "rotate") == 0
    out, said = capsys.readouterr()
    assert all(word in out for word in ("new1", "old1", "/d/im.key", "3"))
    assert "copy of /d/im.key as it is now" in said
    assert "need the key old1" in said
