"""A daemon to ask: the wire is real, the answers are the test's.

What the real daemon answers is tested where it is: tests/system runs `im`
against `imsyncd`.
"""

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from aiohttp import web

from imsync.cli.main import run


@dataclass
class Heard:
    method: str
    path: str  # as it came, still encoded
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class FakeDaemon:
    """Answers each route with what the test said, and remembers what it was asked."""

    socket: Path
    heard: list[Heard] = field(default_factory=list)
    answers: dict[tuple[str, str], list[web.Response]] = field(default_factory=dict)
    anything: object = None

    def answers_with(self, route: str, *contents: object, status: int = 200) -> None:
        """`GET /incidents` answers the contents one after the other, then the last again."""
        method, path = route.split()
        self.answers[method, path] = [
            web.Response(status=status)
            if content is None
            else web.json_response(content, status=status)
            for content in contents
        ]

    def answers_everything(self) -> None:
        """Whatever it is asked: an object that is empty, and an empty list as well."""
        self.anything = {"id": "x", "items": [], "next_cursor": None}

    def refuses(self, route: str, status: int, *, detail: str, hint: str = "") -> None:
        problem = {"title": "No", "status": status, "detail": detail, "code": "x", "hint": hint}
        method, path = route.split()
        self.answers[method, path] = [
            web.json_response(problem, status=status, content_type="application/problem+json")
        ]

    def asked(self) -> list[str]:
        return [f"{heard.method} {heard.path}" for heard in self.heard]

    async def answer(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path.removeprefix("/api/v1")
        text = await request.text()
        self.heard.append(
            Heard(
                request.method,
                path,
                dict(request.query),
                dict(request.headers),
                json.loads(text) if text else None,
            )
        )
        if self.anything is not None:
            return web.json_response(self.anything)
        answers = self.answers[request.method, path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.Response(
            body=answer.body, status=answer.status, content_type=answer.content_type
        )


D = TypeVar("D", bound=FakeDaemon)
Im = Callable[..., Coroutine[Any, Any, int]]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests has set is no business of theirs."""
    for name in ("SOCKET", "URL", "TOKEN", "AS"):
        monkeypatch.delenv(f"IMSYNC_{name}", raising=False)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a socket's path has room for about a hundred characters."""
    with TemporaryDirectory(prefix="im-") as name:
        yield Path(name)


@asynccontextmanager
async def serving(fake: D) -> AsyncIterator[D]:
    app = web.Application()
    app.router.add_route("*", r"/{path:[\s\S]*}", fake.answer)  # names may hold anything
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(fake.socket)).start()
    yield fake
    await runner.cleanup()


@pytest.fixture
async def daemon(folder: Path) -> AsyncIterator[FakeDaemon]:
    async with serving(FakeDaemon(folder / "s")) as fake:
        yield fake


@pytest.fixture
def im(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> Im:
    """Run `im` with these arguments, against the daemon; answers the exit status."""
    monkeypatch.setenv("IMSYNC_SOCKET", str(daemon.socket))

    async def call(*args: str) -> int:
        return await run(args)

    return call
