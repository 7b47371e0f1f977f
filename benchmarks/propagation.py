"""How long an edit takes to arrive on the other side.

    python -m benchmarks.propagation [EDITS]

A real imsyncd and a real pagerduty-sandbox on this machine. Prints p50 and p99, each way, of the
time from sending an edit to where it is made until the other side shows it (looked at every
millisecond); beside the time of a plain edit over PagerDuty's API until PagerDuty shows it, in
turn with the others: what is more than that is what imsync adds.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from tests.system.world import World, eventually

ALONE = "PagerDuty alone, there -> there"

Look = Callable[[], Awaitable[str]]


async def main(edits: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            world.environment["IMSYNC_LOG_LEVEL"] = "warning"
            world.start_pagerduty()
            alone = triggered(world)  # before imsync is connected, so none of its business
            world.start()
            world.connect()
            world.json("integration", "configure", "prod-pd", "--rate-limit", "100000")
            async with aiohttp.ClientSession() as session:
                limits = f"{world.sandbox['url']}/_sandbox/limits"
                await ask(session, "PUT", limits, {"everything": 1_000_000})
                took = await measure(world, session, alone, edits)
        finally:
            world.end()
    print(f"{edits} edits each way, one by one: from the edit until the other side shows it")
    for name, times in took.items():
        hundredths = statistics.quantiles(times, n=100)
        print(f"  {name:34} p50 {hundredths[49]:6.1f} ms   p99 {hundredths[98]:6.1f} ms")
    plain = statistics.median(took[ALONE])
    for way in ("here -> there", "there -> here"):
        print(f"  {way}: {statistics.median(took[way]) / plain:.1f} times a plain edit")


def triggered(world: World) -> str:
    service = {"id": world.sandbox["default_service"], "type": "service_reference"}
    draft = {"incident": {"type": "incident", "title": "Alone", "service": service}}
    return str(world.there("POST", "/incidents", draft)["incident"]["id"])


async def measure(
    world: World, session: aiohttp.ClientSession, other: str, edits: int
) -> Mapping[str, list[float]]:
    world.json("declare", "--sev", "SEV-3", "--title", "Start")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    here = f"{world.url}/api/v1/incidents/INC-1"
    there = f"{world.sandbox['url']}/incidents/{world.external_id()}"
    alone = f"{world.sandbox['url']}/incidents/{other}"
    headers = {"Authorization": f"Token token={world.sandbox['user_token']}"}

    async def edit_here(title: str) -> None:
        await ask(session, "PATCH", here, {"title": title})

    async def status_here() -> str:
        return str((await ask(session, "GET", here))["status"])

    async def put(url: str, **changes: str) -> None:
        body = {"incident": {"type": "incident_reference", **changes}}
        await ask(session, "PUT", url, body, headers)

    async def title_at(url: str) -> str:
        return str((await ask(session, "GET", url, None, headers))["incident"]["title"])

    took: dict[str, list[float]] = {}

    async def one(name: str, edit: Awaitable[None], look: Look, wanted: str) -> None:
        started = time.perf_counter()
        await edit
        async with asyncio.timeout(30):
            while await look() != wanted:  # noqa: ASYNC110 - it is another process that shows it
                await asyncio.sleep(0.001)
        took.setdefault(name, []).append((time.perf_counter() - started) * 1000)

    for n in range(edits):
        title, status = f"Title {n}", ("acknowledged", "triggered")[n % 2]
        reads_as = ("mitigated", "open")[n % 2]
        await one("here -> there", edit_here(title), partial(title_at, there), title)
        await one("there -> here", put(there, status=status), status_here, reads_as)
        await one(ALONE, put(alone, title=title), partial(title_at, alone), title)
    return took


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    async with session.request(method, url, json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
