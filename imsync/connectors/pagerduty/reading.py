"""Reading PagerDuty's JSON: what must be there, what may be, and what is wrong with it.

Everything here takes whatever came and raises nothing but Unusable, whose message
names the place.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, TypeVar

import orjson

from imsync.connectors.base import Unusable
from imsync.core.fields import Instant

T = TypeVar("T")
Object: TypeAlias = Mapping[str, object]

logger = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST: Final = 65_535
"""Characters of a text: a note may have as many bytes, and nothing here is longer."""

_KINDS: Final = {dict: "an object", list: "a list", str: "text", bool: "true or false"}


def parsed(body: bytes) -> Object:
    """The JSON object that these bytes are.

    Half an emoji is what a program leaves that cuts a title by its UTF-16. It is no text, and
    here it is a question mark: a hundred incidents in a list are not the hostages of one.
    """
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            text = json.dumps(json.loads(body.decode(errors="replace")), ensure_ascii=False)
            found = orjson.loads(text.encode(errors="replace"))
        except (ValueError, RecursionError):
            raise Unusable(f"not JSON: {error}") from None
    return an_object(found, "the body")


def an_object(value: object, where: str) -> Object:
    if isinstance(value, dict):
        return value
    raise Unusable(f"{where} is {_kind(value)}, not an object")


def object_at(of: Object, key: str) -> Object:
    """The object that must be there."""
    return an_object(of.get(key), key)


def object_if_any(of: Object, key: str) -> Object | None:
    return None if of.get(key) is None else object_at(of, key)


def objects_at(of: Object, key: str) -> Sequence[Object]:
    """The list of objects that must be there."""
    found = of.get(key)
    if not isinstance(found, list):
        raise Unusable(f"{key} is {_kind(found)}, not a list")
    return [an_object(item, f"{key}[{at}]") for at, item in enumerate(found)]


def each_at(of: Object, key: str, read: Callable[[Object], T]) -> list[T]:
    """What each of the list that must be there reads as.

    One that makes no sense is left out, and logged: the others are not its hostages.
    """
    found = of.get(key)
    if not isinstance(found, list):
        raise Unusable(f"{key} is {_kind(found)}, not a list")
    understood = []
    for at, item in enumerate(found):
        try:
            understood.append(read(an_object(item, key)))
        except Unusable as error:
            logger.warning("%s[%d] makes no sense: %s", key, at, error)
    return understood


def text_at(of: Object, key: str) -> str:
    """The text that must be there, and not be empty."""
    if found := text_if_any(of, key):
        return found
    raise Unusable(f"{key} is {'empty' if key in of else 'missing'}")


def text_if_any(of: Object, key: str) -> str | None:
    found = of.get(key)
    if found is not None and not isinstance(found, str):
        raise Unusable(f"{key} is {_kind(found)}, not text")
    if found is not None and len(found) > LONGEST:
        raise Unusable(f"{key} is longer than {LONGEST} characters")
    return found


def moment_at(of: Object, key: str, *, offset: int) -> Instant:
    """The time that must be there, on our own clock."""
    if (found := moment_if_any(of, key, offset=offset)) is None:
        raise Unusable(f"{key} is missing")
    return found


def moment_if_any(of: Object, key: str, *, offset: int) -> Instant | None:
    if (written := text_if_any(of, key)) is None:
        return None
    try:
        when = datetime.fromisoformat(written)
        since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        raise Unusable(f"{key} is not a time: {written[:40]!r}") from None
    return Instant(since // timedelta(milliseconds=1) - offset)


def written(at: int) -> str:
    """A moment on PagerDuty's clock as PagerDuty takes it: whole seconds, UTC."""
    return (_EPOCH + timedelta(seconds=at // 1_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def dig(value: object, *path: str | int) -> str | None:
    """The text at the end of a path that may not exist; None if it does not, or is too long."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST else None


def _kind(value: object) -> str:
    return "missing" if value is None else _KINDS.get(type(value), "a number")
