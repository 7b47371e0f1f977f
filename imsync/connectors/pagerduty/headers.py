"""What the headers of PagerDuty's answers tell: the rate limit, how long to wait, the time there.

Whatever they hold, nothing here raises: a header that makes no sense is as good as none.
"""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Final

from imsync.connectors.base import Limits, Operation
from imsync.core.fields import Instant
from imsync.core.offset import Offset

LONGEST_WAIT: Final = 3_600_000
"""Nobody is made to wait longer by one header: it may be wrong, and asking is cheap."""


def limits(headers: Mapping[str, str], operation: Operation) -> Limits | None:
    """What is left of the rate limit that is closest to this operation, if all of it is told."""
    limit = _count(headers.get("ratelimit-limit"))
    remaining = _count(headers.get("ratelimit-remaining"))
    reset = _count(headers.get("ratelimit-reset"))
    if limit is None or remaining is None or reset is None:
        return None
    return Limits(limit, remaining, min(reset * 1_000, LONGEST_WAIT), operation)


def wait(headers: Mapping[str, str], *, limited: bool, now: Instant) -> int:
    """How many milliseconds we are asked to wait; 0 if nothing is asked.

    PagerDuty tells those over its limit in seconds (`ratelimit-reset`, which is on every
    answer, but means waiting on a 429 only); whatever stands before it may use Retry-After.
    """
    asked = headers.get("Retry-After")
    seconds = [_count(asked), _count(headers.get("ratelimit-reset")) if limited else None]
    waits = [count * 1_000 for count in seconds if count is not None]
    if not waits and (then := _date(asked)) is not None:
        waits.append(then - now)
    return min(max([0, *waits]), LONGEST_WAIT)


def clock_offset(headers: Mapping[str, str], *, sent: Instant, received: Instant) -> Offset | None:
    """How far PagerDuty's clock is ahead of ours, as far as this answer tells."""
    date = _date(headers.get("Date"))
    if date is None or received < sent:  # our own clock was set back meanwhile
        return None
    return Offset.measured(date=date, sent=sent, received=received)


def _count(value: str | None) -> int | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return ceil(number) if 0 <= number < 1e9 else None  # more is a moment, not a number


def _date(value: str | None) -> Instant | None:
    try:
        date = parsedate_to_datetime(value or "")
        return Instant(int(date.replace(tzinfo=date.tzinfo or UTC).timestamp()) * 1_000)
    except (ValueError, OverflowError):
        return None
