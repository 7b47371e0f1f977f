"""What people do on both sides: through the daemon's API, and through PagerDuty's.

Their requests run beside each other, and those to the daemon meet the same network as
everybody's: one that was cut off may have been carried out or not, and only what was
answered with a 2xx was promised anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp
import orjson

from imsync.core.fields import Field, Severity, Status, Value
from tests.simulation import daemon
from tests.simulation.there import There

Json = dict[str, Any]
API = f"{daemon.URL}/api/v1"
ME = ("alice@acme.example", "bob@acme.example", "erin@elsewhere.example")
THEM = ("carol@acme.example", "dave@acme.example")
"""Nobody edits both sides within a second: what one user does at once may be one request."""

USERS = ("alice@acme.example", "bob@acme.example", "carol@acme.example", "ghost@nowhere.example")
POLICIES = ("Platform on call", "Payments on call", "Management", "Nobody's")
_PATIENCE = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An edit here that was answered with a 2xx: between these moments, it was made."""

    number: int
    field: Field
    value: Value
    by: str
    after: int
    before: int


class People:
    def __init__(
        self,
        rng: Random,
        there: list[There],
        session: aiohttp.ClientSession,
        safe: aiohttp.ClientSession,
        now: Callable[[], int],
        numbers: Callable[[], list[int]],
        earlier: Callable[[int, Field], list[Value]],
    ) -> None:
        self.rng, self.there, self.now, self._numbers = rng, there, now, numbers
        self._session, self._safe, self._earlier = session, safe, earlier
        self.fields = rng.sample(list(Field), rng.choice((1, 2, 2, 3, 6)))
        self.accepted: list[Accepted] = []
        self.declared: list[str] = []  # the titles, accepted or not
        self.triggered = 0
        self.notes_here: list[tuple[int, str]] = []  # those that were accepted
        self.notes_there: list[tuple[int, str, str]] = []  # account, incident, text
        self._words = 0
        self._busy: list[asyncio.Future[None]] = []

    # --- doing things

    def begin(self, what: Callable[[], Awaitable[None]]) -> None:
        """Let somebody do this, while others do other things."""
        self._busy.append(asyncio.ensure_future(what()))

    async def finish(self) -> None:
        """Wait until everybody has done what they began."""
        while self._busy:
            await self._busy.pop(0)

    def act(self) -> None:
        """Somebody does something, or two people do."""
        acts = {
            self.edit_here: 30,
            self.edit_there: 30,
            self.declare: 5,
            self.trigger: 4,
            self.note_here: 4,
            self.note_there: 4,
            self.answer_a_conflict: 4,
            self.resolve_the_newest: 4,
        }
        [act] = self.rng.choices(list(acts), list(acts.values()))
        self.begin(act)
        if act is self.edit_here and self.rng.random() < 0.3:
            self.begin(self.edit_there)

    # --- here

    async def ask(
        self, method: str, path: str, body: Json | None = None, *, by: str = "", safe: bool = False
    ) -> tuple[int, Any]:
        """The status (0: no answer) and what was said."""
        session = self._safe if safe else self._session
        try:
            async with session.request(
                method,
                API + path,
                data=None if body is None else orjson.dumps(body),
                headers={"Content-Type": "application/json", **({"From": by} if by else {})},
                timeout=_PATIENCE,
            ) as answer:
                raw = await answer.read()
                return answer.status, orjson.loads(raw) if raw else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0, None

    async def declare(self) -> None:
        rng, by = self.rng, self.rng.choice(ME)
        title = self.word("Declared")
        body: Json = {"title": title, "severity": rng.choice(list(Severity))}
        for field in self.fields:
            if field not in (Field.TITLE, Field.SEVERITY) and rng.random() < 0.3:
                body[field.value] = self.value_here(field)
        self.declared.append(title)
        after = self.now()
        status, told = await self.ask("POST", "/incidents", body, by=by)
        if status == 201:
            number = int(told["id"].removeprefix("INC-"))
            self._accept(number, body, by, after)

    async def edit_here(self) -> None:
        numbers = self._numbers()
        if not numbers:
            return
        rng, number, by = self.rng, self.rng.choice(numbers), self.rng.choice(ME)
        body: Json = {}
        for field in rng.sample(self.fields, 1 if rng.random() < 0.8 else min(2, len(self.fields))):
            earlier = self._earlier(number, field)
            back = earlier and rng.random() < 0.25  # set back to what it was: an edit too
            body[field.value] = rng.choice(earlier) if back else self.value_here(field)
        after = self.now()
        status, _ = await self.ask("PATCH", f"/incidents/INC-{number}", body, by=by)
        if status == 200:
            self._accept(number, body, by, after)

    def _accept(self, number: int, body: Json, by: str, after: int) -> None:
        for name, value in body.items():
            one = Accepted(number, Field(name), value, by, after, self.now())
            self.accepted.append(one)

    async def note_here(self) -> None:
        if not (numbers := self._numbers()):
            return
        number, text = self.rng.choice(numbers), self.word("Noted here")
        by = self.rng.choice(ME)
        status, _ = await self.ask("POST", f"/incidents/INC-{number}/notes", {"text": text}, by=by)
        if status == 201:
            self.notes_here.append((number, text))

    async def answer_a_conflict(self) -> None:
        status, told = await self.ask("GET", "/conflicts?limit=100")
        if status != 200 or not told["items"]:
            return
        one, by = self.rng.choice(told["items"]), self.rng.choice(ME)
        if one["status"] == "pending":
            ways = ({"use": "platform"}, {"use": "external"}, None)
            body = self.rng.choice(ways)
            what = "ignore" if body is None else "resolve"
            await self.ask("POST", f"/conflicts/{one['id']}/{what}", body, by=by)
        elif one["status"] == "resolved":
            await self.ask("POST", f"/conflicts/{one['id']}/restore", by=by)

    # --- there

    async def trigger(self) -> None:
        index, there = self._account()
        body = {"title": self.word("Triggered"), "service": self._service(there)}
        if self.rng.random() < 0.3:
            body["urgency"] = self.rng.choice(("high", "low"))
        self.triggered += 1
        await self.do(index, "POST", "/incidents", {"incident": {"type": "incident", **body}})

    async def edit_there(self) -> None:
        index, there = self._account()
        if not (rows := there.rows()):
            return
        row = self.rng.choice(rows)
        change = self.change_there(there, self.rng.choice(self.fields))
        lines = [one for one in there.lines if (one.external_id, one.field) == (row.id, "title")]
        if "title" in change and self.rng.random() < 0.15:
            change = {"title": self.rng.choice(lines).new}
        body = {"incident": {"type": "incident_reference", **change}}
        await self.do(index, "PUT", f"/incidents/{row.id}", body)

    async def resolve_the_newest(self) -> None:
        """A false alarm: over before anybody else has looked."""
        index, there = self._account()
        if rows := there.rows():
            change = {"type": "incident_reference", "status": "resolved"}
            await self.do(index, "PUT", f"/incidents/{rows[-1].id}", {"incident": change})

    async def note_there(self) -> None:
        index, there = self._account()
        if not (rows := there.rows()):
            return
        row, text = self.rng.choice(rows), self.word("Noted there")
        path = f"/incidents/{row.id}/notes"
        if await self.do(index, "POST", path, {"note": {"content": text}}):
            self.notes_there.append((index, row.id, text))

    async def do(self, index: int, method: str, path: str, body: Json) -> bool:
        """What somebody does in PagerDuty's web interface. Whether it was taken."""
        there, who = self.there[index], self.rng.choice(THEM)
        async with self._safe.request(
            method, f"{there.door}/_sandbox/as/{who}{path}", data=orjson.dumps(body)
        ) as answer:
            await answer.read()
            return answer.status < 300

    def _account(self) -> tuple[int, There]:
        index = self.rng.randrange(len(self.there))
        return index, self.there[index]

    def _service(self, there: There) -> Json:
        return {"id": there.sandbox.describe()["default_service"], "type": "service_reference"}

    # --- what they say

    def word(self, what: str) -> str:
        self._words += 1
        return f"{what} {self._words}"

    def value_here(self, field: Field) -> Value:
        rng = self.rng
        match field:
            case Field.TITLE | Field.DESCRIPTION:
                return self.word("Said here")
            case Field.SEVERITY:
                return rng.choice(list(Severity)).value
            case Field.STATUS:
                return rng.choice(list(Status)).value
            case Field.ASSIGNED_TO:
                return rng.choice(USERS)
            case Field.ESCALATION_POLICY:
                return rng.choice(POLICIES)

    def change_there(self, there: There, field: Field) -> Mapping[str, object]:
        rng, records = self.rng, there.records
        match field:
            case Field.SEVERITY if rng.random() < 0.5:
                id_ = rng.choice([row.id for row in records.priorities])
                return {"priority": {"id": id_, "type": "priority_reference"}}
            case Field.SEVERITY:
                return {"urgency": rng.choice(("high", "low"))}
            case Field.STATUS:
                return {"status": rng.choice(("triggered", "acknowledged", "resolved"))}
            case Field.ASSIGNED_TO:
                id_ = rng.choice([row.id for row in records.users])
                return {"assignments": [{"assignee": {"id": id_, "type": "user_reference"}}]}
            case Field.ESCALATION_POLICY:
                id_ = rng.choice([row.id for row in records.policies])
                return {"escalation_policy": {"id": id_, "type": "escalation_policy_reference"}}
            case _:
                return {"title": self.word("Said there")}
