"""Real processes, real sockets: an imsyncd, a pagerduty-sandbox, and `im` as people run it."""

import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from imsync.store import keys
from imsync.store.sealed import held
from imsync.store.sealing import Keyring

Json = dict[str, Any]
BIN = Path(sys.executable).parent
PATIENCE = 30.0


def eventually(look: Callable[[], Any], wanted: object, what: str) -> None:
    """Wait until `look` finds it. Fails, saying what was there instead, after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    found = look()
    while found != wanted:
        assert time.monotonic() < deadline, f"{what} is {found!r}, not {wanted!r}"
        time.sleep(0.03)
        found = look()


def heed_signals() -> None:
    """As from a terminal; whoever runs the tests may ignore these, as under nohup or in a job."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def free_port() -> int:
    """A port that stays ours while its process is dead: none that the kernel gives to others."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


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
            "IMSYNC_LISTEN": f"127.0.0.1:{free_port()}",
            "IMSYNC_DRIFT_INTERVAL": "1",
            "IMSYNC_SWEEP_INTERVAL": "1",
            "IMSYNC_LOG_LEVEL": "debug",
        }
        self.daemon: subprocess.Popen[str] | None = None
        self.pagerduty: subprocess.Popen[str] | None = None
        self.pagerduty_port = free_port()
        self.url = ""
        self.sandbox: Json = {}
        self.webhook_secret = ""

    def start(self, *flags: str, launcher: Sequence[str | Path] = (BIN / "imsyncd",)) -> None:
        """Start the daemon, and wait until it listens."""
        with self.log.open("a") as log:
            self.daemon = subprocess.Popen(
                [*launcher, *flags],
                env=self.environment,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=heed_signals,
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
        return self.stop_by(signal.SIGTERM)

    def stop_by(self, how: signal.Signals) -> int:
        assert self.daemon is not None
        self.daemon.send_signal(how)
        self.daemon.communicate(timeout=PATIENCE)
        return self.daemon.returncode

    def refused(self, *flags: str, **environment: str) -> tuple[int, str]:
        """Start a daemon that should not start: its exit status, and what it complains of."""
        status, _, said = self.ran(*flags, **environment)
        return status, said

    def ran(self, *flags: str, **environment: str) -> tuple[int, str, str]:
        """Run a daemon that ends by itself: its exit status, and what it says where."""
        ran = subprocess.run(
            [BIN / "imsyncd", *flags],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return ran.returncode, ran.stdout, ran.stderr

    def start_pagerduty(self) -> None:
        """Start a sandbox of its own process, on what it knew when it was killed, if it was."""
        self.pagerduty = subprocess.Popen(
            [
                BIN / "pagerduty-sandbox", "--listen", f"127.0.0.1:{self.pagerduty_port}",
                "--format", "json", "--state", self.folder / "pagerduty", "--time-scale", "100",
            ],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self.pagerduty.stdout is not None
        told: Json = json.loads(self.pagerduty.stdout.readline())
        self.sandbox = answered("GET", f"{told['url']}/_sandbox") | told

    def kill_pagerduty(self) -> None:
        assert self.pagerduty is not None
        self.pagerduty.kill()
        self.pagerduty.communicate()

    def connect(self, name: str = "Production PagerDuty") -> None:
        """Configure the integration as a person would, and have its webhooks sent here."""
        made = self.json(
            "integration", "configure", "--name", name, "--type", "pagerduty",
            "--base-url", self.sandbox["url"], "--token", self.sandbox["token"],
            "--from-email", self.sandbox["from_email"],
            "--default-service", self.sandbox["default_service"],
        )  # fmt: skip
        self.subscribe(made["id"])

    def subscribe(self, id_: str) -> None:
        """A subscription to where the daemon listens; its secret is given to imsync."""
        body = {
            "type": "webhook_subscription",
            "delivery_method": {
                "type": "http_delivery_method",
                "url": f"{self.url}/api/v1/webhooks/{id_}",
            },
            "events": [
                f"incident.{what}"
                for what in ("triggered", "acknowledged", "unacknowledged", "resolved",
                             "reopened", "reassigned", "escalated", "priority_updated",
                             "annotated")
            ],
            "filter": {"type": "account_reference"},
        }  # fmt: skip
        made = self.there("POST", "/webhook_subscriptions", {"webhook_subscription": body})
        self.webhook_secret = made["webhook_subscription"]["delivery_method"]["secret"]
        self.json("integration", "configure", id_, "--webhook-secret", self.webhook_secret)

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
        """What Alice does in PagerDuty, with a token of her own: limits are counted by token."""
        token = f"Token token={self.sandbox['user_token']}"
        return answered(method, self.sandbox["url"] + path, body, Authorization=token)

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
        for process in (self.pagerduty, self.daemon):
            if process is not None:
                process.kill()
                process.communicate()
        log = self.log.read_text() if self.log.exists() else ""
        assert not [secret for secret in self.secrets() if secret in log], "the log tells a secret"

    def secrets(self) -> list[str]:
        """Every token and webhook secret that the daemon has been given."""
        database = self.folder / "data" / "im.db"
        if not database.exists():
            return []
        variable, file = (self.environment.get(f"IMSYNC_KEY{end}") for end in ("", "_FILE"))
        source = keys.of(database, file=Path(file) if file else None, variable=variable)
        ring = Keyring(source.read())
        conn = sqlite3.connect(database)
        kept = [one.opened(ring) for one in held(conn)]
        conn.close()
        return [*kept, *filter(None, [self.webhook_secret, self.sandbox.get("token")])]
