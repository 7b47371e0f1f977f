"""A PagerDuty of one's own: everything connected, started, run and stopped."""

import asyncio
import random
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from imsync.sandbox import controls, founding, playing, timers
from imsync.sandbox.account import Account
from imsync.sandbox.deliveries import PATIENCE, Courier
from imsync.sandbox.faults import Faults
from imsync.sandbox.gate import LARGEST_BODY, Gate
from imsync.sandbox.limits import Limits, Rates
from imsync.sandbox.records import Records
from imsync.sandbox.rows import Json, Token
from imsync.sandbox.switches import Switches

_LONGEST_SLEEP: Final = 60.0  # seconds: a clock may be set meanwhile
_GRACE: Final = 1.0


class Sandbox:
    """One account, its REST API (`app`) and its webhook deliveries.

    `now` is epoch milliseconds. With `state`, everything survives, whatever ends the
    process. Waits that are PagerDuty's own (retries, timers, a disabled day) are divided by
    `time_scale`. `rates` is how often one may ask: `Rates.of(960)` as at PagerDuty, which a
    `rate_limit` says shorter. A receiver of webhooks has `patience` seconds to answer.

    `step` makes one delivery attempt, or lets one timer go off, if any is due; it never
    sleeps. `run` does so until stopped, waiting in between, several attempts at a time.
    """

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        now: Callable[[], int],
        rng: random.Random,
        state: Path | None = None,
        time_scale: float = 1.0,
        token: str | None = None,
        rate_limit: int = 960,
        rates: Rates | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._records = Records(state)
        dice = _settle_in(self._records, rng.getrandbits(64), token)
        self._account = Account(records=self._records, now=now, rng=dice, time_scale=time_scale)
        self._bell = asyncio.Event()
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._limits = Limits(rates or Rates.of(rate_limit))
        self._courier = Courier(self._account, session, patience=patience)
        self._gate = Gate(self._account, self._limits, self._bell.set)
        self._runner: web.AppRunner | None = None
        self._url = ""
        self.app = web.Application(
            client_max_size=LARGEST_BODY, middlewares=[controls.only_from_here]
        )
        self.app.add_routes(
            controls.routes(
                self._account, self._limits.rates, self._courier, self._about, self._bell.set
            )
        )
        self.app.add_routes(playing.routes(self._account, self._counted, self._bell.set))
        self.app.add_routes(self._gate.routes())

    @property
    def requests(self) -> int:
        """API calls answered, with every method, refused ones too."""
        return self._gate.requests

    @property
    def writes(self) -> int:
        """Of those, accepted ones that created or changed an incident."""
        return self._gate.writes

    @property
    def faults(self) -> Faults:
        return self._account.faults

    @property
    def rates(self) -> Rates:
        return self._limits.rates

    @property
    def switches(self) -> Switches:
        return self._account.switches

    @property
    def token(self) -> str:
        """The key of the account that may do everything."""
        return self._token("full")

    @property
    def read_only_token(self) -> str:
        return self._token("read_only")

    @property
    def user_token(self) -> str:
        """Alice's own key: it acts as her, and needs no `From`."""
        return self._token("user")

    @property
    def app_token(self) -> str:
        """An app's own (OAuth): it is nobody's, and needs `From`."""
        return self._token("app")

    @property
    def deliveries_made(self) -> int:
        """Attempts, of whatever outcome."""
        return self._courier.made

    @property
    def deliveries_pending(self) -> int:
        return len(self._records.deliveries)

    def next_due(self) -> int | None:
        """When `step` will next have something to do, as far as is known now."""
        moments = (timers.next_due(self._account), self._courier.next_due())
        return min((at for at in moments if at is not None), default=None)

    def repeat(self, count: int = 1) -> int:
        """Send the last deliveries that arrived once more; says how many that were."""
        repeated = self._courier.repeat(count)
        self._bell.set()
        return repeated

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, ssl_context: ssl.SSLContext | None = None
    ) -> str:
        """Serve the API there; port 0 is any free one. Answers the URL. Raises OSError."""
        runner = web.AppRunner(self.app, shutdown_timeout=_GRACE, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        scheme = "https" if ssl_context else "http"
        shown = f"[{host}]" if ":" in host else host
        self._url = f"{scheme}://{shown}:{runner.addresses[0][1]}"
        self._account.address = self._url
        return self._url

    async def run(self) -> None:
        """Deliver what is due and wait for more, until stopped."""
        self._idle.clear()
        attempts = set[asyncio.Task[None]]()
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping:
                    self._bell.clear()
                    while self._begin(group, attempts):
                        pass
                    await self._rest()
                for attempt in attempts:
                    attempt.cancel()
        finally:
            self._idle.set()

    def _begin(self, group: asyncio.TaskGroup, attempts: set[asyncio.Task[None]]) -> bool:
        """The same as `step`, but the attempt goes on by itself."""
        now = self._account.now()
        if timers.fire(self._account, now):
            return True
        delivery = self._courier.claim(now)
        if delivery is None:
            return False
        attempt = group.create_task(self._courier.attempt(delivery))
        attempts.add(attempt)

        def over(_: object) -> None:
            attempts.discard(attempt)
            self._bell.set()

        attempt.add_done_callback(over)
        return True

    async def _rest(self) -> None:
        due = self.next_due()
        seconds = _LONGEST_SLEEP
        if due is not None:
            seconds = min(max(due - self._account.now(), 0) / 1000, seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(), seconds)

    async def step(self) -> bool:
        now = self._account.now()
        if timers.fire(self._account, now):
            return True
        delivery = self._courier.claim(now)
        if delivery is None:
            return False
        await self._courier.attempt(delivery)
        return True

    async def stop(self) -> None:
        """Stop serving and delivering. What is under way is tried again at the next start."""
        self._stopping = True
        self._bell.set()
        await self._idle.wait()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        self._records.close()

    def describe(self) -> Json:
        """What a user needs to begin."""
        records = self._records
        return {
            "url": self._url,
            "token": self.token,
            "from_email": founding.FROM_EMAIL,
            "default_service": next(row.id for row in records.services),
            "users": [
                {"id": row.id, "name": row.name, "email": row.email} for row in records.users
            ],
            "services": [{"id": row.id, "name": row.name} for row in records.services],
            "escalation_policies": [{"id": row.id, "name": row.name} for row in records.policies],
            "schedules": [{"id": row.id, "name": row.name} for row in records.schedules],
            "priorities": [{"id": row.id, "name": row.name} for row in records.priorities],
        }

    def _about(self) -> Json:
        return {
            **self.describe(),
            "read_only_token": self.read_only_token,
            "user_token": self.user_token,
            "app_token": self.app_token,
            **self._counted(),
        }

    def _counted(self) -> Json:
        return {
            "requests": self.requests,
            "writes": self.writes,
            "deliveries_made": self.deliveries_made,
            "deliveries_pending": self.deliveries_pending,
        }

    def _token(self, name: str) -> str:
        return next(row.id for row in self._records.tokens if row.name == name)


def _settle_in(records: Records, seed: int, token: str | None) -> random.Random:
    """Found the account if it is new; answers the dice of this life.

    They are others in each: ids thrown again would be taken, and a webhook id thrown again
    would be mistaken for a repeat.
    """
    with records.unit():
        dice = random.Random(f"{seed} {records.count('life')}")
        if not len(records.users):
            founding.found(records, dice)
        founding.issue_tokens(records, dice)
        if token is not None and token not in records.tokens:
            for row in [row for row in records.tokens if row.name == "full"]:
                records.tokens.drop(row.id)
            records.tokens.put(Token(token, "full"))
    return dice
