"""Live many seeds of the simulation on all cores, and print what came of them.

    make chaos              10,000 seeds
    make chaos SEEDS=500    so many
    make chaos FIRST=20000  others

Ends with 0 only if every promise held in every story. A seed that failed is named, and

    python -m tests.simulation SEED

tells its story again, line for line.
"""

import gc
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.openapi.judge import openapi
from tests.simulation.story import Story, live

_CHUNK = 10
_OPENAPI = "openapi"

KINDS = {
    "lost": "edits lost",
    "unkept": "answered with yes, and not kept",
    "differ": "not converged",
    "held": "held without a reason",
    "double": "doubled",
    "note": "notes lost or doubled",
    "echo": "echoed",
    "limit": "over the rate limit by our own doing",
    "bug": "bugs, and poison that spread",
    _OPENAPI: "unlike PagerDuty's OpenAPI",
}


@dataclass(slots=True)
class Total:
    stories: int = 0
    bad: list[Story] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    edits: int = 0
    conflicts: int = 0
    crashes: int = 0
    calls: int = 0
    allowed: float = 0.0
    convergence: list[float] = field(default_factory=list)

    def add(self, story: Story) -> None:
        counts = story.counts
        self.stories += 1
        self.edits += counts.edits
        self.conflicts += counts.conflicts
        self.crashes += counts.crashes
        self.calls += counts.calls
        self.allowed += counts.allowed
        self.convergence.append(counts.convergence)
        if story.complaints:
            self.bad.append(story)
        for complaint in story.complaints:
            kind = complaint.split(":")[0]
            self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def percentile(self, share: float) -> float:
        ordered = sorted(self.convergence)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def some(seeds: range) -> list[Story]:
    return [live(seed) for seed in seeds]


def every(first: int, count: int) -> Iterator[Story]:
    chunks = [
        range(at, min(at + _CHUNK, first + count)) for at in range(first, first + count, _CHUNK)
    ]
    # What is loaded stays: the collector, which runs after each story, need not look at it.
    with ProcessPoolExecutor(initializer=gc.freeze) as pool:
        for stories in pool.map(some, chunks):
            yield from stories


def table(total: Total, seconds: float) -> str:
    rows = [
        ("seeds", f"{total.stories:,}"),
        ("edits made", f"{total.edits:,}"),
        *((what, counted(total, kind)) for kind, what in KINDS.items()),
        ("conflicts recorded", f"{total.conflicts:,}"),
        ("crashes", f"{total.crashes:,}"),
        ("converged after the last fault, p50", f"{total.percentile(0.5):.0f} s (virtual)"),
        ("converged after the last fault, p99", f"{total.percentile(0.99):.0f} s (virtual)"),
        ("API calls", f"{total.calls:,}"),
        ("of what the limit allows", f"{total.calls / max(total.allowed, 1):.1%}"),
        ("wall time", f"{seconds:.0f} s on {os.cpu_count()} cores"),
    ]
    return "\n".join(f"| {what} | {much} |" for what, much in [("", ""), ("---", "---:"), *rows])


def counted(total: Total, kind: str) -> str:
    """Of a kind of failure, how many there were; or that nobody looked."""
    return "not judged" if kind == _OPENAPI and openapi() is None else f"{total.kinds[kind]:,}"


def main() -> int:
    count, first = (
        int(os.environ.get(name) or usual) for name, usual in (("SEEDS", 10_000), ("FIRST", 0))
    )
    if openapi() is None:
        print(
            "PagerDuty's OpenAPI is not beside this repository: nothing is judged by it", flush=True
        )
    started, total = time.monotonic(), Total()
    for story in every(first, count):
        total.add(story)
        if story.complaints:
            print(story.told(), flush=True)
    print(table(total, time.monotonic() - started))
    lost = total.kinds["lost"] + total.kinds["unkept"]
    print(f"lost {lost}, doubled {total.kinds['double']}, echoed {total.kinds['echo']}")
    return bool(total.bad)


if __name__ == "__main__":
    sys.exit(main())
