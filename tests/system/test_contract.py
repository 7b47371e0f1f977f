"""The OpenAPI document against the daemon: what neither people nor our own tests think of asking.

Schemathesis makes requests from the document, those that fit it and those that do not, and
holds the answers to it: no 5xx, no status and no shape that is not documented, whatever fits
is taken, whatever does not is refused. EXAMPLES=1000 asks more than the ordinary run.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.system.test_commands import junk
from tests.system.world import BIN, World, answered, eventually

# Each request the same as the last time; or as many others as somebody has time for.
HOW_MANY = ["--max-examples", "5", "--seed", "1"]
if wanted := os.environ.get("EXAMPLES"):
    HOW_MANY = ["--max-examples", wanted]

# Names that there are, so that requests reach what is behind the names; and a web address
# at which nobody is.
CONFIG = """
hooks = "hooks.py"
max-stream-events = 2
request-timeout = 15

[dictionaries]
integrations.values = ["prod-pd"]
incidents.values = ["INC-1", "INC-2", "INC-3"]
conflicts.values = ["cfl_1", "cfl_2", "cfl_3"]
dead_letters.values = ["dlq_1", "dlq_2"]
nowhere.values = ["http://127.0.0.1:9"]
nobody.values = ["nobody"]
secrets.values = ["u+NEVER-TOLD"]

[parameters]
"path.name" = { dictionary = "integrations", probability = 0.8 }
"query.integration" = { dictionary = "integrations", probability = 0.8 }
"query.incident" = { dictionary = "incidents", probability = 0.8 }
"body.base_url" = { dictionary = "nowhere" }
"body.credentials.token" = { dictionary = "secrets" }
"body.credentials.webhook_secret" = { dictionary = "secrets" }
# Whether one takes incidents is a matter of how it is configured by then.
"body.integration" = { dictionary = "nobody" }

[generation]
database = "none"

# What fits the document may still contradict what is there: it is gone, or it has changed.
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 404, 409, 410, 412, 429]
negative_data_rejection.expected-statuses = [
    400, 401, 404, 405, 409, 410, 412, 413, 415, 429,
]

[[operations]]
include-path-regex = "^/api/v1/incidents/"
parameters = { "path.id" = { dictionary = "incidents", probability = 0.8 } }

[[operations]]
include-path-regex = "^/api/v1/conflicts/"
parameters = { "path.id" = { dictionary = "conflicts", probability = 0.8 } }

[[operations]]
include-path-regex = "^/api/v1/dead-letters/"
parameters = { "path.id" = { dictionary = "dead_letters", probability = 0.8 } }

# These ask the account meanwhile, and nobody is at its address.
[[operations]]
include-path-regex = "/(webhook|oncall|links|service-mappings)(/|$)"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 502]
checks.positive_data_acceptance.expected-statuses = [
    "2xx", "3xx", 400, 401, 404, 409, 410, 412, 502,
]
checks.negative_data_rejection.expected-statuses = [
    400, 401, 404, 405, 409, 410, 412, 413, 415, 502,
]

[[operations]]
include-name = "GET /api/v1/events"
request-timeout = 0.15 # it does not end by itself

# Over TCP nobody says where a copy of the database is written.
[[operations]]
include-name = "POST /api/v1/backup"
checks.positive_data_acceptance.expected-statuses = [400, 401, 403]

# Where both sides' values lost, it has to be said which is to come back.
[[operations]]
include-name = "POST /api/v1/conflicts/{id}/restore"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 404, 409, 412]

# Not every month has 31 days, nor every calendar a year 0.
[[operations]]
include-name = "GET /api/v1/audit"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401]

# A map has to come out even, and a slug needs letters that the name may not have.
[[operations]]
include-name = ["PUT /api/v1/integrations/{name}/maps/{map}", "POST /api/v1/integrations"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 404, 409, 412]
"""


# An integration made without an address would lead to the real PagerDuty.
HOOKS = """
import schemathesis

@schemathesis.hook
def before_call(context, case, kwargs):
    new = case.method == "POST" and case.operation.path == "/api/v1/integrations"
    if new and isinstance(case.body, dict) and case.body.get("base_url") is None:
        case.body["base_url"] = "http://127.0.0.1:9"
"""


@pytest.mark.timeout(3_600)
def test_everything_that_is_asked_is_answered_as_documented(world: World, tmp_path: Path) -> None:
    world.start("--sandbox")
    world.use_inner_sandbox()
    something_of_everything(world)
    token = world.json("token", "create", "--name", "schemathesis", "--scope", "admin")["token"]
    folder = tmp_path / "schemathesis"
    folder.mkdir()
    auth = f'[auth.openapi.token]\nbearer = "{token}"\n'
    (folder / "schemathesis.toml").write_text(CONFIG + auth)
    document = answered("GET", f"{world.url}/api/v1/openapi.json", Authorization=f"Bearer {token}")
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "hooks.py").write_text(HOOKS)
    ran = subprocess.run(
        [
            BIN / "schemathesis", "run", "openapi.json", "--url", world.url, "--no-color",
            "--checks", "all", "--warnings", "off", *HOW_MANY,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Tested: " in ran.stdout
    log = world.log.read_text()
    assert "a bug" not in log
    assert "api.pagerduty.com" not in log


def something_of_everything(world: World) -> None:
    """Incidents, pending and decided conflicts, a note, a dead letter, an event of each."""
    numbers = (1, 2, 3)
    for number in numbers:
        world.json("declare", "--sev", "SEV-3", "--title", f"Disk {number} is full")
    eventually(lambda: [bool(world.external_id(one)) for one in numbers], [True] * 3, "the links")
    # While nobody is at work, both sides are edited.
    configure(world, "--conflict-strategy", "manual-review", "--enabled", "false")
    for number in numbers:
        world.act(world.external_id(number), title=f"Disk {number} there")
        world.json("incident", "update", f"INC-{number}", "--title", f"Disk {number} here")
    configure(world, "--enabled", "true")
    eventually(lambda: world.json("status")["conflicts"], 3, "the pending conflicts")
    world.json("conflict", "resolve", "cfl_3", "--use", "platform")
    world.json("incident", "note", "INC-1", "Cleaned up")
    integration = world.json("integration", "get", "prod-pd")["id"]
    (world.webhook_secret,) = set(world.secrets()) - {world.sandbox["token"]}
    for number in numbers:
        junk(world, integration, f"junk {number}".encode())
    eventually(lambda: world.json("status")["dead_letters"], 3, "the dead letters")


def configure(world: World, *settings: str) -> None:
    world.json("integration", "configure", "prod-pd", *settings)
