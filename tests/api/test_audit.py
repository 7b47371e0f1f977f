"""What every route that may change something leaves in the audit trail; and how it is read."""

import pytest
from aiohttp import web

from imsync.api.app import ROUTES
from imsync.api.route import Route
from imsync.store import audit, integrations
from imsync.store.audit import Action
from imsync.store.database import Connection
from imsync.store.tokens import Scope
from tests.engine import hooks
from tests.town import Town, town_of

from .asking import ADA, AUDIT, INTEGRATIONS, TOKENS, Api, House, Json, asks, lines, new
from .deeds import DEEDS, ELSEWHERE, PRD, carried_out, here, name, refuse_lines

AUDITED = [one for one in ROUTES if one.audits]


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
        ("user=me", "not a query parameter"),
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
