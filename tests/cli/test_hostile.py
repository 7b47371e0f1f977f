"""Whatever the answers hold, nothing that `im` shows steers a terminal: no command, no way."""

import re
import shlex
import sys
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import TypeAdapter

from imsync.api.answers.events import DATA
from imsync.cli.ask import agreed
from imsync.cli.main import run
from imsync.cli.watch import printer
from imsync.store.events import Type
from tests.api import contract

from .conftest import FakeDaemon, serving
from .test_docs import as_tried
from .test_help import COMMANDS, examples

EVIL = (
    "a\x1b[5;41mb\x1b]8;;http://evil.example\x07c\x9b31md\u202ee\u2066f\r\ng\x00h\x7fi\u2028j"
    "[bold]k[/bold][link=http://evil.example]l[/link]\x1b]52;c;ZXZpbA==\x07\x08\x0c"
)
"""What colours, links, reorders, overwrites, copies, and would be markup to rich."""

RICHS_OWN = re.compile(r"\x1b\[(?:0|[1-4]|3[1-7])(?:;(?:[1-4]|3[1-7]))*m")
"""What rich draws with here: bold, dim and the colours of letters, never blinking on red."""

STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Json = dict[str, Any]


def filled(schema: Json, definitions: Json) -> Any:
    """Something of this shape, whose every free text is evil."""
    if ref := schema.get("$ref"):
        return filled(definitions[ref.rpartition("/")[2]], definitions)
    for several in ("anyOf", "oneOf"):
        if kinds := schema.get(several):
            return filled(next(one for one in kinds if one.get("type") != "null"), definitions)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][-1]  # what no command waits to be over
    match schema.get("type"):
        case "object":
            rest = schema.get("additionalProperties")
            named = {EVIL: rest} if isinstance(rest, dict) else schema.get("properties", {})
            return {name: filled(one, definitions) for name, one in named.items()}
        case "array":
            return [filled(schema["items"], definitions)] * 2
        case "integer" | "number":
            return 3
        case "boolean":
            return True
        case _:
            return EVIL


class Evil(FakeDaemon):
    """Answers as the document says, in evil words; or refuses everything in them."""

    refusing = False

    async def answer(self, request: web.Request) -> web.Response:
        if self.refusing:
            problem = {"title": EVIL, "status": 400, "detail": EVIL, "code": EVIL, "hint": EVIL}
            return web.json_response(problem, status=400, content_type="application/problem+json")
        said = contract.operation(request.method, request.rel_url.raw_path)
        assert said is not None
        status, answer = next((s, a) for s, a in said["responses"].items() if s.startswith("2"))
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        definitions = contract.document()["components"]["schemas"]
        body = {} if schema is None else filled(schema, definitions)
        if isinstance(body, dict) and "next_cursor" in body:
            body["next_cursor"] = None
        return web.json_response(body, status=int(status))


@pytest.fixture
async def evil(folder: Path) -> AsyncIterator[Evil]:
    async with serving(Evil(folder / "s")) as fake:
        yield fake


def calm(text: str) -> None:
    """What was shown would leave a terminal as it was, and what is no markup of ours is none."""
    shown = RICHS_OWN.sub("", text)
    assert not STEERING.findall(shown), repr(shown)
    assert "jk" not in shown, "rich has read it"


@pytest.mark.parametrize("way", ["a pipe", "a terminal", "json", "refused"])
@pytest.mark.parametrize("path", [one for one in COMMANDS if one != ("watch",)], ids=" ".join)
async def test_no_command_shows_anything_that_steers_a_terminal(
    evil: Evil,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: tuple[str, ...],
    way: str,
) -> None:
    monkeypatch.setenv("IMSYNC_SOCKET", str(evil.socket))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.chdir(folder)
    Path("token.txt").write_text("u+secret")
    evil.refusing = way == "refused"
    for shown in examples(COMMANDS[path]):
        typed = as_tried(shlex.split(shown)[1:], evil.socket)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: way == "a terminal")
        status = await run([*typed, "--format", "json"] if way == "json" else typed)
        said = capsys.readouterr()
        calm(said.out)
        calm(said.err)
        assert status in (0, 1, 4, 5), said.err
        assert said.out or said.err


def test_no_question_steers_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("y\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert agreed(f"Delete {EVIL}?", yes=False)
    calm(capsys.readouterr().err)


@pytest.mark.parametrize("type_", Type)
def test_no_event_steers_the_terminal_of_whoever_watches(
    type_: Type, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "4000")
    schema = TypeAdapter(DATA[type_]).json_schema()
    data = filled(schema, schema.get("$defs", {}))
    event = {"id": EVIL, "source": EVIL, "type": type_, "subject": EVIL, "time": EVIL, "data": data}
    for as_json, at_terminal in ((False, False), (True, False), (False, True)):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: at_terminal)  # noqa: B023
        printer(as_json=as_json)(event)
        shown = capsys.readouterr().out
        calm(shown)
        assert "[bold]k[/bold]" in shown
