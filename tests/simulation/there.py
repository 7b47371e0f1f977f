"""PagerDuty: the sandbox, whole, and the history of what was edited in it, by whom.

The history is written where the sandbox commits, so it holds what really happened, whatever
came of the answer. Times in it are true: on our own clock, also where that of the sandbox
goes wrong.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import orjson
from aiohttp import web

from imsync.core.fields import Field, Value
from imsync.sandbox.limits import Rates
from imsync.sandbox.records import Records
from imsync.sandbox.rows import Delivery, Incident, Subscription
from imsync.sandbox.sandbox import Sandbox
from tests.openapi.witness import Witness
from tests.simulation.network import Network

US, ITSELF = "us", "itself"
_FIELDS: Mapping[str, Field] = {
    "title": Field.TITLE,
    "urgency": Field.SEVERITY,
    "priority": Field.SEVERITY,
    "status": Field.STATUS,
    "assignments": Field.ASSIGNED_TO,
    "escalation_policy": Field.ESCALATION_POLICY,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One edit over there, in external form. `n`: its place in the whole story."""

    n: int
    at: int
    external_id: str
    field: Field
    old: Value
    new: Value
    by: str


@dataclass(frozen=True, slots=True)
class Asker:
    """Who makes the request in hand, and what it sets: (incident, or "" for its only one; field).

    Whatever else changes, changes by itself: who is on call when the policy is another.
    """

    who: str = ITSELF
    sets: frozenset[tuple[str, Field]] = frozenset()


_ASKER: ContextVar[Asker] = ContextVar("asker")
_NOBODY = Asker()


@dataclass(slots=True)
class Counted:
    """What the oracle and the table want to know of our requests."""

    asked: int = 0
    refused: int = 0  # over the limit, by our own doing


class There:
    """One account, at `address`; its clock is `skew` ms ahead of ours."""

    def __init__(
        self,
        network: Network,
        rng: Random,
        *,
        port: int,
        now: Callable[[], int],
        count: Callable[[], int],
        met: Callable[[Line], None],
        skew: int,
        rates: Rates,
    ) -> None:
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"
        self._door = ("127.0.0.1", port + 1_000)  # where its people go in, who are nearer
        self.door = f"http://127.0.0.1:{port + 1_000}"
        self.network, self.skew = network, skew
        self._now, self._count, self._met = now, count, met
        self._session = network.session()
        self.sandbox = Sandbox(
            session=self._session, now=lambda: now() + skew, rng=rng, rates=rates
        )
        self.lines: list[Line] = []
        self.counted = Counted()
        self.kept: dict[str, Delivery] = {}  # what was answered with a 2xx, by id
        self.records: Records = self.sandbox._records
        self._watch()

    async def start(self) -> None:
        self.witness = Witness(self.sandbox)
        self.sandbox.app.middlewares.append(self._who)
        runner = web.AppRunner(self.sandbox.app, access_log=None)
        await runner.setup()
        assert runner.server is not None
        self._server = runner.server
        self.network.listen(self._door, self._server)
        self.up()
        self._run = asyncio.create_task(self.sandbox.run())

    def up(self) -> None:
        self.network.listen(self.address, self._server)

    def down(self) -> None:
        """The daemon cannot connect."""
        self.network.close(self.address)

    async def stop(self) -> None:
        await self.sandbox.stop()
        await self._session.close()

    async def delivered(self) -> None:
        """Wait until every delivery has arrived, or was dropped."""
        while any(self.records.deliveries):
            due = self.sandbox.next_due()  # None while all that is left is under way
            wait = 0.0 if due is None else (due - self.skew - self._now()) / 1000
            await asyncio.sleep(max(1.0, wait))

    # --- what stands there

    def rows(self) -> list[Incident]:
        return list(self.records.incidents)

    def values(self, row: Incident) -> dict[Field, Value]:
        """Its fields in external form; nobody is on what is resolved."""
        priority = self.records.priorities[row.priority].name if row.priority else ""
        return {
            Field.TITLE: row.title,
            Field.SEVERITY: f"{row.urgency} {priority}".strip(),
            Field.STATUS: row.status,
            Field.ASSIGNED_TO: next(iter(row.assignees), None),
            Field.ESCALATION_POLICY: row.policy,
        }

    def notes(self, row: Incident) -> list[str]:
        return [note.content for note in self.records.notes if note.incident == row.id]

    # --- watching

    def _watch(self) -> None:
        """Note every change of an incident where it is committed."""
        records, unit = self.records, self.records.unit

        @contextmanager
        def watched() -> Iterator[None]:
            with unit():
                yield
                if records._depth == 1:
                    self._note()

        vars(records)["unit"] = watched
        limits, take = self.sandbox._limits, self.sandbox._limits.take

        def taken(caller: str, method: str, path: str, now: int) -> tuple[bool, dict[str, str]]:
            allowed, headers = take(caller, method, path, now)
            if caller == self.sandbox.token:
                self.counted.asked += 1
                self.counted.refused += not allowed
            return allowed, headers

        limits.take = taken  # type: ignore[method-assign]
        courier, settle = self.sandbox._courier, self.sandbox._courier._settle

        def settled(subscription: Subscription, delivery: Delivery, status: int | None) -> None:
            if status is not None and 200 <= status < 300:
                self.kept[delivery.id] = delivery
            settle(subscription, delivery, status)

        courier._settle = settled  # type: ignore[method-assign]

    def _note(self) -> None:
        before: dict[str, Incident | None] = {}
        for table, id_, old in self.records._changes:
            if table is self.records.incidents:
                before.setdefault(id_, old)
        asker = _ASKER.get(_NOBODY)
        for id_, was in before.items():
            row = self.records.incidents[id_]
            old = self.values(was) if was else dict.fromkeys(self.values(row))
            for name, value in self.values(row).items():
                if old[name] == value:
                    continue
                by = asker.who if (id_, name) in asker.sets or ("", name) in asker.sets else ITSELF
                for one, next_ in pairwise(_passed(name, old[name], value)):
                    line = Line(self._count(), self._now(), id_, name, one, next_, by)
                    self.lines.append(line)
                    self.network.say(f"there {line.by}: {id_} {name} {one!r} -> {next_!r}")
                    self._met(line)

    @web.middleware
    async def _who(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        person = request.path.startswith("/_sandbox/as/")
        who = request.path.split("/")[3] if person else US
        _ASKER.set(Asker(who, frozenset(_sets(await request.read()))))
        return await handler(request)


def _passed(name: Field, old: Value, new: Value) -> Sequence[Value]:
    """What a field stood at, from the one to the other.

    Acknowledging what is resolved opens it on the way: the log and the webhooks tell of both.
    """
    reopens = (name, old, new) == (Field.STATUS, "resolved", "acknowledged")
    return (old, "triggered", new) if reopens else (old, new)


def _sets(raw: bytes) -> Iterator[tuple[str, Field]]:
    body = orjson.loads(raw) if raw else {}
    one, many = body.get("incident", {}), body.get("incidents", [])
    for id_, changes in [("", one), *((each["id"], each) for each in many)]:
        for name in changes.keys() & _FIELDS.keys():
            yield id_, _FIELDS[name]
