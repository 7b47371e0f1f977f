"""What every route that may change something leaves in the audit trail; and how it is read."""

import os
import pwd
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from imsync.api import app, caller
from imsync.api.app import ROUTES
from imsync.api.route import Route
from imsync.core.fields import Field, Side
from imsync.core.merge import Rule, Strategy
from imsync.store import audit, dead_letters, integrations, links, services, tokens
from imsync.store.audit import Action, Line
from imsync.store.database import Connection
from imsync.store.tokens import Scope
from tests.engine import hooks
from tests.town import Town, town_of

from .asking import Api, House, house_of
from .test_integrations import INTEGRATIONS, new

AUDIT = "/api/v1/audit"
TOKENS = "/api/v1/tokens"
PRD = f"{INTEGRATIONS}/prod-pd"
ADA = "ada@acme.example"
AUDITED = [one for one in ROUTES if one.audits]
Json = dict[str, Any]


def name(one: Route) -> str:
    return f"{one.method} {one.path}"


async def lines(house: House | Town, **filters: Any) -> list[Line]:
    return await house.db.read(audit.page, limit=500, **filters)


def asks(town: Town) -> Api:
    return Api(town.session, town.server)


# What each route leaves.


def test_whatever_may_change_something_is_audited_or_says_why_not() -> None:
    for one in ROUTES:
        assert (one.audits is not None) + bool(one.unaudited) == one.changes, name(one)
    excused = {name(one) for one in ROUTES if one.unaudited}
    assert excused == {
        *("POST /incidents", "PATCH /incidents/{id}", "POST /incidents/{id}/notes"),
        *("POST /integrations/{name}/test", "POST /integrations/{name}/webhook/ping"),
        *("POST /webhooks/{integration_id}", "POST /webhooks/{integration_id}/test"),
    }


def test_a_route_that_says_nothing_of_it_cannot_be_declared() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    both: Json = {"audits": Action.CREATED, "unaudited": "why"}
    for more in ({}, both):
        with pytest.raises(ValueError, match="POST /x: what does the audit trail say"):
            Route(method="POST", path="/x", handler=handler, answers={200: None}, **more)


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


def test_each_audited_route_is_tried() -> None:
    assert {name(one) for one in AUDITED} == {*DEEDS, *ELSEWHERE}


TRIED = [one for one in AUDITED if name(one) in DEEDS]


@pytest.mark.parametrize("one", TRIED, ids=name)
async def test_a_route_keeps_the_line_that_it_says_with_who_asked(one: Route) -> None:
    async with town_of() as town:
        status = await carried_out(town, one, X_Request_Id="req-7", X_Unheard="x")
        assert 200 <= status < 300
        found = [line for line in await lines(town) if line.asking.request_id == "req-7"]
        line = next(line for line in found if line.asking.action == one.audits)
        assert (line.asking.claims, line.asking.peer) == (ADA, "127.0.0.1")
        by_token = one.audits is Action.TOKEN_REVOKED
        assert line.asking.actor == ("token ci" if by_token else "loopback")
        assert line.told.subject
        wanted = DEEDS[name(one)].changed
        if wanted is not None:
            told = {field: (was.old, was.new) for field, was in line.told.changes.items()}
            assert told == wanted


@pytest.mark.parametrize("one", TRIED, ids=name)
async def test_a_change_whose_line_cannot_be_kept_is_not_made(one: Route) -> None:
    """Where the trail takes no line, nothing is configured, decided or let in either."""
    before: Json = {}
    async with town_of() as town:

        async def watched() -> None:
            await town.db.run(refuse_lines)
            before.update(await town.db.read(everything))

        assert await carried_out(town, one, watched) == 503
        assert await town.db.read(everything) == before


def refuse_lines(conn: Connection) -> None:
    conn.execute(
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more'); END"
    )


def everything(conn: Connection) -> Json:
    """What people configure and decide, all of it."""
    settings = ", ".join(sorted(integrations.CHANGEABLE))
    asked = {"integrations": f"SELECT {settings} FROM integrations"}
    asked |= {table: f"SELECT * FROM {table}" for table in KEPT}
    return {
        table: sorted(str(tuple(row)) for row in conn.execute(query))
        for table, query in asked.items()
    }


KEPT = (
    *("webhook_secrets", "field_rules", "value_maps", "tokens", "service_mappings"),
    *("conflicts", "dead_letters", "links"),
)


async def test_neither_rehearsing_nor_failing_leaves_a_line(house: House) -> None:
    api = house.api
    await api.made(INTEGRATIONS, new(default_service="P1"))
    before = len(await lines(house))
    assert (await api("PATCH", f"{PRD}?dry_run=true", {"name": "Other"})).json["dry_run"]
    (await api("PATCH", f"{PRD}?plan=pln_x", {"name": "Other"})).problem(412, "plan_changed")
    (await api("PATCH", PRD, {"slug": "NO GOOD"})).problem(400, "invalid_request")
    (await api("DELETE", f"{PRD}/field-ownership/title")).problem(404, "not_found")
    assert (await api("PATCH", PRD, {"sync_notes": True})).status == 200, "it was so before"
    assert len(await lines(house)) == before


async def test_of_credentials_it_is_told_that_they_changed_and_nothing_else(
    house: House,
) -> None:
    api = house.api
    given = {"token": "u+first-token", "webhook_secret": "first-secret"}
    await api.made(INTEGRATIONS, new(credentials=given, enabled=False))
    for credentials in ({"token": "u+second-token"}, {"webhook_secret": "second-secret"}):
        body = {"credentials": credentials}
        if "token" in credentials:
            body["name"] = "Renamed"  # type: ignore[assignment]
        assert (await api("PATCH", PRD, body)).status == 200
    told = [(line.asking.action, dict(line.told.changes)) for line in await lines(house)]
    assert told[:3] == [
        ("credentials.changed", {"webhook_secret": audit.SECRET}),
        ("credentials.changed", {"token": audit.SECRET}),
        (
            "integration.configured",
            {"name": audit.Change("Production PagerDuty", "Renamed")},
        ),
    ]
    assert told[3] == (
        "credentials.changed",
        {"token": audit.SECRET, "webhook_secret": audit.SECRET},
    )
    text = (await api("GET", AUDIT)).text

    def dump(conn: Connection) -> str:
        return str([tuple(row) for row in conn.execute("SELECT * FROM audit")])

    for kept in (text, await house.db.read(dump)):
        for secret in ("first", "second", "u+"):
            assert secret not in kept


async def test_no_token_of_the_api_is_in_it_in_any_form(house: House) -> None:
    made = await house.api.made(TOKENS, {"name": "ci", "scope": "admin"})

    def hashes(conn: Connection) -> list[str]:
        return [row["hash"] for row in conn.execute("SELECT hash FROM tokens")]

    def dump(conn: Connection) -> str:
        return str([tuple(row) for row in conn.execute("SELECT * FROM audit")])

    kept = await house.db.read(dump)
    assert made["id"] in kept
    for secret in (made["token"], made["token"][:12], *await house.db.read(hashes)):
        assert secret not in kept


async def test_installing_deletes_and_its_lines_say_so(town: Town) -> None:
    """The subscription and its secret; and when the integration goes, that it is let go."""
    api = asks(town)
    other = await town.db.read(integrations.secrets, "int_test")
    await api("POST", f"{PRD}/webhook/rotate", here(town))
    (id_,) = await hooks.ids(town)
    credentials, rotated = (await lines(town))[:2]
    assert (credentials.asking.action, rotated.asking.action) == (
        "credentials.changed",
        "webhook.rotated",
    )
    assert rotated.told.changes["subscription"] == audit.Change(None, id_)
    assert credentials.told.changes == {"webhook_secret": audit.SECRET}
    assert other[0] not in str(await lines(town))
    before = len(await lines(town))
    assert (await api("POST", f"{PRD}/webhook", here(town))).status == 200
    assert len(await lines(town)) == before, "it leads here already: nothing was changed"
    assert (await api("POST", f"{PRD}/webhook/enable")).status == 200
    assert len(await lines(town)) == before, "it delivers already"
    assert (await api("DELETE", PRD)).status == 204
    assert [line.asking.action for line in (await lines(town))[:2]] == [
        "integration.deleted",
        "webhook.removed",
    ]


async def test_what_the_daemon_does_by_itself_is_an_event_and_no_line(town: Town) -> None:
    await asks(town)("POST", f"{PRD}/webhook/rotate", here(town))
    await hooks.switch_off(town, (await hooks.ids(town))[0])
    before = len(await lines(town))
    assert await town.crew.watch.step(), "it is enabled again"
    assert (await hooks.listed(town))[0]["active"]
    assert len(await lines(town)) == before


# Who asked.


async def test_a_token_is_named_and_what_it_was_refused_is_kept_once(house: House) -> None:
    api = house.api
    secret = (await api.made(TOKENS, {"name": "ops", "scope": "admin"}))["token"]
    admin = {"Authorization": f"Bearer {secret}"}
    made = await api.made(TOKENS, {"name": "ci", "scope": "read"}, **admin)
    reader: dict[str, Any] = {"Authorization": f"Bearer {made['token']}"}
    for _ in range(3):
        for path in (TOKENS, AUDIT):
            (await api("GET", path, **reader, From="not an e-mail")).problem(403, "forbidden")
    refused, created, _ = await lines(house)
    assert (created.asking.actor, created.told.name) == ("token ops", "ci")
    assert (refused.asking.actor, refused.asking.actor_id) == ("token ci", made["id"])
    assert (refused.asking.action, refused.told.subject) == ("access.refused", f"GET {TOKENS}")
    assert refused.asking.claims == "not an e-mail"
    house.clock.at += audit.REFUSED_EVERY
    (await api("GET", AUDIT, **reader)).problem(403, "forbidden")
    assert [line.told.subject for line in (await lines(house))[:2]] == [
        f"GET {AUDIT}",
        f"GET {TOKENS}",
    ]


async def test_strangers_leave_nothing(api: Api, house: House) -> None:
    await api.made(TOKENS, {"name": "ci", "scope": "admin"})
    before = len(await lines(house))
    strangers: list[Json] = [
        {},
        {"Authorization": "Bearer imt_wrong"},
        {"Origin": "https://evil.example"},
    ]
    for headers in strangers:
        assert (await api("POST", TOKENS, {"name": "x"}, **headers)).status in (401, 403)
    assert (await api("POST", "/api/v1/webhooks/int_x", data=b"{}")).status == 401
    assert len(await lines(house)) == before


SAID = "203.0.113.9, 198.51.100.7"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ({"X_Forwarded_For": SAID}, SAID),
        ({"Forwarded": "for=192.0.2.1"}, "for=192.0.2.1"),
        ({"X_Real_IP": "192.0.2.1"}, "192.0.2.1"),
        ({"X_Forwarded_For": "x" * 5_000}, "x" * 200 + "…"),
        ({}, None),
    ],
    ids=["X-Forwarded-For", "Forwarded", "X-Real-IP", "long", "none"],
)
async def test_for_whom_a_proxy_asks_is_kept_as_it_says(
    house: House, header: dict[str, Any], kept: str | None
) -> None:
    api = house.api
    token = (await api.made(TOKENS, {"name": "ops", "scope": "admin"}))["token"]
    bearing = {"Authorization": f"Bearer {token}", **header}
    assert (await api("POST", TOKENS, {"name": "ci"}, **bearing)).status == 201
    line = (await lines(house))[0]
    assert (line.asking.peer, line.asking.forwarded) == ("127.0.0.1", kept)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"req-7", "req-7"),
        ("caf\u00e9".encode(), "caf\u00e9"),
        (b"a\xff\xfe", "a\\udcff\\udcfe"),
        ("\u202eevil\u2028".encode(), "\\u202eevil\\u2028"),
        ("\u009b31m".encode(), "\\x9b31m"),
        (b"x" * 4_000, "x" * 200 + "\u2026"),
        (b"\xff" * 4_000, ("\\udcff" * 40)[:200] + "\u2026"),
    ],
    ids=["plain", "accents", "no UTF-8", "reordering", "a C1 control", "long", "long when spelled"],
)
async def test_what_anybody_sent_is_bounded_and_spelled_out(
    house: House, sent: bytes, kept: str
) -> None:
    answer = await house.api.raw(
        "POST",
        TOKENS,
        b'{"name": "ci"}',
        b"Content-Type: application/json",
        b"X-Request-Id: " + sent,
    )
    assert answer.status == 201, answer.text
    assert [line.asking.request_id for line in await lines(house)] == [kept]


async def test_who_says_they_are_what_nobody_is_changes_nothing(house: House) -> None:
    for header in ("nobody", "@" + "x" * 300):
        answer = await house.api("POST", TOKENS, {"name": "ci"}, From=header)
        answer.problem(400, "invalid_request")
    assert await lines(house) == []
    assert (await house.api.found(TOKENS))["items"] == []


# Over the unix socket.


async def over_the_socket(house: House, socket: Path, method: str, path: str, body: Json) -> Json:
    runner = web.AppRunner(app.make(house.context))
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.request(method, f"http://localhost{path}", json=body) as answer,
        ):
            found: Json = await answer.json()
            return {**found, "status": answer.status}
    finally:
        await runner.cleanup()


@pytest.mark.skipif(caller._PEERCRED is None, reason="the system does not tell")
async def test_over_the_socket_the_user_at_its_other_end_is_known(
    house: House, tmp_path: Path
) -> None:
    made = await over_the_socket(house, tmp_path / "s", "POST", TOKENS, {"name": "ci"})
    assert made["status"] == 201
    (line,) = await lines(house)
    user = pwd.getpwuid(os.getuid()).pw_name
    assert (line.asking.actor, line.asking.actor_id) == (f"user {user}", f"uid:{os.getuid()}")
    assert line.asking.peer == "socket"


async def test_where_the_system_does_not_tell_it_is_the_socket(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "_PEERCRED", None)
    await over_the_socket(house, tmp_path / "s", "POST", TOKENS, {"name": "ci"})
    (line,) = await lines(house)
    assert (line.asking.actor, line.asking.actor_id) == ("socket", None)


def test_a_user_without_a_name_is_a_number() -> None:
    assert caller._user_name(2_147_483_000) == "2147483000"


async def test_a_backup_is_told_of_before_it_is_made_and_how_it_ended(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with house_of(tmp_path / "im.db") as house:
        for status in (201, 409):
            body = {"path": str(copy)}
            answer = await over_the_socket(house, tmp_path / "s", "POST", "/api/v1/backup", body)
            assert answer["status"] == status
        told = [(line.asking.action, line.told.subject) for line in await lines(house)]
        assert told == [
            ("backup.failed", str(copy)),
            ("backup.begun", str(copy)),
            ("backup.made", str(copy)),
            ("backup.begun", str(copy)),
        ]
    async with house_of(copy) as restored:
        assert [line.asking.action for line in await lines(restored)] == ["backup.begun"]


async def test_a_daemon_that_stops_does_not_wait_for_a_copy(tmp_path: Path) -> None:
    body = {"path": str(tmp_path / "copy.db")}
    async with house_of(tmp_path / "im.db") as house:
        house.context.stopping.set()
        answer = await over_the_socket(house, tmp_path / "s", "POST", "/api/v1/backup", body)
        assert (answer["status"], answer["code"]) == (503, "overloaded")
        last, *_ = await lines(house)
        assert last.asking.action == "backup.failed"
    assert not list(tmp_path.glob("copy*"))


async def test_no_copy_is_made_that_cannot_be_told_of(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with house_of(tmp_path / "im.db") as house:
        await house.db.run(refuse_lines)
        body = {"path": str(copy)}
        answer = await over_the_socket(house, tmp_path / "s", "POST", "/api/v1/backup", body)
        assert answer["status"] == 503
    assert not copy.exists()


# Read.


async def test_it_is_read_with_pages_and_filters(house: House) -> None:
    api = house.api
    for number in range(5):
        await api.made(f"{INTEGRATIONS}", new(f"Other {number}", enabled=False), From=ADA)
    pages = await api.pages(AUDIT, limit=2)
    assert [one["subject_name"] for page in pages for one in page] == [
        f"other-{number}" for number in (4, 3, 2, 1, 0)
    ]
    line = pages[0][0]
    assert line["id"] == "aud_5"
    assert {"field": "enabled", "old": None, "new": False, "secret": False} in line["changes"]
    at = line["at"]
    for query, count in (
        (f"since={at}", 1),
        (f"until={at}", 4),
        (f"since={at.replace('Z', '%2B00:00')}", 1),
        (f"actor={ADA}", 5),
        ("actor=loopback", 5),
        ("actor=nobody", 0),
        ("action=integration", 5),
        ("action=integration.created,token", 5),
        ("action=integration.deleted", 0),
        ("subject=other-3", 1),
        (f"subject={line['subject']}&action=integration&actor=loopback", 1),
    ):
        assert len((await api.found(f"{AUDIT}?{query}"))["items"]) == count, query


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("since=yesterday", "since: give a time with its zone"),
        ("since=2026-11-03", "since: give a time with its zone"),
        ("until=2026-11-03T12:00:00", "until: give a time with its zone"),
        ("since=1700000000", "since: give a time with its zone"),
        ("since=2026-11-03T12:00:00+00:00", "since: give a time with its zone"),
        ("action=integration.create", "did you mean integration.created"),
        ("action=", "action"),
        ("actor=", "actor"),
        ("cursor=aud_1", "it was not given out as a next_cursor"),
        ("user=me", "none of the query parameters"),
    ],
)
async def test_what_it_cannot_be_asked_is_refused(api: Api, query: str, says: str) -> None:
    detail = (await api("GET", f"{AUDIT}?{query}")).problem(400, "invalid_request")
    assert says in detail


def test_only_administrators_read_it() -> None:
    (route,) = [one for one in ROUTES if one.url == AUDIT]
    assert (route.method, route.needs) == ("GET", Scope.ADMIN)


def test_nothing_over_http_writes_it() -> None:
    assert [one.method for one in ROUTES if "audit" in one.path] == ["GET"]
