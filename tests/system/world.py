"""Real processes, real sockets: an imsyncd, a pagerduty-sandbox, and `im` as people run it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

Json = dict[str, Any]
BIN = Path(sys.executable).parent
PATIENCE = 30.0


def eventually(look: Callable[[], Any], wanted: object, what: str) -> None:
    """Wait until `look` finds it. Fails, saying what was there instead, after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    found = look()
    while found != wanted:
        assert time.monotonic() < deadline, f"{what} is {found!r}, not {wanted!r}"
        time.sleep(0.01)
        found = look()


def answered(method: str, url: str, body: Json | None = None, **headers: str) -> Json:
    request = Request(
        url,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json", **headers},
    )
    with urlopen(request, timeout=10) as answer:
        found: Json = json.loads(answer.read() or b"{}")
        return found


class World:
    """One folder, one database, and the processes that a test starts on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "imsyncd.log"
        self.environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith("IMSYNC_")},
            "HOME": str(folder),
            "IMSYNC_DATABASE": str(folder / "data" / "im.db"),
            "IMSYNC_SOCKET": str(folder / "run" / "im.sock"),
            "IMSYNC_LISTEN": "127.0.0.1:0",
            "IMSYNC_DRIFT_INTERVAL": "1",
        }
        self.daemon: subprocess.Popen[str] | None = None
        self.others: list[subprocess.Popen[str]] = []
        self.url = ""
        self.sandbox: Json = {}

    def start(self, *flags: str) -> None:
        """Start the daemon, and wait until it listens."""
        with self.log.open("a") as log:
            self.daemon = subprocess.Popen(
                [BIN / "imsyncd", *flags],
                env=self.environment,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.daemon.stdout is not None
        first = self.daemon.stdout.readline()
        listens = re.search(r"listens on (http://\S+)", first)
        assert listens, f"it did not start: {first}{self.log.read_text()}"
        self.url = listens[1]

    def kill(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.communicate()

    def stop(self) -> int:
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.communicate(timeout=PATIENCE)
        return self.daemon.returncode

    def refused(self, *flags: str, **environment: str) -> tuple[int, str]:
        """Start a daemon that should not start: its exit status, and what it says."""
        ran = subprocess.run(
            [BIN / "imsyncd", *flags],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return ran.returncode, ran.stderr

    def start_pagerduty(self) -> None:
        """Start a sandbox of its own process, whose state outlives nobody but the test."""
        process = subprocess.Popen(
            [BIN / "pagerduty-sandbox", "--listen", "127.0.0.1:0", "--format", "json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.others.append(process)
        assert process.stdout is not None
        self.sandbox = json.loads(process.stdout.readline())

    def connect(self) -> None:
        """Configure the integration as a person would, and have its webhooks sent here."""
        made = self.json(
            "integration", "configure", "--name", "Production PagerDuty", "--type", "pagerduty",
            "--base-url", self.sandbox["url"], "--token", self.sandbox["token"],
            "--from-email", self.sandbox["from_email"],
            "--default-service", self.sandbox["default_service"],
        )  # fmt: skip
        self.subscribe(made["id"])

    def subscribe(self, id_: str) -> None:
        """A subscription to where the daemon listens now; its secret is given to imsync."""
        for old in self.there("GET", "/webhook_subscriptions")["webhook_subscriptions"]:
            self.there("DELETE", f"/webhook_subscriptions/{old['id']}")
        body = {
            "type": "webhook_subscription",
            "delivery_method": {
                "type": "http_delivery_method",
                "url": f"{self.url}/api/v1/webhooks/{id_}",
            },
            "events": [
                f"incident.{what}"
                for what in ("triggered", "acknowledged", "unacknowledged", "resolved",
                             "reopened", "reassigned", "priority_updated", "annotated")
            ],
            "filter": {"type": "account_reference"},
        }  # fmt: skip
        made = self.there("POST", "/webhook_subscriptions", {"webhook_subscription": body})
        secret = made["webhook_subscription"]["delivery_method"]["secret"]
        self.im("integration", "configure", id_, "--webhook-secret", secret)

    def use_inner_sandbox(self) -> None:
        """Act on the sandbox that `imsyncd --sandbox` has started."""
        access = self.json("status")["sandbox"]
        self.sandbox = answered("GET", f"{access['url']}/_sandbox") | access

    def im(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "im", *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )

    def json(self, *words: str) -> Json:
        ran = self.im(*words, "--format", "json")
        assert ran.returncode == 0, ran.stderr
        found: Json = json.loads(ran.stdout)
        return found

    def there(self, method: str, path: str, body: Json | None = None) -> Json:
        """What a person does in PagerDuty."""
        return answered(
            method,
            self.sandbox["url"] + path,
            body,
            Authorization=f"Token token={self.sandbox['token']}",
            From=self.sandbox["users"][-1]["email"],
        )

    def all_there(self) -> list[Json]:
        found: list[Json] = self.there("GET", "/incidents?date_range=all&limit=100")["incidents"]
        return found

    def act(self, external_id: str, **changes: object) -> None:
        body = {"incident": {"type": "incident_reference", **changes}}
        self.there("PUT", f"/incidents/{external_id}", body)

    def here(self, field: str, number: int = 1) -> Any:
        return answered("GET", f"{self.url}/api/v1/incidents/INC-{number}")[field]

    def external_id(self, number: int = 1) -> Any:
        links = self.here("links", number)
        return links[0]["external_id"] if links else None

    def end(self) -> None:
        for process in [*self.others, *([self.daemon] if self.daemon else [])]:
            if process.poll() is None:
                process.kill()
            process.communicate()
