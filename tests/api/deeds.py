"""What each audited route is for, carried out: a request, and what has to be there for it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from imsync.api.route import Route
from imsync.core.fields import Field, Side
from imsync.core.merge import Rule, Strategy
from imsync.store import dead_letters, integrations, links, services, tokens
from imsync.store.audit import Action
from imsync.store.database import Connection
from imsync.store.tokens import Scope
from tests.engine import hooks
from tests.town import Town

from .asking import ADA, INTEGRATIONS, TOKENS, Json, asks, new

PRD = f"{INTEGRATIONS}/prod-pd"


def name(one: Route) -> str:
    return f"{one.method} {one.path}"


@dataclass(frozen=True, slots=True)
class Deed:
    """A request that a route carries out, after what has to be there for it."""

    path: str
    body: Json | None = None
    prepared: Callable[[Town], Awaitable[object]] | None = None
    changed: Json | None = None  # what its line says, where that is said here


async def a_link(town: Town) -> int:
    await town.declare()
    await town.settle(deliveries=False)
    link = await town.db.read(links.between, "int_test", 1)
    assert link is not None
    return link.id


async def a_conflict(town: Town) -> None:
    await a_link(town)
    await town.edit(title="Here")
    await town.act(title="There")
    await town.settle(deliveries=False)
    assert [one.status for one in await town.conflicts()] == ["pending"]


async def a_decided_conflict(town: Town) -> None:
    await a_conflict(town)
    answer = await asks(town)("POST", "/api/v1/conflicts/cfl_1/resolve", {"use": "platform"})
    assert answer.status == 200


async def a_dead_letter(town: Town) -> None:
    await town.db.run(
        dead_letters.bury,
        integration_id="int_test",
        link_id=await a_link(town),
        direction="outbound",
        field="title",
        code="external_refused",
        message="no",
        hint="",
        attempts=1,
        body=None,
        now=town.clock(),
    )


async def one_there(town: Town) -> None:
    """An incident there that is linked to nothing, under the id that the path names."""
    await town.db.run(integrations.change, "int_test", {"enabled": False}, now=town.clock())
    await town.declare()
    await town.db.run(integrations.change, "int_test", {"enabled": True}, now=town.clock())
    await town.trigger()


async def a_rule(town: Town) -> None:
    rule = Rule(Side.EXTERNAL)
    await town.db.run(integrations.set_rule, "int_test", Field.TITLE, rule, now=town.clock())


async def a_map(town: Town) -> None:
    assert (await asks(town)("PUT", f"{PRD}/maps/urgency", MAP)).status == 200


async def a_mapping(town: Town) -> None:
    await town.db.run(services.put, "int_test", "P1", "database", now=town.clock())


async def a_token(town: Town) -> None:
    def make(conn: Connection) -> None:
        now = town.clock()
        tokens.create(conn, "tok_1", "x", name="ci", scope=Scope.READ, expires_at=None, now=now)

    await town.db.run(make)


async def a_subscription(town: Town) -> None:
    assert (await asks(town)("POST", f"{PRD}/webhook", here(town))).status == 201


async def a_disabled_subscription(town: Town) -> None:
    await a_subscription(town)
    await hooks.switch_off(town, (await hooks.ids(town))[0])


def here(town: Town) -> Json:
    return {"public_url": town.webhook_url.partition("/api/v1")[0]}


async def at_work(town: Town) -> None:
    await town.fleet.refresh("int_test")


MAP = {"out": {"SEV-3": "high"}, "in": {"low": "SEV-4"}}
TITLE = {"owner": "platform", "priority": 0, "strict": False}
DEEDS = {
    "POST /incidents/{id}/links": Deed(
        "/incidents/INC-1/links", {"integration": "prod-pd", "external_id": "THERE"}, one_there
    ),
    "DELETE /incidents/{id}/links/{name}": Deed("/incidents/INC-1/links/prod-pd", None, a_link),
    "POST /integrations": Deed("/integrations", new("Other", enabled=False)),
    "PATCH /integrations/{name}": Deed(
        "/integrations/prod-pd", {"sync_notes": False}, None, {"sync_notes": (True, False)}
    ),
    "DELETE /integrations/{name}": Deed(
        "/integrations/prod-pd", None, None, {"name": ("Production PagerDuty", None)}
    ),
    "POST /integrations/{name}/drift": Deed(
        "/integrations/prod-pd/drift", {"accept": True}, at_work, {"accept": (None, True)}
    ),
    "POST /dead-letters/{id}/retry": Deed(
        "/dead-letters/dlq_1/retry",
        None,
        a_dead_letter,
        {"INC-1 outbound title": ("given up: external_refused", "retried")},
    ),
    "DELETE /dead-letters/{id}": Deed(
        "/dead-letters/dlq_1",
        None,
        a_dead_letter,
        {"INC-1 outbound title": ("given up: external_refused", "discarded")},
    ),
    "PUT /integrations/{name}/field-ownership/{field}": Deed(
        "/integrations/prod-pd/field-ownership/title",
        {"owner": "external", "strict": True},
        None,
        {"field-ownership/title": (TITLE, {"owner": "external", "priority": 0, "strict": True})},
    ),
    "DELETE /integrations/{name}/field-ownership/{field}": Deed(
        "/integrations/prod-pd/field-ownership/title",
        None,
        a_rule,
        {"field-ownership/title": ({**TITLE, "owner": "external"}, TITLE)},
    ),
    "PUT /integrations/{name}/maps/{map}": Deed(
        "/integrations/prod-pd/maps/urgency",
        MAP,
        None,
        {"map/urgency": ({"out": {}, "in": {}}, MAP)},
    ),
    "DELETE /integrations/{name}/maps/{map}": Deed(
        "/integrations/prod-pd/maps/urgency",
        None,
        a_map,
        {"map/urgency": (MAP, {"out": {}, "in": {}})},
    ),
    "POST /integrations/{name}/service-mappings": Deed(
        "/integrations/prod-pd/service-mappings",
        {"pd_service": "P1", "incident_type": "database", "unchecked": True},
        None,
        {"service-mapping/P1": (None, "database")},
    ),
    "DELETE /integrations/{name}/service-mappings/{id}": Deed(
        "/integrations/prod-pd/service-mappings/map_1",
        None,
        a_mapping,
        {"service-mapping/P1": ("database", None)},
    ),
    "POST /integrations/{name}/webhook": Deed("/integrations/prod-pd/webhook", {"HERE": ""}),
    "POST /integrations/{name}/webhook/rotate": Deed(
        "/integrations/prod-pd/webhook/rotate", {}, a_subscription
    ),
    "POST /integrations/{name}/webhook/enable": Deed(
        "/integrations/prod-pd/webhook/enable", None, a_disabled_subscription
    ),
    "POST /conflicts/{id}/resolve": Deed(
        "/conflicts/cfl_1/resolve",
        {"use": "external"},
        a_conflict,
        {"status": ("pending", "resolved"), "winner": (None, "external")},
    ),
    "POST /conflicts/{id}/ignore": Deed(
        "/conflicts/cfl_1/ignore", None, a_conflict, {"status": ("pending", "ignored")}
    ),
    "POST /conflicts/{id}/restore": Deed(
        "/conflicts/cfl_1/restore",
        None,
        a_decided_conflict,
        {"external value": ("lost", "restored")},
    ),
    "POST /tokens": Deed(
        "/tokens",
        {"name": "ci", "scope": "read", "expires_in_s": 60},
    ),
    "POST /key/rotate": Deed("/key/rotate"),
    "DELETE /tokens/{id}": Deed("/tokens/ci", None, None, {"state": ("active", "revoked")}),
}
ELSEWHERE = {"POST /backup"}
"""Carried out over the unix socket alone: see below."""


async def carried_out(
    town: Town, one: Route, before: Callable[[], Awaitable[None]] | None = None, **headers: Any
) -> int:
    """Have a route do what it is for; the status it answers. `before`: to be done just then."""
    deed = DEEDS[name(one)]
    if one.audits is Action.TOKEN_REVOKED:
        # Once there is a token, TCP asks for one.
        secret = (await asks(town).made(TOKENS, {"name": "ci", "scope": "admin"}))["token"]
        headers["Authorization"] = f"Bearer {secret}"
    await town.connect(subscribed=False, conflict_strategy=Strategy.MANUAL_REVIEW)
    if deed.prepared is not None:
        await deed.prepared(town)
    body = deed.body
    if body is not None and "external_id" in body:
        body = {**body, "external_id": (await town.all_there())[-1]["id"]}
    if body is not None and "HERE" in body:
        body = here(town)
    if before is not None:
        await before()
    answer = await asks(town)(one.method, f"/api/v1{deed.path}", body, From=ADA, **headers)
    await town.fleet.stop()
    return answer.status


def refuse_lines(conn: Connection) -> None:
    conn.execute(
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more'); END"
    )
