"""HTTP to a daemon on another machine. Imported only for `--url`: aiohttp is slow to load."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from errno import errorcode
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
)
from yarl import URL

from imsync.cli.wire import PATIENCE, Answer, Incoming, NoAnswer, Request, Unreachable, whole


@dataclass(frozen=True, slots=True)
class Remote:
    """The daemon at a URL, which may ask who we are."""

    url: str
    token: str = field(default="", repr=False)
    patience: float = PATIENCE

    @property
    def where(self) -> str:
        """The URL without a password that may stand in it."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    async def exchange(self, request: Request) -> Answer:
        total = ClientTimeout(total=self.patience)
        async with self._asked(request, total) as response:
            try:
                body = await whole(response.content.iter_any())
            except ValueError as error:
                raise NoAnswer(f"no usable answer from {self.where}: {error}") from None
        return Answer(response.status, _lower(response.headers), body)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Incoming]:
        endless = ClientTimeout(total=None, connect=self.patience)
        async with self._asked(request, endless) as response:
            yield Incoming(response.status, _lower(response.headers), response.content.iter_any())

    @asynccontextmanager
    async def _asked(
        self, request: Request, timeout: ClientTimeout
    ) -> AsyncIterator[ClientResponse]:
        """The answer while it comes in. Raises Unreachable or NoAnswer, also in the middle."""
        headers = dict(request.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        url = URL(self.url.rstrip("/") + request.target, encoded=True)
        try:
            async with (
                ClientSession(timeout=timeout, trust_env=True) as session,
                session.request(
                    request.method,
                    url,
                    headers=headers,
                    data=request.body or None,
                    allow_redirects=False,  # the token is for this host, not for the next
                ) as response,
            ):
                yield response
        except ClientConnectorError as error:
            raise Unreachable(
                f"imsyncd does not answer at {self.where} ({_reason(error.os_error)}): "
                "start it there with `imsyncd`, or name another with --url"
            ) from None
        except TimeoutError:
            raise NoAnswer(
                f"imsyncd at {self.where} did not answer within {self.patience:g} s"
            ) from None
        except (ClientConnectionError, ClientError) as error:
            raise NoAnswer(
                f"no usable answer from {self.where}: {error or type(error).__name__}"
            ) from None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _reason(error: OSError) -> str:
    """Why there is no connection, in the system's words; asyncio puts its own over them."""
    if error.errno is not None and error.errno in errorcode:
        return os.strerror(error.errno)
    return error.strerror or str(error)
