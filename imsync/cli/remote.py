"""HTTP to a daemon on another machine. Imported only for `--url`: aiohttp is slow to load."""

import os
from dataclasses import dataclass
from errno import errorcode
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
)
from yarl import URL

from imsync.cli.wire import PATIENCE, Answer, NoAnswer, Request, Unreachable


@dataclass(frozen=True, slots=True)
class Remote:
    """The daemon at a URL, which may ask who we are."""

    url: str
    token: str = ""
    patience: float = PATIENCE

    @property
    def where(self) -> str:
        """The URL without a password that may stand in it."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    async def exchange(self, request: Request) -> Answer:
        headers = dict(request.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        url = URL(self.url.rstrip("/") + request.target, encoded=True)
        try:
            async with (
                ClientSession(
                    timeout=ClientTimeout(total=self.patience), trust_env=True
                ) as session,
                session.request(
                    request.method,
                    url,
                    headers=headers,
                    data=request.body or None,
                    allow_redirects=False,  # the token is for this host, not for the next
                ) as response,
            ):
                body = await response.read()
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
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, names, body)


def _reason(error: OSError) -> str:
    """Why there is no connection, in the system's words; asyncio puts its own over them."""
    if error.errno is not None and error.errno in errorcode:
        return os.strerror(error.errno)
    return error.strerror or str(error)
