"""How values are kept: JSON text, so that SQL's NULL is free to mean "never"."""

import json
from typing import cast

import orjson

from imsync.core.fields import NEVER, Known, Value


def text_of(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)


def known_text(value: Known) -> str | None:
    """NEVER is kept as NULL."""
    return None if value is NEVER else text_of(cast(Value, value))


def value_of(text: str) -> Value:
    return cast(Value, orjson.loads(text))


def known_of(text: str | None) -> Known:
    return NEVER if text is None else value_of(text)
