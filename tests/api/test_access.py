"""Who may speak: what each way in may do, with and without a token; and what browsers may not."""

import re
from typing import Any

import pytest

from imsync.api import access
from imsync.api.app import ROUTES
from imsync.api.route import Route
from imsync.core.fields import Instant
from imsync.errors import Unauthenticated
from imsync.store.database import Connection
from imsync.store.tokens import Scope
from tests.api.test_manners import filled

from .asking import INCIDENTS, TOKENS, Answer, Api, House
from .test_events import EVENTS, watching

STATUS = "/api/v1/status"
GUARDED = [one for one in ROUTES if not one.open]
BODY = {"name": "ci", "scope": "admin"}


async def made(api: Api, **more: object) -> str:
    """A token of the API's own, while it is open; asked with it from now on."""
    token = (await api.made(TOKENS, {**BODY, **more}))["token"]
    assert isinstance(token, str)
    return token


def bearing(token: str) -> dict[str, Any]:
    return {"Authorization": f"Bearer {token}"}


async def asks(api: Api, one: Route, **headers: Any) -> Answer:
    body: Any = {} if one.takes else None
    return await api(one.method, filled(one.url), body, **headers)


# With and without a token.


async def test_a_fresh_host_may_be_tried_with_plain_curl(api: Api) -> None:
    assert (await api("GET", STATUS)).status == 200
    assert (await api("POST", INCIDENTS, {"title": "x"})).status == 201


@pytest.mark.parametrize("one", GUARDED, ids=lambda one: f"{one.method} {one.url}")
async def test_once_there_is_a_token_every_route_asks_for_it(api: Api, one: Route) -> None:
    await made(api)
    answer = await asks(api, one)
    answer.problem(401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_only_webhooks_are_open_for_they_are_signed() -> None:
    assert {one.url for one in ROUTES if one.open} == {
        "/api/v1/webhooks/{integration_id}",
        "/api/v1/webhooks/{integration_id}/test",
    }


async def test_the_webhooks_way_stays_open_and_wants_its_signature(api: Api) -> None:
    await made(api)
    for path in ("/api/v1/webhooks/int_x", "/api/v1/webhooks/int_x/test"):
        through = {"X_Forwarded_For": "192.0.2.1", "Host": "anything.example"}
        answer = await api("POST", path, data=b"{}", **through)
        assert answer.status == 401
        assert "signed" in answer.text or "X-PagerDuty-Signature" in answer.text


@pytest.mark.parametrize("revoked", [False, True])
async def test_what_was_closed_does_not_open_by_itself(house: House, revoked: bool) -> None:
    """Neither when the last token expires nor when it is revoked."""
    api = house.api
    token = await made(api, expires_in_s=60)
    if revoked:
        assert (await api("DELETE", f"{TOKENS}/ci", **bearing(token))).json["state"] == "revoked"
    else:
        house.clock.at += 60_000
    for headers in ({}, bearing(token)):
        (await api("GET", STATUS, **headers)).problem(401, "unauthenticated")


@pytest.mark.parametrize(
    "header",
    [
        {"X_Forwarded_For": "192.0.2.1"},
        {"Forwarded": "for=192.0.2.1"},
        {"Via": "1.1 proxy"},
        {"X_Real_IP": "192.0.2.1"},
        {"X_Forwarded_Host": "incidents.example.com"},
        {"X_Original_Forwarded_For": "192.0.2.1"},
        {"CF_Connecting_IP": "192.0.2.1"},
    ],
    ids=lambda header: next(iter(header)),
)
async def test_what_came_through_a_proxy_shows_a_token(api: Api, header: dict[str, Any]) -> None:
    (await api("GET", STATUS, **header)).problem(401, "unauthenticated")
    token = await made(api)
    assert (await api("GET", STATUS, **header, **bearing(token))).status == 200


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("192.0.2.1", False),
        ("0.0.0.0", False),
        ("fe80::1%lo", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_which_addresses_are_this_host(address: str, loopback: bool) -> None:
    assert access.is_loopback(address) is loopback


def test_from_elsewhere_a_token_is_needed_although_there_is_none(conn: Connection) -> None:
    with pytest.raises(Unauthenticated):
        access.who(conn, "192.0.2.1", shown=None, straight=False, now=Instant(1))


@pytest.mark.parametrize("token", ["", "imt_wrong", "x" * 5_000])
async def test_a_wrong_token_is_refused_also_while_none_is_needed(api: Api, token: str) -> None:
    answer = await api("GET", STATUS, **bearing(token))
    answer.problem(401, "unauthenticated")
    assert token[:20] not in answer.text or not token


async def test_what_is_no_text_is_no_token(api: Api) -> None:
    """Nor a bug: whoever sends it would fill the log."""
    answer = await api.raw("GET", STATUS, b"", b"Authorization: Bearer \xff\xfe")
    answer.problem(401, "unauthenticated")


# What a token is good for.


@pytest.mark.parametrize("one", GUARDED, ids=lambda one: f"{one.method} {one.url}")
async def test_a_token_does_what_its_scope_covers_and_no_more(api: Api, one: Route) -> None:
    admin = await made(api)
    for scope in Scope:
        body = {"name": f"the {scope}", "scope": scope}
        token = (await api("POST", TOKENS, body, **bearing(admin))).json["token"]
        if one.streams and scope.covers(one.needs):
            continue  # it would not end
        answer = await asks(api, one, **bearing(token))
        assert (answer.status == 403) is not scope.covers(one.needs), answer.text
        if answer.status == 403:
            assert f"needs the scope {one.needs}" in answer.problem(403, "forbidden")
            assert token not in answer.text


def test_who_only_reads_changes_nothing_and_sets_nothing_up() -> None:
    needs = {(one.method, one.url.removeprefix("/api/v1")): one.needs for one in GUARDED}
    assert {scope for (method, _), scope in needs.items() if method != "GET"} == {"write", "admin"}
    for path in ("/integrations", "/tokens", "/integrations/{name}/webhook"):
        assert needs["POST", path] == "admin"
    assert needs["GET", "/tokens"] == "admin"
    assert needs["PATCH", "/incidents/{id}"] == "write"


async def test_a_token_is_shown_once_and_kept_nowhere(house: House) -> None:
    api = house.api
    answer = await api("POST", TOKENS, BODY)
    token = answer.json["token"]
    assert re.fullmatch(r"imt_[\w-]{43}", token)
    assert answer.headers["Cache-Control"] == "no-store"
    listed = await api("GET", TOKENS, **bearing(token))
    assert [one["name"] for one in listed.json["items"]] == ["ci"]
    assert token not in listed.text

    def dump(conn: Connection) -> str:
        return str([tuple(row) for row in conn.execute("SELECT * FROM tokens")])

    assert token not in await house.db.read(dump)


async def test_names_are_taken_until_they_are_revoked(api: Api) -> None:
    mine = bearing(await made(api))
    assert (await api("POST", TOKENS, {"name": "x"}, **mine)).status == 201
    (await api("POST", TOKENS, {"name": "x"}, **mine)).problem(409, "clash")
    gone = (await api("DELETE", f"{TOKENS}/x", **mine)).json
    assert (gone["state"], gone["scope"]) == ("revoked", "write")
    answer = await api("DELETE", f"{TOKENS}/x", **mine)
    answer.problem(404, "not_found")
    assert answer.hint == "there are: ci"
    assert (await api("POST", TOKENS, {"name": "x"}, **mine)).status == 201


async def test_whoever_streams_with_a_token_stops_when_it_is_revoked(house: House) -> None:
    api = house.api
    token = await made(api)
    async with watching(api, **bearing(token)) as stream:
        await api("DELETE", f"{TOKENS}/ci", **bearing(token))
        assert await stream.ended()


async def test_a_stream_ends_with_its_token(house: House) -> None:
    """What happens from then on is not told, nor even that nothing does."""
    token = await made(house.api, expires_in_s=60)
    house.feed.heartbeat = 0.01
    async with watching(house.api, **bearing(token)) as stream:
        assert set(await stream.block()) == {"", "id"}
        house.clock.at += 60_000
        assert await stream.ended()
    (await house.api("GET", EVENTS, **bearing(token))).problem(401, "unauthenticated")


async def test_who_watched_while_no_token_was_needed_has_to_show_one(house: House) -> None:
    async with watching(house.api) as stream:
        token = await made(house.api)
        assert await stream.ended()
    async with watching(house.api, **bearing(token)):
        assert house.feed.count == 1


# What browsers may not do for other sites.


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "[", "[127.0.0.1]"),
        *("127.0.0.1#.evil.example", "127.0.0.1/.evil.example", "localhost?.evil.example"),
        *("evil.example@127.0.0.1", "127.0.0.1 evil.example", "127.0.0.1%00.evil.example"),
        *("localhost:x", "localhost..", "0.0.0.0", "127.1", "2130706433"),
    ],
)
async def test_a_name_of_anothers_that_leads_here_is_refused(api: Api, host: str) -> None:
    (await api("GET", STATUS, Host=host)).problem(421, "wrong_host")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:9", "[::1]:8080", "localhost."]
)
async def test_our_own_names_are_known(api: Api, host: str) -> None:
    assert (await api("GET", STATUS, Host=host)).status == 200


async def test_a_whole_address_as_the_target_is_one_of_ours_too(api: Api) -> None:
    """RFC 9112 §3.2.2: whoever is asked so goes by it."""
    for ours in ("http://localhost", "http://127.0.0.1:9"):
        assert (await api.raw("GET", ours + STATUS, b"")).status == 200
    for other in ("http://evil.example", "http://127.0.0.1@evil.example", "http://evil.example?"):
        assert (await api.raw("GET", other + STATUS, b"")).status in (404, 421)


async def test_two_hosts_are_none(api: Api) -> None:
    answer = await api.raw("GET", STATUS, b"", b"Host: evil.example")
    assert answer.status in (400, 421)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "http://["},
        {"Origin": "://"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
async def test_another_sites_page_may_do_nothing(
    api: Api, method: str, headers: dict[str, Any]
) -> None:
    """Neither with a body nor without: a POST without one is sent by any page unasked."""
    path = INCIDENTS if method == "GET" else "/api/v1/conflicts/cfl_1/ignore"
    (await api(method, path, **headers)).problem(403, "foreign_site")


async def test_our_own_page_may(house: House) -> None:
    api, house.context.public_url = house.api, "https://incidents.example.com"
    for origin in (api.base, "https://incidents.example.com"):
        assert (await api("GET", STATUS, Origin=origin, Sec_Fetch_Site="same-origin")).status == 200
    for other in ("http://incidents.example.com", api.base.replace("http", "https")):
        (await api("GET", STATUS, Origin=other)).problem(403, "foreign_site")


async def test_a_preflight_allows_no_other_site_anything(api: Api) -> None:
    answer = await api("OPTIONS", INCIDENTS, Origin="https://evil.example")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_no_route_asked_for_is_refused_as_well(api: Api, type_: str) -> None:
    answer = await api("POST", "/api/v1/conflicts/cfl_1/ignore", data=b"x=1", Content_Type=type_)
    answer.problem(415, "unsupported_media_type")


async def test_only_the_socket_says_where_a_backup_is_written(api: Api) -> None:
    answer = await api("POST", "/api/v1/backup", {"path": "/var/backups/imsync.db"})
    assert "over the unix socket only" in answer.problem(403, "forbidden")
