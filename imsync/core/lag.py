"""How long many things took to arrive, in two numbers."""

from collections.abc import Sequence


def summary(sorted_ms: Sequence[int]) -> dict[str, int | None]:
    """How many there were, and their nearest-rank percentiles in ms; None where there were none."""
    count = len(sorted_ms)

    def at(share: float) -> int | None:
        return sorted_ms[min(count - 1, int(count * share))] if count else None

    return {"count": count, "p50_ms": at(0.5), "p99_ms": at(0.99)}
