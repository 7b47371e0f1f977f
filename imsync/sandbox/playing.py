"""The page at `/`, where a person plays PagerDuty: what it shows, and how it acts.

`/_sandbox/as/{who}` before the path of any REST operation does it as that user, as in the web
interface: events and log entries come of it as of a REST call, but it needs no key, counts
against no limit and meets no fault. `pagerduty` is nobody: what happens by itself.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from imsync.sandbox import answering
from imsync.sandbox.account import Account
from imsync.sandbox.asking import Ask
from imsync.sandbox.refusals import Refusal
from imsync.sandbox.routes import ROUTES, Route
from imsync.sandbox.rows import Incident, Json, User

_PAGE: Final = Path(__file__).with_name("page")
_FILES: Final = ("page.css", "page.js", "row.js", "card.js", "calls.js", "dom.js", "icon.svg")
_KINDS: Final = {  # said here, for machines differ on what .js is
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_ITSELF: Final = "pagerduty"
MOST_OPEN: Final = 500
MOST_RESOLVED: Final = 100

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(
    account: Account, count: Callable[[], Json], ring: Callable[[], None]
) -> list[web.RouteDef]:
    """All but `/` itself, which answers programs too. `count` is what the page counts."""

    async def show(_: web.Request) -> web.Response:
        return _json({**_shown(account), **count()})

    def play(route: Route) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            raw = await answering.read(request)
            answer = answering.carry_out(account, route, lambda: _ask(account, request, raw))
            ring()
            return _answer(answering.encoded(account, answer.body), answer.status)

        return handle

    return [
        web.get("/_sandbox/incidents", show),
        *(web.get(f"/_sandbox/page/{name}", _file(name)) for name in _FILES),
        *(web.route(one.method, f"/_sandbox/as/{{who}}{one.path}", play(one)) for one in ROUTES),
    ]


def _file(name: str) -> Handler:
    path = _PAGE / name
    headers = {**_HEADERS, "Content-Type": _KINDS[path.suffix]}

    async def send(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers=headers)

    return send


index: Final = _file("index.html")


def _ask(account: Account, request: web.Request, raw: bytes | None) -> Ask:
    actor = _actor(account, request.match_info["who"])
    return Ask(
        at=account.now(),
        path=request.match_info,
        query=request.query,
        body=answering.parsed(raw) if request.method in ("POST", "PUT") else None,
        actor=actor,
        owner=actor,
        website=True,
    )


def _actor(account: Account, who: str) -> User | None:
    if who == _ITSELF:
        return None
    users = account.records.users
    if found := next(
        (row for row in users if who.casefold() in (row.id.casefold(), row.email.casefold())), None
    ):
        return found
    would_do = f"Nobody is {who!r}: the id or e-mail of a user would do, or {_ITSELF}."
    raise Refusal(404, 2100, "Not Found", would_do)


def _shown(account: Account) -> Json:
    """The incidents, newest first, and the names of all that they refer to."""
    records = account.records
    by_age = sorted(records.incidents, key=lambda row: -row.number)
    open_ = [row for row in by_age if row.status != "resolved"]
    resolved = [row for row in by_age if row.status == "resolved"]
    shown = [*open_[:MOST_OPEN], *resolved[:MOST_RESOLVED]]
    now = account.now()
    return {
        "now": now,
        "incidents": [_incident(account, row) for row in shown],
        "open": len(open_),
        "resolved": len(resolved),
        "users": [{"id": row.id, "name": row.name} for row in records.users],
        "services": [{"id": row.id, "name": row.name} for row in records.services],
        "policies": [
            {"id": row.id, "name": row.name, "levels": len(row.levels)} for row in records.policies
        ],
        "priorities": [{"id": row.id, "name": row.name} for row in records.priorities],
        "subscriptions": [
            {"url": row.url, "disabled": not row.active or now < row.disabled_until}
            for row in records.subscriptions
        ],
        "faults": {
            name: chance
            for name, chance in asdict(account.faults).items()
            if chance and not name.endswith("_ms")
        },
    }


def _incident(account: Account, row: Incident) -> Json:
    merged_into = account.records.incidents.get(row.merged_into)
    return {
        "id": row.id,
        "number": row.number,
        "title": row.title,
        "status": row.status,
        "urgency": row.urgency,
        "priority": row.priority,
        "assignees": list(row.assignees),
        "acknowledgers": list(row.acknowledgers),
        "policy": row.policy,
        "level": row.level,
        "service": row.service,
        "details": row.details,
        "created_at": row.created_at,
        "changed_at": row.updated_at,
        "snoozed_until": row.due.get("unacknowledge"),
        "merged_into": merged_into and merged_into.number,
    }


def _json(body: Json) -> web.Response:
    return _answer(orjson.dumps(body))


def _answer(raw: bytes | None, status: int = 200) -> web.Response:
    kind = "application/json" if raw else None
    return web.Response(status=status, body=raw, content_type=kind, headers=_HEADERS)
