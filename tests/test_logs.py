"""Log lines quote others, and people read them on a terminal."""

import logging
from collections.abc import Iterator

import orjson
import pytest

from imsync import logs

HOSTILE = "\x1b]0;x\x07\x9b31m\u202e\udcff\n2026-11-28 ERROR a line of theirs"
SPELLED = r"\x1b]0;x\x07\x9b31m\u202e\udcff 2026-11-28 ERROR a line of theirs"


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root, aiohttp, sqlite = (logging.getLogger(n) for n in ("", "aiohttp.access", "aiosqlite"))
    before = (root.handlers[:], root.level, aiohttp.level, sqlite.level)
    root.handlers = []
    yield
    root.handlers, root.level, aiohttp.level, sqlite.level = before


def test_nothing_in_a_line_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    logging.getLogger("x").warning("they said %s", HOSTILE)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"WARNING x: they said {SPELLED}")


def test_nor_does_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "text")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("x").exception("a bug")
    first, *more = capsys.readouterr().err.splitlines()
    assert first.endswith("ERROR   x: a bug")
    assert more[0] == "Traceback (most recent call last):"
    assert not {*"\x1b\x07\x9b\u202e\udcff"} & {*"".join(more)}


def test_what_is_no_text_is_a_line_for_machines_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "json")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("x").exception("they said %s", HOSTILE)
    (line,) = capsys.readouterr().err.splitlines()
    told = orjson.loads(line)
    assert told["message"] == f"they said {SPELLED}"
    assert told["traceback"].startswith("Traceback")
    assert "\x1b" not in told["traceback"]
