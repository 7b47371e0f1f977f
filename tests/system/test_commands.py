"""Every command of `im`, as people and scripts run it, against a daemon and a PagerDuty."""

import hmac
import json
from hashlib import sha256
from typing import Any
from urllib.request import Request, urlopen

import asyncclick as click

from imsync.cli.main import im
from tests.system.world import Json, World, eventually

LISTS = {
    *("incident list", "incident timeline", "integration list", "integration links"),
    *("integration dlq", "integration field-ownership list", "conflict list", "token list"),
}


def leaves(command: click.Command, *path: str) -> set[str]:
    """Every command that does something, as it is typed."""
    if not isinstance(command, click.Group):
        return {" ".join(path)}
    return {leaf for name, below in command.commands.items() for leaf in leaves(below, *path, name)}


class Person:
    """Types commands, each with --format json, and remembers which."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.typed: set[str] = set()

    def __call__(self, name: str, *arguments: str, status: int = 0) -> Json:
        ran = self.world.im(*name.split(), *arguments, "--format", "json")
        assert ran.returncode == status, f"{name}: {ran.stderr}"
        self.typed.add(name)
        found: Json = json.loads(ran.stdout)
        assert isinstance(found, dict)
        if name in LISTS and not {"--show", "--retry", "--discard"} & set(arguments):
            assert set(found) == {"items", "next_cursor"}
        return found

    def refused(self, status: int, name: str, *arguments: str) -> None:
        ran = self.world.im(*name.split(), *arguments, "--format", "json")
        assert (ran.returncode, ran.stdout) == (status, ""), ran.stderr
        assert ran.stderr.startswith("error: ")

    def reads(self, name: str, *arguments: str) -> str:
        """The same for people."""
        ran = self.world.im(*name.split(), *arguments)
        assert ran.returncode == 0, ran.stderr
        assert not ran.stdout.startswith("{")
        return ran.stdout


def linked_by_hand(do: Person, world: World) -> None:
    """Unlinked, it is nobody's; linked again, the two are kept in step again."""
    external_id, where = world.external_id(), ("--integration", "prod-pd")
    do("integration configure", "prod-pd", "--conflict-strategy", "last-write-wins")
    do.refused(2, "unlink", "INC-1", *where)  # nobody is at a terminal to be asked
    do.refused(1, "link", "INC-1", *where, "--external", external_id)
    do.refused(4, "unlink", "INC-9", *where, "--yes")
    assert do("unlink", "INC-1", *where, "--dry-run")["dry_run"] is True
    assert do("unlink", "INC-1", *where, "--yes")["state"] == "unlinked"
    world.act(external_id, title="While apart")
    do.refused(4, "link", "INC-1", *where, "--external", "QNOWHERE")
    assert "unlinked" not in do.reads("link", "INC-1", *where, "--external", external_id)
    eventually(lambda: world.here("title"), "While apart", "the title here")
    assert do("incident list")["items"][0]["id"] == "INC-1", "it was not taken in anew"
    do("unlink", "INC-1", *where, "--yes")
    assert do("link", "INC-1", *where, "--external", external_id)["state"] == "linked"


def junk(world: World, integration: str, body: bytes) -> None:
    """A delivery that is rightly signed and says nothing."""
    signature = "v1=" + hmac.new(world.webhook_secret.encode(), body, sha256).hexdigest()
    url = f"{world.url}/api/v1/webhooks/{integration}"
    request = Request(url, data=body, headers={"X-PagerDuty-Signature": signature})
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def test_every_command_does_what_it_says_and_answers_json(world: World) -> None:
    world.start_pagerduty()
    world.start()
    world.connect()
    do = Person(world)
    incidents(do, world)
    integration(do, world)
    conflicts(do, world)
    dead_letters(do, world)
    linked_by_hand(do, world)
    assert do("integration delete", "prod-pd", "--yes")["deleted"] is True
    assert do("integration list")["items"] == []
    assert do("incident show", "INC-1")["links"] == []
    assert do("version") == {"im": do("status")["version"], "imsyncd": do("status")["version"]}
    assert "im" in do("completion", "bash")["script"]
    assert do("backup", str(world.folder / "copy.db"))["bytes"] > 0
    do.refused(1, "backup", str(world.folder / "copy.db"))
    rotated = do("key rotate")
    assert rotated["key"] != rotated["old_key"]
    assert do("key rotate")["old_key"] == rotated["key"]
    api_tokens(do, world)
    assert do.typed == leaves(im) - {"watch"}, "which does not end by itself: test_watch"


def api_tokens(do: Person, world: World) -> None:
    """The first one closes TCP; the socket stays its owner's."""
    remote = ("--url", world.url)
    assert world.im(*remote, "status").returncode == 0
    made = do("token create", "--name", "ci", "--scope", "read", "--expires", "90d")
    assert world.im(*remote, "status").returncode == 1
    mine = (*remote, "--token", made["token"])
    assert world.im(*mine, "status").returncode == 0
    (world.folder / "token").write_text(made["token"] + "\n")
    assert world.im(*remote, "--token-file", "token", "status").returncode == 0
    assert "scope admin" in world.im(*mine, "token", "list").stderr
    assert "ci" in do.reads("token list")
    assert [one["state"] for one in do("token list")["items"]] == ["active"]
    assert do("token revoke", "ci")["state"] == "revoked"
    do.refused(4, "token revoke", "ci")
    assert world.im(*mine, "status").returncode == 1
    audited(do, world)


def audited(do: Person, world: World) -> None:
    """All of that has left its lines."""
    found = do("audit", "--action", "token")["items"]
    assert [line["action"] for line in found] == ["token.revoked", "token.created"]
    assert {line["subject_name"] for line in found} == {"ci"}
    assert {line["peer"] for line in found} == {"socket"}
    (refused,) = do("audit", "--actor", "ci")["items"]
    assert (refused["action"], refused["subject"]) == ("access.refused", "GET /api/v1/tokens")
    assert "token.revoked ci: state: revoked (was active)" in do.reads("audit --since 1d")
    deleted = do("audit", "--subject", "prod-pd", "--action", "integration.deleted")["items"]
    assert len(deleted) == 1
    do.refused(1, "audit", "--action", "tokn")
    do.refused(2, "audit", "--since", "yesterday")
    kinds = {line["action"] for line in do("audit", "--limit", "500")["items"]}
    nouns = {kind.partition(".")[0] for kind in kinds}
    assert nouns >= {"integration", "credentials", "rule", "map", "conflict", "dead_letter", "link"}
    assert nouns >= {"backup", "key"}


def incidents(do: Person, world: World) -> None:
    declared = do("declare", "--sev", "SEV-2", "--title", "Checkout down", "--assign", "")
    assert (declared["id"], declared["title"]) == ("INC-1", "Checkout down")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    assert do("incident list", "--status", "open")["items"][0]["id"] == "INC-1"
    assert "Checkout down" in do.reads("incident list")
    updated = do("incident update", "INC-1", "--title", "Checkout gone", "--as", "ada@acme.example")
    assert updated["title"] == "Checkout gone"
    for verb, status in (
        ("mitigate", "mitigated"),
        ("resolve", "resolved"),
        ("close", "closed"),
        ("reopen", "open"),
    ):
        assert do(f"incident {verb}", "INC-1")["status"] == status
    assert do("incident note", "INC-1", "Rolled back")["text"] == "Rolled back"
    entries = do("incident timeline", "INC-1")["items"]
    by = {entry["by"] for entry in entries if entry["field"] == "title"}
    assert by == {"ada@acme.example"}
    assert "Rolled back" in do.reads("incident timeline", "INC-1")
    assert len(do("incident timeline", "INC-1", "--limit", "2")["items"]) == 2
    shown = do("incident show", "INC-1")
    assert shown["links"][0]["integration"] == "prod-pd"
    eventually(lambda: world.all_there()[0]["title"], "Checkout gone", "the title there")


def integration(do: Person, world: World) -> None:
    """The lines of the description, as far as they need no account of their own."""
    for line in (
        "--conflict-strategy last-write-wins",
        "--conflict-strategy ownership-priority",
        "--sync-escalations true",
        "--rate-limit 800 --backoff-multiplier 2",
        "--org acme-corp --direction bidirectional",
    ):
        changed = do("integration configure", "prod-pd", *line.split())
    assert (changed["rate_limit"], changed["conflict_strategy"]) == (800, "ownership-priority")
    assert do("integration get", "Production PagerDuty") == changed
    assert do("integration list")["items"] == [changed]
    for field, owner, priority in (
        ("title", "platform", "10"),
        ("escalation_policy", "external", "5"),
    ):
        words = ("prod-pd", field, "--owner", owner, "--priority", priority)
        do("integration field-ownership set", *words)
    rules = {
        rule["field"]: rule for rule in do("integration field-ownership list", "prod-pd")["items"]
    }
    assert (rules["title"]["owner"], rules["title"]["priority"]) == ("platform", 10)
    do("integration field-ownership delete", "prod-pd", "title")
    maps(do)
    services(do, world)
    assert do("integration drift", "prod-pd")["stopped"] is None
    assert do("integration drift", "prod-pd", "--now")["sweep"]["state"] == "done"
    assert do("integration test", "prod-pd")["healthy"] is True
    (link,) = do("integration links", "prod-pd")["items"]
    assert (link["incident"], link["external_id"]) == ("INC-1", world.external_id())
    eventually(lambda: do("integration sync-status", "prod-pd")["pending"], 0, "what is owed")
    assert do("integration sync-status", "prod-pd")["healthy"] is True
    shown = do("integration show", "prod-pd")
    assert shown["integration"] == do("integration get", "prod-pd")
    assert (shown["sync_status"]["links"], shown["webhook"]["state"]) == (1, "active")
    found = ("--incident", "INC-1", "--external", link["external_id"], "--state", "linked")
    assert do("integration links", "prod-pd", *found)["items"][0]["id"] == link["id"]
    assert do("integration links", "prod-pd", "--field-state", "blocked")["items"] == []
    for name in ("links", "sync-status", "get", "show"):
        assert do.reads(f"integration {name}", "prod-pd")
    webhook(do, world)
    on_call(do, world)


def webhook(do: Person, world: World) -> None:
    """The subscription that was made by hand, and then ours in its place."""
    assert do("integration webhook install", "prod-pd", "--public-url", world.url)["made"] is False
    assert do("integration webhook ping", "prod-pd")["arrived"] is True
    assert do("integration webhook show", "prod-pd")["made_by"] == "hand"
    rotated = do("integration webhook rotate", "prod-pd", "--show-secret")
    assert (rotated["made"], rotated["made_by"]) == (True, "imsync")
    world.webhook_secret = rotated["secret"]
    assert do("integration webhook ping", "prod-pd")["arrived"] is True
    shown = do("integration webhook show", "prod-pd")
    assert (shown["state"], shown["problems"]) == ("active", [])
    assert shown["subscription_id"] in do.reads("integration webhook show", "prod-pd")
    assert do("integration webhook enable", "prod-pd")["state"] == "active"
    assert do("integration webhook install", "prod-pd")["made"] is False
    in_the_clear = ("--public-url", "http://a.example")
    assert world.im("integration", "webhook", "install", "prod-pd", *in_the_clear).returncode == 1


def on_call(do: Person, world: World) -> None:
    """The line of the description, with a schedule that there is."""
    schedule = world.sandbox["schedules"][0]["id"]
    found = do("integration oncall", "prod-pd", "--schedule-id", schedule)
    assert set(found) == {"items", "checked_at", "age_s"}
    assert {one["schedule"] for one in found["items"]} == {"Primary on call"}
    found = do("integration oncall", "prod-pd", "--escalation-policy", "Management")
    assert [one["until"] for one in found["items"]] == [None] * 3
    assert "as of" in do.reads("integration oncall", "prod-pd", "--schedule-id", schedule)
    assert world.im("integration", "oncall", "prod-pd", "--schedule-id", "PNOPE").returncode == 4
    assert world.im("integration", "oncall", "prod-pd").returncode == 2


def services(do: Person, world: World) -> None:
    service = world.sandbox["services"][1]["id"]
    line = ("prod-pd", "--pd-service", service, "--incident-type", "infrastructure")
    added = do("integration service-mapping add", *line)
    assert (added["pd_service"], added["incident_type"]) == (service, "infrastructure")
    missing = ("--pd-service", "PNONE", "--incident-type", "storage")
    do.refused(4, "integration service-mapping add", "prod-pd", *missing)
    listed = do("integration service-mapping list", "prod-pd")["items"]
    assert [one["pd_service"] for one in listed] == [service]
    assert "infrastructure" in do.reads("integration service-mapping list", "prod-pd")
    do.refused(4, "integration service-mapping remove", "prod-pd", "--pd-service", "PNONE")
    removed = do("integration service-mapping remove", "prod-pd", "--pd-service", service)
    assert removed["id"] == added["id"]


def maps(do: Person) -> None:
    assert [one["map"] for one in do("integration map list", "prod-pd")["items"]] == [
        *("urgency", "priority", "status")
    ]
    changed = do("integration map set", "prod-pd", "urgency", "SEV-3=high", "low=SEV-4")
    assert (changed["out"]["SEV-3"], changed["in"]["low"]) == ("high", "SEV-4")
    assert not changed["default"]
    assert "reads as" in do.reads("integration map list", "prod-pd")
    do.refused(1, "integration map set", "prod-pd", "urgency", "SEV-2=low")
    do.refused(2, "integration map set", "prod-pd", "urgency", "SEV-2")
    off = do("integration map set", "prod-pd", "priority", "off")
    assert set(off["out"].values()) == {"none"}
    for name in ("urgency", "priority"):
        assert do("integration map delete", "prod-pd", name)["default"]


def conflicts(do: Person, world: World) -> None:
    """Both sides edit two fields while nothing is synced, and a person is asked."""
    do("integration configure", "prod-pd", "--conflict-strategy", "manual-review")
    do("integration configure", "prod-pd", "--enabled", "false")
    do("incident update", "INC-1", "--title", "Here", "--sev", "SEV-1")
    world.act(world.external_id(), title="There", priority=priority(world, "P4"))
    do("integration configure", "prod-pd", "--enabled", "true")

    def pending() -> dict[str, Any]:
        listed = do("conflict list", "--integration", "prod-pd", "--status", "pending")
        return {one["field"]: one["id"] for one in listed["items"]}

    eventually(lambda: sorted(pending()), ["severity", "title"], "what is in conflict")
    found = pending()
    shown = do("conflict show", found["title"])
    assert (shown["platform"]["value"], shown["external"]["value"]) == ("Here", "There")
    assert "There" in do.reads("conflict show", found["title"])
    assert do("plan", "prod-pd")["calls"] == []
    assert do("explain", "INC-1", "title")["state"] == "held"
    assert "until a person decides" in do.reads("explain", "INC-1", "title")
    plan = do("conflict resolve", found["title"], "--use", "external", "--dry-run")
    assert plan["adopted"] == [
        {"incident": "INC-1", "field": "title", "before": "Here", "after": "There"}
    ]
    assert "There" in do.reads("conflict resolve", found["title"], "--use", "external", "--dry-run")
    as_shown = ("--plan", plan["plan"])
    do.refused(1, "conflict resolve", found["title"], "--use", "platform", *as_shown)
    do("conflict resolve", found["title"], "--use", "external", *as_shown)
    eventually(lambda: world.here("title"), "There", "the title here")
    do("conflict restore", found["title"])
    eventually(lambda: world.all_there()[0]["title"], "Here", "the title there")
    do("conflict ignore", found["severity"])
    assert pending() == {}


def priority(world: World, name: str) -> Json:
    found = next(one for one in world.sandbox["priorities"] if one["name"] == name)
    return {"id": found["id"], "type": "priority_reference"}


def dead_letters(do: Person, world: World) -> None:
    id_ = do("integration get", "prod-pd")["id"]
    junk(world, id_, b"not even JSON")

    def letters() -> list[str]:
        return [one["body"] for one in do("integration dlq", "prod-pd")["items"]]

    eventually(letters, ["not even JSON"], "the dead letters")
    unhealthy = do("integration sync-status", "prod-pd", status=5)
    assert "dead letter" in unhealthy["problems"][0]
    (letter,) = do("integration dlq", "prod-pd")["items"]
    assert do("integration dlq", "prod-pd", "--show", letter["id"]) == letter
    assert do("integration dlq", "prod-pd", "--retry", letter["id"])["id"] == letter["id"]
    eventually(letters, ["not even JSON"], "the dead letters, tried again")
    assert do("integration dlq", "prod-pd", "--discard", "all", "--yes")["items"]
    assert letters() == []
