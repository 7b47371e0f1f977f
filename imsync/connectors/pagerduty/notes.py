"""Notes on an incident, and the one that carries our description. Pure.

PagerDuty has no description that can be edited: it takes one at creation and never again.
So a later one lives in a note that imsync writes once and then edits in place.
"""

from typing import Final

from imsync.connectors.base import Note
from imsync.connectors.pagerduty.reading import Object, text_at, text_if_any

LONGEST: Final = 65_535
"""Bytes that a note may hold."""

_FIRST_LINE: Final = "Description (kept in step by imsync)"


def description_note(description: str) -> str:
    """The text of the note that carries this description."""
    return bounded(f"{_FIRST_LINE}\n\n{description}")


def is_description_note(text: str) -> bool:
    """Whether this is such a note: its first line says so, to people and to us."""
    first, _, _ = text.lstrip().partition("\n")
    return first.strip() == _FIRST_LINE


def bounded(text: str) -> str:
    """As much of the text as a note holds; what was cut off shows as an ellipsis."""
    whole = text.encode(errors="replace")
    if len(whole) <= LONGEST:
        return text
    return whole[: LONGEST - len("…".encode())].decode(errors="ignore") + "…"


def note(found: Object) -> Note:
    return Note(text_at(found, "id"), text_if_any(found, "content") or "")
