"""PagerDuty's REST API as a road: one request, one answer, every failure by its remedy.

What a failure means, for a read and for a write:

    ================================  ============  ====================================
    the request                       read          write
    ================================  ============  ====================================
    never left: no connection         Unavailable   Unavailable
    left, and no answer came          Unavailable   Unknown
    429; 1005 (changed meanwhile)     Unavailable   Unavailable
    400, nobody named in From (2016)                Unauthorized
    400, From is nobody there (1008)                NoSuchUser for an actor, else Unauthorized
    408, 5xx                          Unavailable   Unknown
    3xx: someone else is answering    Unavailable   Unavailable
    401; 403 but for the next row     Unauthorized  Unauthorized
    403 for this operation only       Refused       Refused
    404                               Gone          Gone
    402, 413, other 4xx               Refused       Refused
    2xx that makes no sense           Unavailable   Unknown
    ================================  ============  ====================================

No retries, no redirects, no more than 8 MiB of an answer. The token is in no message.
"""

import errno
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import aiohttp
import orjson
from yarl import URL

from imsync.connectors.base import Limits, Operation, Request, Unusable
from imsync.connectors.pagerduty.headers import clock_offset, limits, wait
from imsync.connectors.pagerduty.reading import Object, dig, parsed
from imsync.core.fields import Instant
from imsync.core.offset import Offset
from imsync.errors import (
    ExternalError,
    Gone,
    NoSuchUser,
    Refused,
    Unauthorized,
    Unavailable,
    Unknown,
)

T = TypeVar("T")
Read = Callable[[Object, Instant], T]
Heard = Callable[[Limits | None, Offset | None], None]

TIMEOUT: Final = aiohttp.ClientTimeout(total=20, connect=5)
LARGEST: Final = 8 * 1024 * 1024

_SCHEMES: Final = (_BEARER := "Bearer ", _TOKEN := "Token token=")
_DENIED_HERE: Final = (2010, 1018)  # Access Denied, Requester not authorized: to do this
_CHANGED_MEANWHILE: Final = 1005
_NO_FROM: Final = 2016  # also "the request took too long", which is no 400
_FROM_IS_NOBODY: Final = 1008
_HINTS: Final = {
    5002: "set `default_service`, or the service mapping, to a service of this account",
    1015: "put somebody on call there, or name an assignee or another policy; then retry it",
}
"""What would do, by PagerDuty's own error code."""
_LIMITED_APART: Final = {
    ("POST", "/incidents"): Operation.CREATE,
    ("PUT", "/incidents"): Operation.WRITE_MANY,
    ("GET", "/oncalls"): Operation.ON_CALL,
}
"""What has a lower limit of its own (PagerDuty's REST documentation, rate limits)."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_NO_WAY: Final = "check the base URL, and the way out of this network"
_ITS_TROUBLE: Final = "PagerDuty itself has trouble: try again later"
_NEVER_LEFT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
)


@dataclass(slots=True)
class Rest:
    """The road to one account.

    An address or a token that cannot be one suspends the integration when it is first
    used, like any other that is wrong; making the road never fails.
    """

    session: aiohttp.ClientSession
    base_url: str = field(repr=False)  # somebody may have put a password in it
    token: str = field(repr=False)
    from_email: str | None
    now: Callable[[], Instant]
    heard: Heard = field(repr=False)
    offset: Offset | None = None  # as far as the answers have told

    async def get(self, path: str, read: Read[T], *params: tuple[str, str]) -> T:
        """What `read` makes of the answer to this; it is also told when we asked."""
        return await self._call("GET", path, read, params=params)

    async def write(
        self,
        method: str,
        path: str,
        read: Read[T],
        body: Object | None = None,
        *,
        actor: str | None,
    ) -> T:
        """The same of a request that changes something, as `actor` or else the usual user."""
        return await self._call(method, path, read, body=body, actor=actor)

    async def send(self, request: Request, read: Read[T], *, actor: str | None) -> T:
        """The same of a request that was put together elsewhere."""
        return await self.write(request.method, request.path, read, request.body, actor=actor)

    async def _call(
        self,
        method: str,
        path: str,
        read: Read[T],
        *,
        params: Sequence[tuple[str, str]] = (),
        body: Object | None = None,
        actor: str | None = None,
    ) -> T:
        call = f"{method} {path}"
        writes = method != "GET"
        root, headers = base(self.base_url), self._headers(actor, writes=writes)
        sent = self.now()
        try:
            async with self.session.request(
                method,
                root.joinpath(path.lstrip("/"), encoded=True).with_query(list(params)),
                headers=headers,
                data=None if body is None else orjson.dumps(body),
                allow_redirects=False,
                raise_for_status=False,
                timeout=TIMEOUT,
                middlewares=(_once,) if writes else None,
            ) as response:
                self._hear(_LIMITED_APART.get((method, path), Operation.OTHER), response, sent)
                answer = await _bounded(response)
        except _NEVER_LEFT as error:
            message = f"{call}: no connection to PagerDuty: {self._safe(_no_way(error))}"
            raise Unavailable(message, hint=_NO_WAY) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = self._safe(error) or type(error).__name__
            raise _lost(writes, f"{call}: no answer from PagerDuty: {why}") from None
        if not 200 <= response.status < 300:
            as_actor = actor is not None and headers.get("From") != self.from_email
            raise self._failure(call, writes, response, answer or b"", as_actor=as_actor)
        if answer is None:
            raise _lost(writes, f"{call}: the answer is larger than {LARGEST} bytes")
        try:
            return read(parsed(answer) if answer.strip() else {}, sent)
        except Unusable as error:
            raise _lost(writes, f"{call}: the answer makes no sense: {self._safe(error)}") from None

    def _headers(self, actor: str | None, *, writes: bool) -> Mapping[str, str]:
        headers = {
            "Accept": "application/vnd.pagerduty+json;version=2",
            "Authorization": "".join(credentials(self.token)),
        }
        if writes:
            headers["Content-Type"] = "application/json"
            if from_ := _address(actor) or _address(self.from_email):
                headers["From"] = from_
        return headers

    def _hear(self, operation: Operation, response: aiohttp.ClientResponse, sent: Instant) -> None:
        measured = clock_offset(response.headers, sent=sent, received=self.now())
        if measured is not None:
            self.offset = self.offset.narrowed(measured) if self.offset else measured
        self.heard(limits(response.headers, operation), measured)

    def _failure(
        self,
        call: str,
        writes: bool,
        response: aiohttp.ClientResponse,
        answer: bytes,
        *,
        as_actor: bool,
    ) -> ExternalError:
        status = response.status
        number, said = _complaint(answer)
        words = [str(status), self._safe(said or response.reason or "")]
        words += [f"({number})"] if number else []
        message = f"PagerDuty says {' '.join(filter(None, words))} to {call}"
        retry_after = wait(response.headers, limited=status == 429, now=self.now())
        if status == 429 or number == _CHANGED_MEANWHILE:
            return Unavailable(message, retry_after=retry_after, limited=status == 429)
        if status == 408 or status >= 500:
            kind = Unknown if writes else Unavailable
            return kind(message, hint=_ITS_TROUBLE, retry_after=retry_after)
        if status < 400:
            return Unavailable(message, hint="is the base URL that of PagerDuty's API?")
        if status == 401 or (status == 403 and number not in _DENIED_HERE):
            return Unauthorized(message, hint="check the API key, and what it may do")
        if number == _FROM_IS_NOBODY and as_actor:
            return NoSuchUser(message, status=status, number=number)
        if writes and status == 400 and number in (_NO_FROM, _FROM_IS_NOBODY):
            return Unauthorized(message, hint="set from_email to a user of this account")
        if status == 404:
            return Gone(message, status=status, number=number)
        hint = "its API key may not do that" if status == 403 else ""
        return Refused(message, hint=_HINTS.get(number, hint), status=status, number=number)

    def _safe(self, said: object) -> str:
        """What was said, on one short line; without the token, should anyone have echoed it.

        A header need not be text, and this has to be.
        """
        _, key = credentials(self.token)
        text = str(said).encode(errors="backslashreplace").decode()
        return " ".join(text.replace(key, "(the token)")[:10_000].split())[:500]


def base(url: str) -> URL:
    """The root of the API, however it is written down. Raises Unauthorized."""
    written = url.strip()
    try:
        root = URL(written if "://" in written else f"https://{written}")
        # In the clear only to a sandbox on this very host: the token goes along.
        safe = root.scheme == "https" or (root.scheme == "http" and root.host in _LOOPBACK)
        usable = safe and bool(root.host) and root.user is None
    except ValueError:
        usable = False
    if not usable:
        raise Unauthorized(
            "the base URL is not the address of an API that a token may be sent to",
            hint="https://api.pagerduty.com, or https://api.eu.pagerduty.com in the EU",
        )
    return root.with_path(root.path.rstrip("/"))


def credentials(token: str) -> tuple[str, str]:
    """The scheme and the key of an API key or an OAuth token, also one that names its scheme.

    Raises Unauthorized for what can be neither.
    """
    key = token.strip()
    named = next((each for each in _SCHEMES if f"{key} ".lower().startswith(each.lower())), "")
    key = key[len(named) :].strip()
    if not re.fullmatch(r"[!-~]+", key):
        hint = "an API key, or an OAuth token: letters, digits and signs, and no spaces"
        raise Unauthorized("this is not a PagerDuty token", hint=hint)
    return named or (_BEARER if key.startswith("pdus+") else _TOKEN), key


def _no_way(error: Exception) -> str:
    """Where no connection came about, and why: aiohttp tells it to programmers."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=why, host=host, port=port):
            return f"{host}:{port}: {why}"
        case aiohttp.ClientConnectorError(os_error=why, host=host, port=port):
            known = why.errno in errno.errorcode
            words = os.strerror(why.errno) if known and why.errno else why.strerror or str(why)
            return f"{host}:{port}: {words}"
        case _:
            return str(error)


def _lost(writes: bool, message: str) -> Unavailable:
    return Unknown(message) if writes else Unavailable(message)


def _address(email: str | None) -> str | None:
    """An e-mail address fit for a header; anything else would be refused, or worse."""
    return email if email and email.isprintable() and "@" in email and " " not in email else None


def _complaint(answer: bytes) -> tuple[int, str]:
    """PagerDuty's own error code and words; 0 and nothing where it is not PagerDuty's form."""
    try:
        error = parsed(answer).get("error")
    except Unusable:
        return 0, ""
    if not isinstance(error, dict):
        return 0, error if isinstance(error, str) else ""
    number, details = error.get("code"), error.get("errors")
    said = [dig(error, "message") or ""]
    if isinstance(details, list):
        said.extend(_words(item) for item in details)
    elif details:
        said.append(_words(details))
    return number if type(number) is int else 0, ": ".join(filter(None, said))


def _words(said: object) -> str:
    try:
        return str(said)
    except RecursionError:  # JSON may be deeper than Python writes out
        return "something very deep"


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a PUT or DELETE again by itself when the connection is lost.

    It may have been carried out, and somebody may have edited the incident since.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes | None:
    """The whole body; None if it is larger than anything PagerDuty has to say."""
    whole = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        whole += chunk
        if len(whole) > LARGEST:
            return None
    return bytes(whole)
