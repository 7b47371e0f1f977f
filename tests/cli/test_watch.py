"""`im watch`: a line an event, over as many connections as it takes."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from rich.console import Console
from rich.text import Text

from imsync.cli import sse
from imsync.cli.client import Daemon, Json
from imsync.cli.happening import line
from imsync.cli.sse import Sent, blocks
from imsync.cli.terminal import show_line
from imsync.cli.watch import follow
from imsync.cli.wire import NoAnswer, UnixSocket
from imsync.store.events import Type

from .conftest import FakeDaemon, Im

TODAY = date(2026, 11, 3)
NOTED = {"incident": "INC-1", "integration": None, "by": "ada@acme.example", "text": "Rolled back"}


def event(kind: str = "incident.noted", data: Json = NOTED, **more: object) -> Json:
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "imsync",
        "type": f"imsync.{kind}",
        "subject": data.get("incident") or data.get("integration"),
        "time": "2026-11-03T12:00:01.234Z",
        "datacontenttype": "application/json",
        "data": data,
        **more,
    }


def stream(*events: Json, begin: int = 0) -> web.Response:
    """A connection that sends these, numbered on, and ends."""
    text = f"retry: 1000\nid: {begin}\n\n"
    for number, one in enumerate(events, begin + 1):
        text += f"id: {number}\ndata: {json.dumps(one)}\n\n"
    return web.Response(text=text, content_type="text/event-stream")


def refusal(status: int, detail: str) -> web.Response:
    problem = {"title": "No", "status": status, "detail": detail, "code": "x", "hint": ""}
    return web.json_response(problem, status=status, content_type="application/problem+json")


def answers(daemon: FakeDaemon, *responses: web.Response) -> None:
    """These connections, one after the other; then it is the end, whatever is asked."""
    daemon.answers["GET", "/events"] = [*responses, refusal(404, "no more")]


def resumed_at(daemon: FakeDaemon) -> list[str | None]:
    return [heard.headers.get("Last-Event-ID") for heard in daemon.heard]


# Connections.


async def test_it_shows_what_comes_and_goes_on_after_what_it_has_shown(
    daemon: FakeDaemon, im: Im, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(daemon, stream(event(), event()), stream(event(), begin=2))
    assert await im("watch", "--integration", "prod-pd", "--incident", "INC-1") == 4
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert resumed_at(daemon) == [None, "2", "3"]
    assert daemon.heard[0].query == {"integration": "prod-pd", "incident": "INC-1"}
    assert daemon.heard[0].headers["Accept"] == "text/event-stream"
    assert err.splitlines() == [
        "watching: Ctrl-C ends it",
        "imsyncd has ended the stream: waiting for it to be back",
        "imsyncd is back: nothing was missed",
        "imsyncd has ended the stream: waiting for it to be back",
        "error: no more",
    ]


async def test_where_the_stream_begins_is_where_it_goes_on(
    daemon: FakeDaemon, im: Im, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(daemon, stream(begin=7), stream(begin=9))
    assert await im("watch") == 4
    assert capsys.readouterr().out == ""
    assert resumed_at(daemon) == [None, "7", "9"]


async def test_json_is_one_object_a_line_as_it_was_sent(
    daemon: FakeDaemon, im: Im, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = [event(), event("incident.noted", {**NOTED, "text": "\x1b[31m ✓ \u202e"})]
    answers(daemon, stream(*sent))
    await im("watch", "--format", "json")
    out = capsys.readouterr().out
    assert [json.loads(one) for one in out.splitlines()] == sent
    assert "\x1b" not in out
    assert "\u202e" not in out


async def test_what_is_no_longer_kept_is_said_and_it_goes_on(
    daemon: FakeDaemon, im: Im, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = refusal(410, "the events after 1 are not kept here")
    answers(daemon, stream(event()), gone, stream(event(), begin=90))
    await im("watch")
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert resumed_at(daemon) == [None, "1", None, "91"]
    assert "the events after 1 are not kept here: it goes on with what comes next" in err
    assert err.count("nothing was missed") == 0


async def test_a_daemon_that_cannot_now_is_asked_again(
    daemon: FakeDaemon, im: Im, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(daemon, stream(event()), refusal(503, "the daemon is stopping"), stream(begin=1))
    await im("watch")
    assert resumed_at(daemon) == [None, "1", "1", "1"]
    assert capsys.readouterr().err.count("waiting for it to be back") == 2


@pytest.mark.parametrize(
    ("response", "status", "says"),
    [
        (refusal(404, "there is no integration 'x'"), 4, "error: there is no integration 'x'"),
        (refusal(400, "no"), 1, "error: no"),
        (refusal(503, "100 are watching already"), 1, "error: 100 are watching already"),
        (web.json_response({}, status=202), 1, "answered 202 where a stream was asked for"),
    ],
)
async def test_what_is_refused_at_first_ends_it(
    daemon: FakeDaemon,
    im: Im,
    response: web.Response,
    status: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers(daemon, response)
    assert await im("watch") == status
    assert says in capsys.readouterr().err


async def test_a_daemon_that_is_not_there_at_first_ends_it(
    folder: Path, im: Im, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await im("watch", "--socket", str(folder / "none")) == 3
    assert "start it with `imsyncd`" in capsys.readouterr().err


async def test_a_daemon_that_falls_silent_is_given_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bytes] = []

    async def silent(reader: StreamReader, writer: StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        text = f"id: {len(asked)}\ndata: {json.dumps(event())}\n\n".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n" % (len(text), text))
        await reader.read()  # until the other side gives up
        writer.close()

    path = str(folder / "s")
    async with await asyncio.start_unix_server(silent, path):
        found = follow(Daemon(UnixSocket(path)), silence=0.05)
        assert (await anext(found))["type"] == "imsync.incident.noted"
        assert (await anext(found))["type"] == "imsync.incident.noted"
        await found.aclose()
    assert b"Last-Event-ID: 1\r\n" in asked[1]
    assert "nothing was heard for 0.05 s" in capsys.readouterr().err


async def test_a_page_is_not_taken_for_a_stream(
    daemon: FakeDaemon, im: Im, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(daemon, web.Response(text="<h1>Welcome</h1>", content_type="text/html"))
    assert await im("watch") == 1
    assert "text/html" in capsys.readouterr().err
    assert len(daemon.heard) == 1


@pytest.mark.parametrize("data", ["{", "[]", "hello"])
async def test_what_is_no_event_is_told_in_one_line(
    daemon: FakeDaemon, im: Im, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(daemon, web.Response(text=f"data: {data}\n\n", content_type="text/event-stream"))
    assert await im("watch") == 1
    assert (
        "error: what was sent is not an event of imsync: is that imsyncd?"
        in capsys.readouterr().err
    )


async def test_a_block_that_is_cut_off_was_not_sent() -> None:
    async def pieces() -> Any:
        for piece in (
            b": hi\nid",
            b": 1\nda",
            b"ta: a\r\n",
            b"data:b\n\n",
            b"id: 2\n\nid: 3\ndata: c",
        ):
            yield piece

    assert [sent async for sent in blocks(pieces())] == [Sent("1", "a\nb"), Sent("2", "")]


# Lines.

WHERE = {"incident": "INC-1", "integration": "prod-pd"}
CONFLICT = {
    **WHERE,
    "by": None,
    "conflict": "cfl_1",
    "field": "title",
    "status": "pending",
    "strategy": "manual-review",
    "winner": None,
    "because": "both sides changed",
    "platform": {"value": "Here", "by": None},
    "external": {"value": "There", "by": "Bob"},
}
ITS = {"incident": None, "integration": "prod-pd"}
LINES: dict[str, tuple[Json, str]] = {
    "incident.declared": (
        {**WHERE, "by": None, "title": "Disk full", "severity": "SEV-2", "status": "open"},
        "INC-1    declared SEV-2: Disk full  (in prod-pd)",
    ),
    "incident.changed": (
        {**WHERE, "by": "Bob", "side": "external", "field": "status", "old": "open", "new": "x"},
        "INC-1    status: x (was open)  (by Bob in prod-pd)",
    ),
    "incident.noted": (NOTED, "INC-1    note: Rolled back  (by ada@acme.example)"),
    "incident.escalated": (
        {**WHERE, "by": "Bob", "text": "escalated in Production PagerDuty"},
        "INC-1    escalated in Production PagerDuty  (by Bob in prod-pd)",
    ),
    "incident.linked": (
        {**WHERE, "by": None, "external_id": "PX", "external_url": None},
        "INC-1    linked to PX  (in prod-pd)",
    ),
    "write.confirmed": (
        {**WHERE, "by": "ada", "field": "title", "value": "Here", "lag_ms": 4},
        "INC-1    prod-pd has title: Here  (by ada)",
    ),
    "conflict.opened": (CONFLICT, "INC-1    cfl_1 to decide: title is Here here, There there"),
    "conflict.updated": (CONFLICT, "INC-1    cfl_1 edited on: title is Here here, There there"),
    "conflict.decided": (
        {**CONFLICT, "status": "resolved", "winner": "external", "by": "ada"},
        "INC-1    cfl_1 resolved: title, There (external) won  (by ada)",
    ),
    "dead_letter.created": (
        {
            **WHERE,
            "dead_letter": "dlq_1",
            "direction": "outbound",
            "field": "title",
            "code": "x",
            "message": "it said no",
            "attempts": 5,
            "hint": "",
        },
        "INC-1    dlq_1 given up: outbound title: it said no",
    ),
    "integration.suspended": (
        {"incident": None, "integration": "prod-pd", "because": "401"},
        "prod-pd  suspended: 401",
    ),
    "integration.resumed": (
        {"incident": None, "integration": "prod-pd"},
        "prod-pd  resumed: the account lets us work again",
    ),
    "delivery.refused": (
        {"incident": None, "integration": "prod-pd", "deliveries": 3},
        "prod-pd  3 deliveries were not rightly signed: wrong secret, or somebody else's",
    ),
    "drift.healed": (
        {"incident": None, "integration": "prod-pd", "incidents": 1},
        "prod-pd  drift: 1 incident mended",
    ),
    "dead_letter.retried": (
        {**WHERE, "dead_letter": "dlq_1", "direction": "outbound", "field": "title"},
        "INC-1    dlq_1 is tried again: outbound title",
    ),
    "dead_letter.discarded": (
        {**WHERE, "dead_letter": "dlq_1", "direction": "inbound", "field": None},
        "INC-1    dlq_1 let go: inbound",
    ),
    "integration.created": ({**ITS, "name": "Prod"}, "prod-pd  configured: Prod"),
    "integration.changed": (
        {**ITS, "setting": "enabled", "old": True, "new": False},
        "prod-pd  enabled: no (was yes)",
    ),
    "integration.deleted": ({**ITS, "name": "Prod"}, "prod-pd  deleted: Prod"),
    "subscription.installed": (
        {**ITS, "subscription": "PHOOK", "because": ""},
        "prod-pd  webhook subscription PHOOK installed",
    ),
    "subscription.disabled": (
        {**ITS, "subscription": "PHOOK", "because": "it was refused thrice"},
        "prod-pd  webhook subscription PHOOK delivers nothing: it was refused thrice",
    ),
    "subscription.enabled": (
        {**ITS, "subscription": "PHOOK", "because": ""},
        "prod-pd  webhook subscription PHOOK delivers again",
    ),
    "subscription.deleted": (
        {**ITS, "subscription": "PHOOK", "because": ""},
        "prod-pd  webhook subscription PHOOK was deleted there",
    ),
    "drift.stopped": (
        {**ITS, "would_change": 40, "met": 50},
        "prod-pd  drift: a sweep was stopped, for it would change 40 of 50 incidents",
    ),
    "drift.released": (ITS, "prod-pd  drift: a sweep went ahead again"),
    "something.new": (WHERE, "INC-1    something.new"),
}


def test_every_kind_has_a_line() -> None:
    assert {f"imsync.{kind}" for kind in LINES} - {"imsync.something.new"} == set(Type)


@pytest.mark.parametrize(
    ("setting", "old", "new", "told"),
    [
        ("map/urgency", {"out": {}, "in": {}}, {"out": {"SEV-3": "high"}, "in": {"low": "SEV-4"}},
         "SEV-3=high low=SEV-4 (was imsync's own)"),
        ("field-ownership/title", {"owner": "platform", "priority": 0, "strict": False},
         {"owner": "external", "priority": 5, "strict": True},
         "external, priority 5, strict (was platform, priority 0)"),
        ("service-mapping/P1", None, "search", "search"),
    ],
)  # fmt: skip
def test_rules_and_maps_are_told_as_they_are_typed(
    setting: str, old: object, new: object, told: str
) -> None:
    changed = event("integration.changed", {**ITS, "setting": setting, "old": old, "new": new})
    assert str(line(changed, today=TODAY)).endswith(f"prod-pd  {setting}: {told}")


def test_a_credential_is_another_and_nothing_is_said_of_it() -> None:
    token = event("integration.changed", {**ITS, "setting": "token", "old": None, "new": None})
    assert str(line(token, today=TODAY)).endswith("prod-pd  token is another")


@pytest.mark.parametrize("kind", LINES)
def test_each_kind_is_told_in_a_line(kind: str) -> None:
    data, told = LINES[kind]
    assert str(line(event(kind, data), today=TODAY)) == f"12:00:01Z  {told}"


def test_another_day_is_named() -> None:
    told = str(line(event(), today=date(2026, 11, 4)))
    assert told.startswith("2026-11-03 12:00:01Z  INC-1 ")


@pytest.mark.parametrize("broken", [{}, {"data": None}, {"data": [], "time": 5, "subject": None}])
def test_an_event_of_another_shape_is_no_traceback(broken: Json) -> None:
    for kind in LINES:
        assert str(line({"type": f"imsync.{kind}", **broken}, today=TODAY))


def test_nothing_in_a_line_steers_the_terminal() -> None:
    told = line(event(data={**NOTED, "text": "a\nb\x1b[31m", "by": "\x9b"}), today=TODAY)
    assert not {"\n", "\x1b", "\x9b"} & set(str(told))


@pytest.mark.parametrize("width", [30, 40, 80, 200])
@pytest.mark.parametrize("text", ["short", "long " * 80, "検索" * 100])
def test_a_terminal_gets_exactly_one_line_that_fits(width: int, text: str) -> None:
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=True, highlight=False, markup=False)
    show_line(line(event(data={**NOTED, "text": text}), today=TODAY), console=console)
    (shown,) = out.getvalue().splitlines()
    assert Text.from_ansi(shown).cell_len <= width
    assert "INC-1" in shown
    assert ("ada@acme.example" in shown) is (width >= 80)


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 999 + b"\n", b"x" * 999])
async def test_an_event_without_an_end_does_not_fill_memory(
    piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "LARGEST", 9_999)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 99_999:
            sent += len(piece)
            yield piece

    with pytest.raises(NoAnswer, match="of more than 9999 bytes"):
        await anext(blocks(endless()))
    assert sent < 12_000
