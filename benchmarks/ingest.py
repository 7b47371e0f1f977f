"""How fast deliveries are kept, and how fast they are applied.

    python -m benchmarks.ingest [DELIVERIES]

Prints, in one run: how many deliveries a second are answered 202 once they are on the disk,
against the same handler when it keeps nothing (the ratio says what keeping costs), with p50 and
p99 of an answer; and how many kept ones are applied a second. Whoever delivers is a process
of its own, with as many connections as PagerDuty may have open for one subscription.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from imsync.sandbox.deliveries import sign
from imsync.store import inbox, integrations
from imsync.store.database import Database
from tests.town import Town, town_of

CONNECTIONS = 32
INCIDENTS = 50
ROUNDS = 5


@dataclass(frozen=True)
class Load:
    """What came of a round of deliveries."""

    a_second: float
    p50_ms: float
    p99_ms: float


async def main(deliveries: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with town_of(Path(folder) / "im.db") as town:
            await town.connect()
            for n in range(INCIDENTS):
                await town.trigger(f"Incident {n}")
            await town.settle(rounds=100 * INCIDENTS)
            kept, unkept = [], []
            for n in range(ROUNDS):
                kept.append(await deliver(town, folder, f"kept-{n}", deliveries))
                with keeping_nothing():
                    unkept.append(await deliver(town, folder, f"unkept-{n}", deliveries))
            applied, took = await apply_all(town)
    ratio = statistics.median(a.a_second / b.a_second for a, b in zip(kept, unkept, strict=True))
    print(f"{deliveries} deliveries over {CONNECTIONS} connections, {ROUNDS} times")
    for name, loads in (("kept, then answered 202", kept), ("answered 202, not kept", unkept)):
        one = sorted(loads, key=lambda load: load.a_second)[ROUNDS // 2]
        shown = f"p50 {one.p50_ms:5.1f} ms, p99 {one.p99_ms:5.1f} ms"
        print(f"  {name:24} {one.a_second:7.0f} a second, {shown}")
    print(f"  {'ratio':24} {ratio:7.2f}")
    print(f"  {'applied':24} {applied / took:7.0f} a second")


async def deliver(town: Town, folder: str, name: str, count: int) -> Load:
    """Let another process deliver so many events about the town's incidents."""
    path = Path(folder) / f"{name}.json"
    path.write_bytes(orjson.dumps([body.decode() for body in await bodies(town, name, count)]))
    (secret,) = await town.db.read(integrations.secrets, "int_test")
    loader = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.ingest", "--load"),
        *(town.webhook_url, secret, str(path)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await loader.communicate()
    path.unlink()
    return Load(**json.loads(told))


async def bodies(town: Town, name: str, count: int) -> list[bytes]:
    """So many events: real ones of the town's incidents, told as others."""
    real = await town.db.read(of_incidents)
    found = []
    for n in range(count):
        body: dict[str, Any] = orjson.loads(real[n % len(real)])
        body["event"]["id"] = f"{name}-{n}"
        status = ("acknowledged", "triggered")[n // len(real) % 2]
        kind = {"acknowledged": "acknowledged", "triggered": "unacknowledged"}[status]
        body["event"]["event_type"] = f"incident.{kind}"
        body["event"]["data"]["status"] = status
        found.append(orjson.dumps(body))
    return found


class keeping_nothing:  # noqa: N801 - it is used as a verb
    """What would be kept is taken for kept: the rest of the handler is as ever."""

    def __enter__(self) -> None:
        self.run = run = Database.run

        async def unkept(db: Database, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return True if work is inbox.put else await run(db, work, *args, **kwargs)

        Database.run = unkept  # type: ignore[method-assign,assignment]

    def __exit__(self, *_: object) -> None:
        Database.run = self.run  # type: ignore[method-assign]


async def apply_all(town: Town) -> tuple[int, float]:
    count = await town.db.read(inbox.count_pending, "int_test")
    started = time.perf_counter()
    while await town.crew.inbound.step():
        pass
    took = time.perf_counter() - started
    assert await town.db.read(inbox.count_pending, "int_test") == 0, "not all was applied"
    return count, took


async def load(url: str, secret: str, waiting: list[bytes]) -> None:
    """Deliver all of them, and say how it went."""
    took: list[float] = []
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def connection() -> None:
            while waiting:
                body = waiting.pop()
                headers = {
                    "Content-Type": "application/json",
                    "X-Webhook-Id": orjson.loads(body)["event"]["id"],
                    "X-PagerDuty-Signature": sign(secret, body),
                }
                sent = time.perf_counter()
                async with session.post(url, data=body, headers=headers) as answer:
                    await answer.read()
                    assert answer.status == 202, answer.status
                took.append((time.perf_counter() - sent) * 1000)

        started = time.perf_counter()
        await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
        whole = time.perf_counter() - started
    hundredths = statistics.quantiles(took, n=100)
    figures = {"a_second": len(took) / whole, "p50_ms": hundredths[49], "p99_ms": hundredths[98]}
    print(json.dumps(figures))


# What they read.


def of_incidents(conn: Any) -> list[bytes]:
    rows = conn.execute(
        "SELECT body FROM inbox WHERE event_type = 'incident.triggered' ORDER BY id"
    )
    return [row[0] for row in rows]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        whither, signed_with, file = sys.argv[2:]
        texts = orjson.loads(Path(file).read_bytes())
        asyncio.run(load(whither, signed_with, [text.encode() for text in texts]))
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))
