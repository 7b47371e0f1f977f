"""What handlers are given: the few things of the house that a request may touch."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from imsync.api.feed import Feed
from imsync.api.strangers import Refusals, Strangers
from imsync.core.fields import Instant
from imsync.engine.fleet import Fleet
from imsync.engine.foreseen import Forecast
from imsync.store.database import Database

_REMEMBERED = 100


@dataclass(slots=True)
class Context:
    db: Database
    fleet: Fleet
    now: Callable[[], Instant]
    new_id: Callable[[str], str]  # a prefix -> an id that nobody can guess
    database: Path
    started_at: Instant
    public_url: str | None = None
    listen: str | None = None  # known once it listens
    socket: Path | None = None
    sandbox: Callable[[], Mapping[str, Any]] | None = None
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    plans: dict[str, Forecast] = field(default_factory=dict)  # the last that were shown
    receiving: int = 0  # deliveries in hand
    arriving: dict[asyncio.Timeout, None] = field(default_factory=dict)  # ... not whole yet
    stopping: threading.Event = field(default_factory=threading.Event)  # long work ends then
    strangers: Strangers = field(default_factory=Strangers)
    refusals: Refusals = field(init=False)
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        self.refusals = Refusals(self.db, self.now)
        self.feed = Feed(self.db)

    @property
    def source(self) -> str:
        """Which daemon an event is from: the web address that it is known by, if it has one."""
        return self.public_url or "imsync"

    def remember(self, forecast: Forecast) -> None:
        """Keep what was shown, to say what differs when it is no longer so."""
        self.plans[forecast.id] = forecast
        while len(self.plans) > _REMEMBERED:
            del self.plans[next(iter(self.plans))]


CONTEXT: Final = web.AppKey("context", Context)


def context_of(request: web.Request) -> Context:
    return request.config_dict[CONTEXT]
