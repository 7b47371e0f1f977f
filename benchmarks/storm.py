"""How many calls a storm costs: every open incident changed here at once.

    python -m benchmarks.storm [INCIDENTS]

Prints, in one run against one sandbox with PagerDuty's limit of 960 calls a minute: the calls
that imsync makes for so many changes, and those of PagerDuty's own Python client, which makes
one for each change (and none to look before it writes).
"""

import asyncio
import os
import ssl
import sys
import time
from random import Random
from typing import Any

import aiohttp
import trustme
from pagerduty import RestApiV2Client

from imsync.daemon import wall_clock
from imsync.sandbox.sandbox import Sandbox
from tests.town import Town, town_of

LIMIT = 960


async def main(incidents: int) -> None:
    async with town_of() as town:
        await town.connect()
        town.sandbox.rates.everything = town.sandbox.rates.post_incidents = 1_000_000
        for n in range(incidents):
            await town.trigger(f"Incident {n}")
        await town.settle(rounds=10 * incidents)
        town.clock.at += 120_000
        town.sandbox.rates.everything = LIMIT
        ours, took = await by_imsync(town, incidents)
    theirs = await by_the_official_client(incidents)
    print(f"{incidents} open incidents changed at once, {LIMIT} calls a minute allowed")
    print(f"  imsync                       {ours:6} calls, {ours / LIMIT * 60:6.1f} s of the limit")
    print(f"  official client, one by one  {theirs:6} calls, {theirs / LIMIT * 60:6.1f} s of it")
    print(f"  ratio                        {theirs / ours:6.1f}")
    print(f"  ({took:.1f} s of this machine's time, with the sandbox in the same process)")


async def by_imsync(town: Town, incidents: int) -> tuple[int, float]:
    for number in range(1, incidents + 1):
        await town.edit(number, title=f"Renamed {number}", severity="SEV-1")
    before, started = town.sandbox.requests, time.perf_counter()
    while await town.crew.outbound.step():
        pass
    made, took = town.sandbox.requests - before, time.perf_counter() - started
    titles = {one["title"] for one in await open_there(town)}
    assert titles == {f"Renamed {n}" for n in range(1, incidents + 1)}, "not all arrived"
    return made, took


async def by_the_official_client(incidents: int) -> int:
    """The same number of changes, in an account of its own; it insists on TLS. A tenth is made."""
    authority, some = trustme.CA(), max(1, incidents // 10)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with aiohttp.ClientSession() as session:
        sandbox = Sandbox(session=session, now=wall_clock, rng=Random(1))
        sandbox.rates.everything = sandbox.rates.post_incidents = 1_000_000
        url = await sandbox.start("localhost", ssl_context=context)
        described = sandbox.describe()

        def create_and_change() -> int:
            with authority.cert_pem.tempfile() as trusted:
                os.environ["SSL_CERT_FILE"] = trusted
                client = RestApiV2Client(
                    described["token"], default_from=described["from_email"], base_url=url
                )
                service = {"id": described["default_service"], "type": "service_reference"}
                ids = [
                    client.rpost(
                        "incidents",
                        json={"type": "incident", "title": f"Incident {n}", "service": service},
                    )["id"]
                    for n in range(some)
                ]
                before = sandbox.requests
                for id_ in ids:
                    body = {"type": "incident_reference", "title": "Renamed", "urgency": "high"}
                    client.rput(f"incidents/{id_}", json=body)
                return sandbox.requests - before

        made = await asyncio.to_thread(create_and_change)
        await sandbox.stop()
    return round(made * incidents / some)


async def open_there(town: Town) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more = True
    town.sandbox.rates.everything = 1_000_000
    while more:
        path = f"/incidents?date_range=all&limit=100&offset={len(found)}"
        page = await town.call("GET", path)
        found += page["incidents"]
        more = page["more"]
    town.sandbox.rates.everything = LIMIT
    return found


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
