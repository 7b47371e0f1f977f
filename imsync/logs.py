"""How the daemon logs: lines for people, or JSON lines for machines, on stderr.

What is logged quotes others, and people read it on a terminal: nothing in it steers one, or
passes for a line of its own.
"""

import logging
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Literal

import orjson

from imsync.harmless import harmless, prose

_Failed = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Text(logging.Formatter):
    """One line, and below it the traceback if there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return harmless(super().formatMessage(record))

    def formatException(self, ei: _Failed) -> str:  # noqa: N802
        return prose(super().formatException(ei))


class _Json(logging.Formatter):
    """One object a line: at, level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": harmless(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = prose(self.formatException(record.exc_info))
        return orjson.dumps(line).decode()


_TEXT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up(level: str, form: Literal["text", "json"]) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if form == "json" else _Text(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # One line a request says nothing that the journal does not say better.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)
