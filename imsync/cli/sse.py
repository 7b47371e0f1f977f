"""Server-sent events, as they come in (WHATWG HTML, "Server-sent events")."""

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sent:
    """A block of the stream. Without `data` it is a sign of life, with where the stream is."""

    id: str
    data: str


async def blocks(pieces: AsyncIterator[bytes]) -> AsyncIterator[Sent]:
    """The blocks of a stream. One that is cut off was not sent."""
    last, data = "", list[str]()
    async for line in _lines(pieces):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "" if not line:
                yield Sent(last, "\n".join(data))
                data = []
            case "id":
                last = value
            case "data":
                data.append(value)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
