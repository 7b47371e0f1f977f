"""What a command shows to people: tables and facts, as plain aligned text.

Values come from other people's systems. Whatever in them could steer a terminal
is spelled out (`\\x1b[31m`) before anything here or on a terminal shows it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias
from unicodedata import combining, east_asian_width

from imsync.harmless import harmless

NOTHING = "-"
LONGEST = 40  # cells of a column that is cut, where no terminal has a width
LONGEST_LAST = 80  # ... of the last one, which nothing stands behind

_AHEAD = 60
"""By how much (s) the daemon's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names, or nothing at all when there are no rows.

    `cut`: a row is one line, and what is too long for it ends in an ellipsis; there is another
    command that shows it whole.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they stand for, one a line."""

    pairs: Sequence[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that is printed as it is, whatever the width: for other programs, and to be copied."""

    text: str


Block: TypeAlias = str | Table | Facts | Verbatim
"""A piece of what people see. A `str` is text of its own, made by us or by `prose`."""


def cell(value: Any) -> str:
    """Any value of an answer, for one cell."""
    match value:
        case None | "":
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case str():
            return harmless(value)
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case _:
            return harmless(json.dumps(value, ensure_ascii=False))


def when(value: Any, *, now: datetime | None = None) -> str:
    """A time of the API without its milliseconds, and how long ago that was."""
    text = cell(value)
    exact = re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$", r"\1 \2Z", text)
    return text if exact == text else f"{exact} ({ago(value, now=now)})"


def ago(value: Any, *, now: datetime | None = None) -> str:
    """How long ago a time of the API was, or how far off: `5m 12s ago`, `in 3d 4h`. For tables,
    where people compare."""
    try:
        passed = (now or datetime.now(UTC)) - datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return cell(value)
    seconds = passed.total_seconds()
    if seconds < -_AHEAD:
        return f"in {duration(-seconds)}"
    return f"{duration(max(seconds, 0))} ago"


def duration(seconds: object) -> str:
    """Seconds in the two largest units that say something: 93784 is `1d 2h`."""
    if not isinstance(seconds, int | float):
        return cell(seconds)
    left, parts = int(seconds), list[str]()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def facts(thing: Mapping[str, Any], *names: str) -> Facts:
    """Those of the thing's `names` that it has, each under its name in words."""
    return Facts(
        [
            (
                name.replace("_", " "),
                when(thing[name]) if _is_time(name) else cell(thing[name]),
            )
            for name in names
            if name in thing
        ]
    )


def _is_time(name: str) -> bool:
    return name == "at" or name.endswith("_at")


def table(things: Iterable[Any], *names: str, cut: bool = False) -> Table:
    """One row for each thing, with its `names` as columns. What was `created_at` was created …"""
    rows = [
        [ago(thing.get(name)) if _is_time(name) else cell(thing.get(name)) for name in names]
        for thing in things
        if isinstance(thing, Mapping)
    ]
    return Table([name.removesuffix("_at").replace("_", " ") for name in names], rows, cut)


def plain(block: Block) -> str:
    """The block as aligned text: for pipes and files, which have no width of their own."""
    match block:
        case str():
            return block
        case Verbatim(text=text):
            return text
        case Table(columns=columns, rows=rows, cut=cut):
            shown = [_short(row) for row in rows] if cut else rows
            return _aligned([[name.upper() for name in columns], *shown]) if rows else ""
        case Facts(pairs=pairs):
            return _aligned(pairs)


def _short(row: Sequence[str]) -> list[str]:
    return [*map(shortened, row[:-1]), shortened(row[-1], LONGEST_LAST)]


def shortened(text: str, width: int = LONGEST) -> str:
    """The text in so many cells of a terminal at most, with an ellipsis for what is left out."""
    if _width(text) <= width:
        return text
    kept, room = "", width - 1
    for character in text:
        room -= _width(character)
        if room < 0:
            break
        kept += character
    return kept.rstrip() + "…"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _width(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        for character in text
    )
