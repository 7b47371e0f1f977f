"""Who stands between a sandbox and all who call it, and has each word judged."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import orjson
from aiohttp import web

from imsync.sandbox.faults import Faults
from imsync.sandbox.sandbox import Sandbox
from tests.openapi.judge import openapi

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_AS = "/_sandbox/as/"


class Witness:
    """From its making on, until `verdict`. It must be there before the sandbox starts.

    Without the facts it hears nothing: `judged` says how many requests and answers it did.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.judged = 0
        self._complaints: dict[str, None] = {}  # each once, in order
        self._excused = set[str]()
        if openapi():
            sandbox.app.middlewares.append(self._hear)

    def excuse(self, complaint: str) -> None:
        """This one is what a test is about: the sandbox must say no to it."""
        self._excused.add(complaint)

    @property
    def complaints(self) -> list[str]:
        """Each names a request or an answer, and what is wrong with it."""
        return list(self._complaints)

    def verdict(self) -> None:
        """Raises AssertionError if there is anything to complain of."""
        assert not self._complaints, "\n" + "\n".join(self._complaints)

    @web.middleware
    async def _hear(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        faults = replace(self._sandbox.faults)  # what befalls a call is decided when it comes in
        answer = await handler(request)
        path = request.rel_url.raw_path  # where %2F is no slash
        if path.startswith(_AS):  # a person at the page, whose answers are those of the API
            path = "/" + path.removeprefix(_AS).partition("/")[2]
        elif path == "/" or path.startswith("/_sandbox"):
            return answer
        elif answer.status != 413:  # too large for anyone to read
            self._judge_request(request, await request.read())
        if isinstance(answer, web.Response):  # else it was cut in two
            self._judge_answer(request.method, path, answer, faults)
        return answer

    def _judge_request(self, request: web.Request, body: bytes) -> None:
        spec, headers = openapi(), request.headers
        assert spec
        found = spec.of_request(
            request.method,
            request.rel_url.raw_path,
            request.query.items(),
            headers,
            body,
            from_needed=self._sandbox.user_token not in headers.get("Authorization", ""),
        )
        what = f"{request.method} {request.path_qs} {body.decode(errors='replace')}"
        self._note(what, found)

    def _judge_answer(self, method: str, path: str, answer: web.Response, faults: Faults) -> None:
        """As far as there is one: it may be refused, cut short or lost on purpose."""
        spec, raw = openapi(), answer.body
        assert spec
        assert raw is None or isinstance(raw, bytes)
        what = f"{method} {path} -> {answer.status} {raw!r}"
        if not raw and (answer.status == 429 or faults.api_unheard):
            return
        try:
            body = orjson.loads(raw) if raw else None
        except orjson.JSONDecodeError:
            self._note(what, [] if faults.api_malformed else ["no JSON"])
        else:
            self._note(what, spec.of_answer(method, path, answer.status, body))

    def _note(self, what: str, complaints: Sequence[str]) -> None:
        self.judged += 1
        serious = (each for each in complaints if each not in self._excused)
        self._complaints |= {f"{what[:1_000]}\n    {each}": None for each in serious}
