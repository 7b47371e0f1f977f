"""Ids, keys, secrets and times as PagerDuty writes them. Pure: the dice and the moment come in."""

import random
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from string import ascii_letters, ascii_uppercase, digits
from typing import Final
from uuid import UUID

_UPPER: Final = ascii_uppercase + digits
_ULID: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def short(rng: random.Random) -> str:
    """Most things: `P` and six more."""
    return "P" + "".join(rng.choices(_UPPER, k=6))


def incident(rng: random.Random) -> str:
    """Incidents of these years: `Q` and thirteen more."""
    return "Q" + "".join(rng.choices(_UPPER, k=13))


def entry(rng: random.Random) -> str:
    """Log entries: `R` and twenty-five more."""
    return "R" + "".join(rng.choices(_UPPER, k=25))


def incident_key(rng: random.Random) -> str:
    """The deduplication key that PagerDuty makes when none is given."""
    return f"{rng.getrandbits(128):032x}"


def webhook(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


def secret(rng: random.Random) -> str:
    return b64encode(rng.randbytes(48)).decode()


def token(rng: random.Random, prefix: str = "") -> str:
    """An API key: twenty characters."""
    return prefix + "".join(rng.choices(ascii_letters + digits + "_-", k=20 - len(prefix)))


def ulid(at: int, tail: int) -> str:
    """Twenty-six characters that sort by time, then by tail."""
    number = at << 80 | tail
    return "".join(_ULID[number >> shift & 31] for shift in range(125, -1, -5))


def to_seconds(at: int) -> str:
    return f"{_EPOCH + timedelta(seconds=at // 1000):%Y-%m-%dT%H:%M:%SZ}"


def to_milliseconds(at: int) -> str:
    return f"{_EPOCH + timedelta(seconds=at // 1000):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def from_text(text: str) -> int:
    """The moment, taken as UTC where no zone is named. Raises ValueError, OverflowError."""
    when = datetime.fromisoformat(text)
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH) // timedelta(
        milliseconds=1
    )
