"""The description that imsync implements: every command and every curl in it, as printed.

Its text is read where it is; hosts, tokens and ids are put in the place of those it names.
The text has lost line breaks, so commands are found in it by what they say; a test makes sure
that none is overlooked.
"""

import hmac
import json
import os
import re
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from imsync.cli.main import im
from tests.docs import leaves
from tests.system.world import BIN, PATIENCE, Json, World, answered, eventually

ROOT = Path(__file__).parents[2]
FOUND = sorted((ROOT.parent / "shared" / "spec").glob("000_*.txt"))
SCRIPT = ROOT / "examples" / "description.sh"
COMMANDS = {" ".join(path) for path, _ in leaves(im, "im")}
pytestmark = pytest.mark.skipif(
    not FOUND, reason="the description's text is not beside the project"
)

CONFIGURE = (
    'im integration configure --name "Production PagerDuty" --type pagerduty --org acme-corp'
    ' --base-url "https://api.pagerduty.com" --direction bidirectional'
    ' --token "your_pagerduty_api_token"'
)
CREATE = (
    'curl -X POST http://localhost:8080/api/v1/integrations -H "Content-Type: application/json"'
    """ -d '{ "organization_id": "acme-corp", "integration_type": "pagerduty","""
    ' "name": "Production PagerDuty", "base_url": "https://api.pagerduty.com",'
    ' "credentials": { "token": "your_pagerduty_api_token" },'
    """ "sync_direction": "bidirectional", "enabled": true }'"""
)
OWN = [
    "im integration field-ownership set prod-pd title --owner platform --priority 10",
    "im integration field-ownership set prod-pd description --owner platform --priority 10",
    "im integration field-ownership set prod-pd escalation_policy --owner external --priority 5",
    "im integration field-ownership set prod-pd assigned_to --owner external --priority 5",
]
LATER_WINS = "im integration configure prod-pd --conflict-strategy last-write-wins"
OWNER_WINS = "im integration configure prod-pd --conflict-strategy ownership-priority"
REVIEW = "im integration configure prod-pd --conflict-strategy manual-review"
CONFLICTS = "im conflict list --integration prod-pd"
ESCALATIONS = "im integration configure prod-pd --sync-escalations true"
MAP = (
    'im integration service-mapping add prod-pd --pd-service "P123ABC"'
    ' --incident-type "infrastructure"'
)
ON_CALL = 'im integration oncall prod-pd --schedule-id "PABC123"'
STATUS = "im integration sync-status prod-pd"
LINKS = "im integration links prod-pd"
DEAD = "im integration dlq prod-pd"
LIMIT = "im integration configure prod-pd --rate-limit 100 --backoff-multiplier 2"
TEST = "im integration test prod-pd"
VERIFY = "curl -X POST https://your-server/api/v1/webhooks/{id}/test"
ALL = [
    *(CONFIGURE, CREATE, *OWN, LATER_WINS, OWNER_WINS, REVIEW, CONFLICTS, ESCALATIONS, MAP),
    *(ON_CALL, STATUS, LINKS, DEAD, LIMIT, TEST, VERIFY),
]


def on_one_line(text: str) -> str:
    """Without the breaks, the backslashes before them, and more than one space."""
    return " ".join(text.replace("\\\n", " ").split())


def test_these_are_all_the_commands_of_the_description() -> None:
    left = on_one_line(FOUND[0].read_text())
    for command in sorted(ALL, key=len, reverse=True):
        assert command in left, "it is not printed like this"
        left = left.replace(command, " ", 1)
    assert re.findall(r"\bim [a-z-]+ .{20}|\bcurl .{20}", left) == []


class Reader:
    """Somebody who types what the description says, with their own hosts, tokens and ids."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.own = {
            "http://localhost:8080": world.url,
            "https://your-server": world.url,
            "https://api.pagerduty.com": world.sandbox["url"],
            "your_pagerduty_api_token": world.sandbox["token"],
            "PABC123": world.sandbox["schedules"][0]["id"],
            "P123ABC": world.sandbox["services"][1]["id"],
        }

    def types(self, command: str, *more: str, status: int = 0) -> str:
        for printed, own in self.own.items():
            command = command.replace(printed, own)
        ran = subprocess.run(
            ["bash", "-c", " ".join([command, *more])],
            env={**self.world.environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
            cwd=self.world.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
        assert ran.returncode == status, f"{command}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def finds(self, command: str) -> Any:
        return json.loads(self.types(command, "--format json"))

    def has(self, **settings: object) -> None:
        """The integration is configured so."""
        found = self.world.json("integration", "get", "prod-pd")
        assert {name: found[name] for name in settings} == settings


@pytest.fixture
def reader(world: World) -> Reader:
    world.start_pagerduty()
    world.start()
    return Reader(world)


def test_it_works_as_printed(reader: Reader, world: World) -> None:
    connect(reader, world)
    own(reader, world)
    decide(reader, world)
    take_in(reader, world)
    look(reader, world)


def connect(reader: Reader, world: World) -> None:
    """By the command, then by the curl; then the webhook that the description makes by hand."""
    made = {
        "name": "Production PagerDuty",
        "slug": "prod-pd",
        "integration_type": "pagerduty",
        "organization_id": "acme-corp",
        "base_url": world.sandbox["url"],
        "sync_direction": "bidirectional",
        "enabled": True,
        "has_token": True,
    }
    reader.types(CONFIGURE)
    reader.has(**made)
    world.json("integration", "delete", "prod-pd", "--yes")
    answer: Json = json.loads(reader.types(CREATE))
    assert answer.items() >= made.items()
    reader.has(**made)
    reader.own["{id}"] = answer["id"]
    world.subscribe(answer["id"])
    acting = ("--from-email", world.sandbox["from_email"])
    service = ("--default-service", world.sandbox["default_service"])
    world.json("integration", "configure", "prod-pd", *acting, *service)


def own(reader: Reader, world: World) -> None:
    for command in OWN:
        reader.types(command)
    rules = world.json("integration", "field-ownership", "list", "prod-pd")["items"]
    found = {rule["field"]: (rule["owner"], rule["priority"]) for rule in rules}
    assert (
        found.items()
        >= {
            "title": ("platform", 10),
            "description": ("platform", 10),
            "escalation_policy": ("external", 5),
            "assigned_to": ("external", 5),
        }.items()
    )


def decide(reader: Reader, world: World) -> None:
    """Each strategy decides the same edits of both sides in its own way."""
    world.json("declare", "--sev", "SEV-2", "--title", "Checkout is slow")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    for command, strategy, wins in (
        (LATER_WINS, "last-write-wins", "There 1"),
        (OWNER_WINS, "ownership-priority", "Here 2"),
        (REVIEW, "manual-review", None),
    ):
        reader.types(command)
        reader.has(conflict_strategy=strategy)
        both_edit(world, f"{wins or 'X 3'}"[-1])
        if wins:
            eventually(lambda: world.here("title"), wins, f"the title here, by {strategy}")
            eventually(lambda: world.all_there()[0]["title"], wins, "the title there")
    eventually(
        lambda: [(one["field"], one["status"]) for one in reader.finds(CONFLICTS)["items"]][:1],
        [("title", "pending")],
        "the newest conflict",
    )
    assert "There 3" in reader.types(CONFLICTS)
    world.json(
        "conflict", "resolve", reader.finds(CONFLICTS)["items"][0]["id"], "--use", "platform"
    )


def both_edit(world: World, which: str) -> None:
    """The platform first, then PagerDuty, while nothing is synced."""
    world.json("integration", "configure", "prod-pd", "--enabled", "false")
    world.json("incident", "update", "INC-1", "--title", f"Here {which}")
    world.act(world.external_id(), title=f"There {which}")
    world.json("integration", "configure", "prod-pd", "--enabled", "true")


def take_in(reader: Reader, world: World) -> None:
    """Escalations in the timeline, services as types, and who is on call."""
    reader.types(ESCALATIONS)
    reader.has(sync_escalations=True)
    world.act(world.external_id(), escalation_level=2)
    timeline = f"{world.url}/api/v1/incidents/INC-1/timeline"
    eventually(
        lambda: "escalated" in [line["kind"] for line in answered("GET", timeline)["items"]],
        True,
        "whether the timeline tells of the escalation",
    )
    assert reader.finds(MAP)["incident_type"] == "infrastructure"
    service = {"id": reader.own["P123ABC"], "type": "service_reference"}
    body = {"incident": {"type": "incident", "title": "Disk full", "service": service}}
    world.there("POST", "/incidents", body)
    incidents = f"{world.url}/api/v1/incidents"
    eventually(
        lambda: [one["incident_type"] for one in answered("GET", incidents)["items"]],
        ["infrastructure", None],
        "which types there are",
    )
    if "im integration oncall" in COMMANDS:  # it is being built beside this test
        assert reader.finds(ON_CALL)


def look(reader: Reader, world: World) -> None:
    eventually(lambda: reader.finds(STATUS)["pending"], 0, "what is owed")
    status = reader.finds(STATUS)
    assert (status["healthy"], status["links"], status["conflicts"]) == (True, 2, 0)
    assert "prod-pd is healthy" in reader.types(STATUS)
    links = {one["incident"]: one["external_id"] for one in reader.finds(LINKS)["items"]}
    assert links == {"INC-1": world.external_id(1), "INC-2": world.external_id(2)}
    assert reader.finds(DEAD)["items"] == []
    reader.types(LIMIT)
    reader.has(rate_limit=100, backoff_multiplier=2.0)
    assert reader.finds(TEST)["healthy"] is True
    refused = json.loads(reader.types(VERIFY))
    assert refused["valid"] is False
    signature = hmac.new(world.webhook_secret.encode(), b"{}", sha256).hexdigest()
    signed = ("-d {}", f'-H "X-PagerDuty-Signature: v1={signature}"')
    assert json.loads(reader.types(VERIFY, *signed)) == {"valid": True}


def test_the_example_is_the_description_and_runs(world: World) -> None:
    printed = on_one_line(SCRIPT.read_text())
    for variable, literal in (
        ('"\'"$PAGERDUTY"\'"', '"https://api.pagerduty.com"'),
        ('"\'"$TOKEN"\'"', '"your_pagerduty_api_token"'),
        ('"$PAGERDUTY" --direction', '"https://api.pagerduty.com" --direction'),
        ('"$TOKEN" ', '"your_pagerduty_api_token" '),
        ('"$SERVER/api/v1/integrations"', "http://localhost:8080/api/v1/integrations"),
        ('"$SERVER/api/v1/webhooks/$ID/test"', "https://your-server/api/v1/webhooks/{id}/test"),
        ("$SERVICE", "P123ABC"),
        ("$SCHEDULE", "PABC123"),
    ):
        assert variable in printed, variable
        printed = printed.replace(variable, literal)
    assert [command for command in ALL if command not in printed] == []
    world.start("--sandbox")
    ran = subprocess.run(
        [SCRIPT],
        env={**world.environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("prod-pd is healthy") == 2
