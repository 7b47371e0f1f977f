"""Reading what was asked: bodies, references, queries, pages. Says no to what makes no sense."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from multidict import MultiMapping

from imsync.sandbox import ids
from imsync.sandbox.refusals import Refusal, arguments, invalid
from imsync.sandbox.rows import Json, User

T = TypeVar("T")

ALWAYS: Final = (0, 1 << 53)
_WALL: Final = 10_000
_TOO_FAR: Final = (
    "Offset+limit exceeds maximum allowed value of 10000. Please try to refine your search to "
    "reduce the returned set of records below this number, like adding a date range."
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One API call, past the gate. `by` is who acts, `owner` whose key it is, if anybody's.

    Events name who acts unless `names_agent` is false. `website` is true of what is done in
    the web interface: the log tells the two apart.
    """

    at: int
    path: Mapping[str, str]
    query: MultiMapping[str]
    body: object = None
    actor: User | None = None
    owner: User | None = None
    names_agent: bool = True
    website: bool = False

    @property
    def by(self) -> str | None:
        return self.actor.id if self.actor else None

    def many(self, name: str) -> Sequence[str]:
        """All values of a repeated parameter: `statuses[]` and the like."""
        return self.query.getall(f"{name}[]", [])

    def included(self) -> frozenset[str]:
        return frozenset(self.many("include"))

    def wrapped(self, name: str, *, or_else: str = "") -> Json:
        """The object under this name in the body."""
        found = self.body.get(name) if isinstance(self.body, dict) else None
        if not isinstance(found, dict):
            raise invalid(or_else or f"{name} must be an object.")
        return found

    def span(self, *, default: tuple[int, int] = ALWAYS) -> tuple[int, int]:
        """From `since` until `until`, as far as they are given."""
        since, until = self._moment("since"), self._moment("until")
        return (default[0] if since is None else since, default[1] if until is None else until)

    def _moment(self, name: str) -> int | None:
        if not (text := self.query.get(name)):
            return None
        try:
            return ids.from_text(text)
        except (ValueError, OverflowError):
            raise invalid(f"{name} is not a time in ISO 8601.") from None

    def page(self, name: str, rows: Iterable[T], show: Callable[[T], Json]) -> Json:
        """One page of the rows, in PagerDuty's classic form."""
        limit = min(self._count("limit", 25, least=1), 100)
        offset = self._count("offset", 0)
        if offset + limit > _WALL:
            raise arguments(_TOO_FAR)
        found = list(rows)
        return {
            name: [show(row) for row in found[offset : offset + limit]],
            "limit": limit,
            "offset": offset,
            "total": len(found) if self.query.get("total") == "true" else None,
            "more": len(found) > offset + limit,
        }

    def _count(self, name: str, default: int, *, least: int = 0) -> int:
        text = self.query.get(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and least <= int(text[:18]) < 1 << 53):
            raise invalid(f"{name} must be a number, {least} or more.")
        return int(text[:18])


def text_at(of: Json, key: str, *, longest: int | None = None) -> str | None:
    """The text under this key; None if there is none."""
    found = of.get(key)
    if found is None:
        return None
    if not isinstance(found, str):
        raise invalid(f"{key} must be a string.")
    if longest is not None and len(found.encode()) > longest:
        raise invalid(f"{key} is too long (maximum is {longest} characters).")
    return found


def one_of(of: Json, key: str, *words: str) -> str | None:
    found = text_at(of, key)
    if found is not None and found not in words:
        raise invalid(f"{key.capitalize()} must be one of {', '.join(words)}.")
    return found


def number_at(of: Json, key: str) -> int | None:
    found = of.get(key)
    if found is not None and type(found) is not int:
        raise invalid(f"{key} must be an integer.")
    return found


def id_at(of: Json, key: str) -> str | None:
    """The id in the reference under this key; None if there is none."""
    found = of.get(key)
    return None if found is None else id_of(found, key)


def id_of(found: object, what: str) -> str:
    id_ = found.get("id") if isinstance(found, dict) else None
    if not isinstance(id_, str) or not id_:
        raise invalid(f"{what} must be a reference: an object with an id and a type.")
    return id_


def objects_at(of: Json, key: str) -> list[Json] | None:
    found = of.get(key)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise invalid(f"{key} must be a list of objects.")
    return found


def there(row: T | None, refusal: Callable[[], Refusal]) -> T:
    """The row, which must be there."""
    if row is None:
        raise refusal()
    return row
