"""Settings that can be changed while the sandbox runs: dataclasses of flags and numbers.

Whole numbers say how far they go; flags are true or false; anything else is a probability.
"""

from collections.abc import Mapping
from dataclasses import Field, field, fields
from typing import Any, Final

_MOST: Final = 1_000_000_000


class Unsettable(ValueError):
    """No such name, or no such value for it."""


def whole(default: int, *, least: int = 0, most: int = _MOST) -> int:
    """A whole number, within these."""
    found: int = field(default=default, metadata={"least": least, "most": most})
    return found


def set_from(target: Any, wanted: object) -> None:
    """Set what is named; all of it or nothing. Raises Unsettable."""
    if not isinstance(wanted, dict):
        raise Unsettable("an object of names and values is needed")
    known = {found.name: found for found in fields(target)}
    for name, value in wanted.items():
        if name not in known:
            raise Unsettable(f"there is no {name!r}; there are {', '.join(known)}")
        _check(known[name], value)
    for name, value in wanted.items():
        setattr(target, name, value)


def _check(of: Field[Any], value: object) -> None:
    bounds: Mapping[str, int] = of.metadata
    if isinstance(of.default, bool):
        fits, would_do = isinstance(value, bool), "true or false"
    elif bounds:
        fits = type(value) is int and bounds["least"] <= value <= bounds["most"]
        would_do = f"a whole number from {bounds['least']} to {bounds['most']}"
    else:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
        would_do = "a probability from 0 to 1"
    if not fits:
        raise Unsettable(f"{of.name} cannot be {value!r}: {would_do} is needed")
