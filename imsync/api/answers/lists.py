"""Lists, and why something did not work."""

from typing import Generic, TypeVar

from typing_extensions import TypedDict

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """A part of a list. `next_cursor` goes on where it ends; null: that was the last part."""

    items: list[T]
    next_cursor: str | None


class Problem(TypedDict):
    """Why it did not work (RFC 9457). `code` never changes; docs/errors.md lists all of them."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
