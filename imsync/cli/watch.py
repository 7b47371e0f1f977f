"""`im watch`: what happens, as it happens, one line an event, until Ctrl-C.

It goes on by itself when the daemon was restarted, with what came after the last event that
it has shown: the daemon keeps them, so nothing is missed and nothing is told twice.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus

import asyncclick as click

from imsync.cli.client import Daemon, Json, understand
from imsync.cli.happening import Line, line
from imsync.cli.options import NAME, command
from imsync.cli.output import Output, encode, is_narrow, leave_the_pipe, say
from imsync.cli.session import Session
from imsync.cli.sse import Sent, blocks
from imsync.cli.wire import Answer, Incoming, NoAnswer, Unreachable, whole
from imsync.errors import UserError

EVENTS = "text/event-stream"
SILENCE = 45.0  # seconds without a sign of life, of which there is one every fifteen
LONGEST_PAUSE = 2.0  # seconds between attempts to reach a daemon that is gone


class Missed(Exception):
    """The daemon no longer has what came after the last event that was shown."""


@command("watch")
@click.option("--integration", type=NAME, help="Only what happens there, or comes from there.")
@click.option("--incident", type=NAME, help="Only what is about this incident.")
async def watch(daemon: Daemon, /, integration: str | None, incident: str | None) -> Output:
    """Show what happens, as it happens: one line an event. Ctrl-C ends it.

    \b
    im watch
    im watch --integration prod-pd
    im watch --incident INC-1 --format json
    """
    session = click.get_current_context().ensure_object(Session)
    show = printer(as_json=session.format == "json")
    try:
        async with aclosing(follow(daemon, integration=integration, incident=incident)) as events:
            async for event in events:
                show(event)
    except BrokenPipeError:
        leave_the_pipe()
    return Output({}, [])  # to nobody: whoever read us has seen enough


async def follow(
    daemon: Daemon, *, silence: float = SILENCE, **filters: str | None
) -> AsyncGenerator[Json]:
    """Every event from now on, over as many connections as it takes.

    One that is silent for so many seconds is given up. Raises what the daemon refuses with,
    and Unreachable or NoAnswer when it is not there to begin with.
    """
    last, pause, gone, begun = "", 0.0, False, False
    while True:
        try:
            async with aclosing(_stream(daemon, last, filters, silence=silence)) as stream:
                async for sent in stream:
                    if gone:
                        say("imsyncd is back: nothing was missed")
                    elif not begun:
                        say("watching: Ctrl-C ends it")
                    last, pause, gone, begun = sent.id or last, 0.0, False, True
                    if sent.data:
                        yield _event(sent.data)
        except Missed as error:
            say(f"{error}: it goes on with what comes next")
            last, gone = "", False
            continue
        except (Unreachable, NoAnswer) as error:
            if not begun:
                raise
            reason = error
        else:
            reason = NoAnswer("imsyncd has ended the stream")
        if not gone:
            say(f"{reason}: waiting for it to be back")
            gone = True
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE, 2 * pause or 0.1)


async def _stream(
    daemon: Daemon, last: str, filters: dict[str, str | None], *, silence: float
) -> AsyncGenerator[Sent]:
    """One connection. Raises NoAnswer when it breaks off or falls silent, and what it refuses."""
    headers = {"Accept": EVENTS, **({"Last-Event-ID": last} if last else {})}
    async with daemon.stream("events", headers=headers, **filters) as incoming:
        if incoming.status != HTTPStatus.OK:
            await _refused(incoming, where=daemon.transport.where)
        if (told := incoming.headers.get("content-type", "")).partition(";")[0] != EVENTS:
            raise NoAnswer(f"{daemon.transport.where} answered {told or 'nothing'}, not {EVENTS}")
        coming = blocks(incoming.pieces)
        while True:
            try:
                async with asyncio.timeout(silence):
                    sent = await anext(coming)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise NoAnswer(f"nothing was heard for {silence:g} s") from None
            yield sent


def _event(data: str) -> Json:
    try:
        event = json.loads(data)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise UserError("what was sent is not an event of imsync: is that imsyncd?")
    return event


async def _refused(incoming: Incoming, *, where: str) -> None:
    try:
        body = await whole(incoming.pieces)
    except ValueError as error:
        raise NoAnswer(f"{where}: {error}") from None
    try:
        understand(Answer(incoming.status, incoming.headers, body), where=where)
    except UserError as error:
        if incoming.status == HTTPStatus.GONE:
            raise Missed(str(error)) from None
        if incoming.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise NoAnswer(str(error)) from None
        raise
    raise NoAnswer(f"{where} answered {incoming.status} where a stream was asked for")


def printer(*, as_json: bool) -> Callable[[Json], None]:
    """How an event is shown: JSON, a line for a pipe, or a line that fits the terminal."""
    if as_json:
        return lambda event: _write(
            encode(event, ascii_only=is_narrow(sys.stdout), indent=None).rstrip("\n")
        )
    if sys.stdout.isatty():
        from imsync.cli.terminal import show_line  # rich: slow to load

        return lambda event: show_line(_line(event))
    return lambda event: _write(str(_line(event)))


def _line(event: Json) -> Line:
    return line(event, today=datetime.now(UTC).date())


def _write(text: str) -> None:
    """A line, at once: whoever reads a pipe waits for it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
