"""What others wrote, made fit for a terminal: whatever could steer one is spelled out."""

import re
from typing import Final

# C0 and C1 controls, half of a surrogate pair, line separators, and what reorders text.
STEERING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def harmless(value: str) -> str:
    """The same text, on one line, with whatever could steer a terminal spelled out."""
    return STEERING.sub(lambda found: _spelled(found[0]), re.sub(r"[\t\r\n]+", " ", value))


def prose(value: str) -> str:
    """As `harmless`, but text of several lines stays so."""
    return "\n".join(harmless(line) for line in value.splitlines())


def _spelled(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
