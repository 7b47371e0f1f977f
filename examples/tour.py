"""The two-way tour: one incident, edited on both sides, every crossing timed.

Starts imsyncd with its PagerDuty sandbox on a fresh database and free ports, edits an
incident here and there as two people would, and prints each edit's arrival on the other
side. Ends with 0, or with 1 and the reason when something did not arrive.

    python examples/tour.py          # make demo
    python examples/tour.py --keep   # make demo KEEP=1: leaves it all running
"""

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

PATIENCE = 10.0  # seconds until something is said not to have arrived
LOOK_EVERY = 0.005

HERE_TO_THERE, THERE_TO_HERE = "imsync → PagerDuty", "PagerDuty → imsync"

out = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
Json = dict[str, Any]


class DidNotArrive(Exception):
    """The tour cannot go on; the message says what was missing."""


class Side:
    """One of the two systems, spoken to over HTTP as any client would."""

    def __init__(self, session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> None:
        self._session, self._url, self._headers = session, url, headers

    async def __call__(self, method: str, path: str, body: Json | None = None) -> Json:
        async with self._session.request(
            method, self._url + path, json=body, headers=self._headers
        ) as answer:
            found: Json = await answer.json(content_type=None)
            if answer.status >= 400:
                raise DidNotArrive(f"{method} {path} was answered {answer.status}: {found}")
            return found


class Tour:
    def __init__(self, here: Side, there: Side, sandbox: Json) -> None:
        self.here, self.there, self.sandbox = here, there, sandbox
        self.slowest = 0.0

    async def incident(self) -> Json:
        return await self.here("GET", "/incidents/INC-1")

    async def external(self) -> Json:
        links = (await self.incident())["links"]
        if not links or not links[0]["external_id"]:
            return {}
        answer = await self.there("GET", f"/incidents/{links[0]['external_id']}")
        found: Json = answer["incident"]
        return found

    async def cross(
        self,
        way: str,
        field: str,
        edit: Callable[[], Awaitable[object]],
        look: Callable[[], Awaitable[object]],
        old: object,
        new: object,
    ) -> None:
        """Make an edit on one side, and time until `look` finds `new` on the other."""
        started = time.perf_counter()
        await edit()
        while (found := await look()) != new:
            if time.perf_counter() - started > PATIENCE:
                raise DidNotArrive(f"{field} did not arrive ({way}): it is {found!r}, not {new!r}")
            await asyncio.sleep(LOOK_EVERY)
        took = (time.perf_counter() - started) * 1000
        self.slowest = max(self.slowest, took)
        colour = "cyan" if way == HERE_TO_THERE else "magenta"
        change = f"{old} → {new}" if old is not None else f"{new}"
        # Eighty columns: no narrower terminal has to break a line.
        out.print(f"[{colour}]{way}[/]  {field:<12} {change:<40.40}[bold]{took:4.0f} ms[/]")

    async def play(self) -> None:
        title, better = "Checkout is slow", "Checkout is down"
        await self.cross(
            HERE_TO_THERE,
            "incident",
            lambda: self.here("POST", "/incidents", {"title": title, "severity": "SEV-3"}),
            lambda: self.there_now("title"),
            None,
            title,
        )
        external_id = (await self.external())["id"]
        was = (await self.incident())["assigned_to"]
        users = [user for user in self.sandbox["users"] if user["email"] != was]
        bob = users[-1]

        async def act(**changes: object) -> None:
            body = {"incident": {"type": "incident_reference", **changes}}
            await self.there("PUT", f"/incidents/{external_id}", body)

        async def edit(**changes: object) -> None:
            await self.here("PATCH", "/incidents/INC-1", changes)

        await self.cross(
            THERE_TO_HERE, "status",
            lambda: act(status="acknowledged"),
            lambda: self.here_now("status"),
            "open", "mitigated",
        )  # fmt: skip
        to_bob = [{"assignee": {"id": bob["id"], "type": "user_reference"}}]
        await self.cross(
            THERE_TO_HERE, "assigned_to",
            lambda: act(assignments=to_bob),
            lambda: self.here_now("assigned_to"),
            was, bob["email"],
        )  # fmt: skip
        await self.cross(
            HERE_TO_THERE, "title",
            lambda: edit(title=better),
            lambda: self.there_now("title"),
            title, better,
        )  # fmt: skip
        await self.cross(
            HERE_TO_THERE, "severity",
            lambda: edit(severity="SEV-1"),
            self.urgency_and_priority,
            "SEV-3: low, P3", "high, P1",
        )  # fmt: skip
        await self.cross(  # raising the urgency un-acknowledges there, as in the real PagerDuty
            THERE_TO_HERE, "status",
            lambda: asyncio.sleep(0),
            lambda: self.here_now("status"),
            "mitigated", "open",
        )  # fmt: skip
        await self.cross(
            THERE_TO_HERE, "escalation",
            lambda: act(escalation_level=2),
            self.last_escalation,
            None, "escalated",
        )  # fmt: skip
        status = (await self.incident())["status"]
        await self.cross(
            THERE_TO_HERE, "status",
            lambda: act(status="resolved"),
            lambda: self.here_now("status"),
            status, "resolved",
        )  # fmt: skip
        await self.close()

    async def close(self) -> None:
        """Closed is ours alone: resolved there already says it, so nothing is written."""
        before = await self.writes()
        await self.here("PATCH", "/incidents/INC-1", {"status": "closed"})
        async with asyncio.timeout(PATIENCE):
            while (await self.here("GET", "/integrations/prod-pd/sync-status"))["pending"]:
                await asyncio.sleep(LOOK_EVERY)
        if (after := await self.writes()) != before:
            raise DidNotArrive(f"closing wrote to PagerDuty: {after - before} calls")
        out.print(
            f"[dim]{'here alone':<18}[/]  {'status':<12} resolved → closed: nothing is written"
        )

    async def here_now(self, field: str) -> object:
        return (await self.incident())[field]

    async def there_now(self, field: str) -> object:
        return (await self.external()).get(field)

    async def urgency_and_priority(self) -> str:
        found = await self.external()
        return f"{found['urgency']}, {(found['priority'] or {}).get('summary')}"

    async def last_escalation(self) -> object:
        entries = (await self.here("GET", "/incidents/INC-1/timeline"))["items"]
        return next((e["kind"] for e in entries if e["kind"] == "escalated"), None)

    async def writes(self) -> int:
        """How often the sandbox was written to, as it counts itself."""
        return int((await self.there("GET", "/_sandbox"))["writes"])

    async def show(self) -> None:
        """The incident's timeline, in the order in which it happened, and the sync status."""
        story = Table("at", "what", "by", "from", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        entries = (await self.here("GET", "/incidents/INC-1/timeline"))["items"]
        for entry in sorted(entries, key=lambda entry: str(entry["at"])):
            what = entry["text"] or ""
            if entry["kind"] == "changed":
                what = f"{entry['field']}: {entry['old'] or 'none'} → {entry['new'] or 'none'}"
            elif entry["kind"] == "linked":
                what = f"linked: {what.rpartition('/')[2]} there"
            story.add_row(
                entry["at"][11:23], what, entry["by"] or "", entry["integration"] or "here"
            )
        out.print("\nthe timeline of INC-1\n")
        out.print(story)
        out.print()
        status = await self.here("GET", "/integrations/prod-pd/sync-status")
        lag = status["lag"]
        out.print(
            f"sync status of prod-pd: {'healthy' if status['healthy'] else status['problems']},"
            f" {status['links']} link, {status['pending']} pending,"
            f" {status['conflicts']} conflicts, {status['dead_letters']} dead letters\n"
            f"lag p50 {lag['inbound']['p50_ms']} ms in, {lag['outbound']['p50_ms']} ms out"
        )
        if not status["healthy"]:
            raise DidNotArrive(f"prod-pd is not healthy: {status['problems']}")


def start_daemon(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start imsyncd with its sandbox in this folder; its process, and where it listens."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("IMSYNC_")},
        "IMSYNC_DATABASE": str(folder / "imsync.db"),
        "IMSYNC_SOCKET": str(folder / "imsync.sock"),
        "IMSYNC_LISTEN": "127.0.0.1:0",
    }
    log = folder / "imsyncd.log"
    with log.open("wb") as sink:
        daemon = subprocess.Popen(
            [Path(sys.executable).with_name("imsyncd"), "--sandbox"],
            cwd=folder,
            env=environment,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and daemon.poll() is None:
        if found := re.search(r"listens on (http://\S+)", log.read_text()):
            return daemon, found[1]
        time.sleep(0.05)
    daemon.kill()
    raise DidNotArrive(f"imsyncd did not start:\n{log.read_text()}")


async def play(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        here = Side(session, f"{url}/api/v1", {"From": "alice@acme.example"})
        access = (await here("GET", "/status"))["sandbox"]
        public = Side(session, access["url"], {})
        sandbox = await public("GET", "/_sandbox")
        headers = {
            "Authorization": f"Token token={access['token']}",
            "Accept": "application/vnd.pagerduty+json;version=2",
            "From": sandbox["users"][-2]["email"],
        }
        tour = Tour(here, Side(session, access["url"], headers), sandbox)
        out.print(f"imsync is at {url}, a PagerDuty sandbox at {access['url']}\n")
        await tour.play()
        await tour.show()
        out.print(f"[green]Everything arrived[/]; the slowest crossing took {tour.slowest:.0f} ms.")


def what_next(folder: Path, daemon: subprocess.Popen[bytes]) -> None:
    im = Path(sys.executable).with_name("im")
    out.print(
        f"""
It is all still running. Type next:

  export IMSYNC_SOCKET={folder}/imsync.sock
  {im} incident list
  {im} declare --sev SEV-2 --title "Search is slow"
  {im} integration sync-status prod-pd
  {im} status                       # where the sandbox is, and its token

and, when you have seen enough:

  kill {daemon.pid} && rm -r {folder}""",
        soft_wrap=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="The two-way tour of imsync.")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    keep = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="imsync-tour-"))
    daemon = None
    try:
        daemon, url = start_daemon(folder)
        asyncio.run(play(url))
    except (DidNotArrive, aiohttp.ClientError, TimeoutError) as error:
        out.print(f"[red]The tour failed:[/] {error or type(error).__name__}", soft_wrap=True)
        out.print(f"the daemon's log is {folder}/imsyncd.log", soft_wrap=True)
        keep_folder, status = True, 1
    else:
        keep_folder, status = keep, 0
    if daemon is not None and not (keep and status == 0):
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=30)
    if keep and status == 0 and daemon is not None:
        what_next(folder, daemon)
    if not keep_folder:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    return status


if __name__ == "__main__":
    sys.exit(main())
