"""What goes first, when to try again, when to give up. Times in milliseconds."""

from dataclasses import dataclass

from imsync.core.fields import Field, Instant, Severity

FIRST_WAIT = 1_000
LONGEST_WAIT = 300_000

_SEVERITY_HANDICAP = {Severity.SEV1: 0, Severity.SEV2: 2_000, Severity.SEV3: 6_000}
_COSMETIC_HANDICAP = 10_000
_PRESSING = (Field.STATUS, Field.SEVERITY, Field.ASSIGNED_TO, Field.ESCALATION_POLICY)


def handicap(severity: str | None, field: Field | None) -> int:
    """How many milliseconds later than it was owed a write is taken to be when queueing.

    Severe incidents and status changes overtake cosmetic ones, and nothing starves:
    whatever has waited longer than its handicap goes before what has just come.
    A field of None is the creation of the incident there.
    """
    severe = _SEVERITY_HANDICAP.get(Severity(severity), 10_000) if severity else 10_000
    return severe + (0 if field is None or field in _PRESSING else _COSMETIC_HANDICAP)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential waits with full jitter: from FIRST_WAIT, times `multiplier`, to LONGEST_WAIT."""

    multiplier: float = 2.0
    max_attempts: int = 12

    def next_try(
        self, *, attempt: int, now: Instant, retry_after: int, chance: float
    ) -> Instant | None:
        """When to make the attempt after this one (1 was the first); None when it is enough.

        Never before `retry_after` ms from now, which the other side asked for. `chance`
        is a random number in 0..1: all waits up to the longest allowed are equally likely,
        so that those who failed together do not come back together.
        """
        if attempt >= self.max_attempts:
            return None
        return Instant(now + retry_after + int(self._longest(attempt) * chance))

    def _longest(self, attempt: int) -> float:
        try:
            return min(LONGEST_WAIT, FIRST_WAIT * self.multiplier ** (attempt - 1))
        except OverflowError:  # many attempts, or a steep multiplier: long past the longest
            return LONGEST_WAIT
