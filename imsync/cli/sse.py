"""Server-sent events, as they come in (WHATWG HTML, "Server-sent events")."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from imsync.cli.wire import LARGEST, NoAnswer


@dataclass(frozen=True, slots=True)
class Sent:
    """A block of the stream. Without `data` it is a sign of life, with where the stream is."""

    id: str
    data: str


async def blocks(pieces: AsyncIterator[bytes]) -> AsyncIterator[Sent]:
    """The blocks of a stream. One that is cut off was not sent. Raises NoAnswer where one is
    larger than anything a daemon has to say."""
    last, data, size = "", list[str](), 0
    async for line in _lines(pieces):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "" if not line:
                yield Sent(last, "\n".join(data))
                data, size = [], 0
            case "id":
                last = value
            case "data":
                size += len(value) + 1
                if size > LARGEST:
                    raise NoAnswer(f"the daemon sends an event of more than {LARGEST} bytes")
                data.append(value)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LARGEST:
            raise NoAnswer(f"the daemon sends a line of more than {LARGEST} bytes")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
