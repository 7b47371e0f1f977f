"""What HTTP asks of every route: HEAD, OPTIONS, 405, 415, 304, pages, and names that are none."""

import re

import pytest

from imsync.api.app import ROUTES
from imsync.api.parameters import Listing
from imsync.store import integrations
from tests.town import Town

from .asking import INCIDENTS, INTEGRATIONS, Api, asks, new, signed


def filled(path: str) -> str:
    """The path with a name that there may be in each place."""
    found = path.replace("{name}", "prod-pd").replace("{field}", "title").replace("{map}", "status")
    return re.sub(r"\{\w+\}", "INC-1" if "incidents" in path else "x_1", found)


ALL = sorted({filled(one.url) for one in ROUTES})
LISTS = [
    filled(one.url) for one in ROUTES if one.asks is not None and issubclass(one.asks, Listing)
]


@pytest.fixture
async def full(api: Api) -> Api:
    """An API with an integration and two of everything that a list may hold."""
    await api.made(INTEGRATIONS, new(default_service="P1"))
    await api.made(INTEGRATIONS, new("Other"))
    for number in (1, 2):
        await api.made(INCIDENTS, {"title": "x"})
        body = {"pd_service": f"P{number}", "incident_type": "y", "unchecked": True}
        await api.made(f"{INTEGRATIONS}/prod-pd/service-mappings", body)
    return api


@pytest.mark.parametrize("path", ALL)
async def test_options_are_answered_everywhere(api: Api, path: str) -> None:
    answer = await api("OPTIONS", path)
    assert (answer.status, answer.text) == (204, "")
    allowed = set(answer.headers["Allow"].split(", "))
    declared = {one.method for one in ROUTES if filled(one.url) == path}
    assert allowed == declared | {"OPTIONS"} | ({"HEAD"} if "GET" in declared else set())


@pytest.mark.parametrize("path", [path for path in ALL if path != "/api/v1/events"])
async def test_head_is_get_without_its_body(full: Api, path: str) -> None:
    head, get = await full("HEAD", path), await full("GET", path)
    assert head.text == ""
    if get.status == 405:
        assert head.status == 405
        return
    assert (head.status, head.headers.get("ETag")) == (get.status, get.headers.get("ETag"))
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if path not in ("/health", "/api/v1/health", "/api/v1/status"):
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


async def test_an_options_of_nothing_is_not_found(api: Api) -> None:
    (await api("OPTIONS", "/api/v1/nothing")).problem(404, "no_such_route")


@pytest.mark.parametrize(
    "type_", ["application/x-www-form-urlencoded", "text/plain", "application/xml", "json"]
)
async def test_a_body_of_another_type_is_refused(api: Api, type_: str) -> None:
    answer = await api("POST", INCIDENTS, data=b'{"title": "x"}', Content_Type=type_)
    detail = answer.problem(415, "unsupported_media_type")
    assert "not application/json" in detail
    assert "Content-Type: application/json" in answer.hint
    assert (await api.found(INCIDENTS))["items"] == []


@pytest.mark.parametrize(
    "type_", ["application/json", "application/json; charset=utf-8", "application/merge-patch+json"]
)
async def test_json_by_any_of_its_names_is_taken(api: Api, type_: str) -> None:
    answer = await api("POST", INCIDENTS, data=b'{"title": "x"}', Content_Type=type_)
    assert answer.status == 201


async def test_a_body_that_does_not_say_what_it_is_is_refused(api: Api) -> None:
    """Another site's form can send one without asking first."""
    answer = await api.raw("POST", INCIDENTS, b'{"title": "x"}')
    assert "does not say" in answer.problem(415, "unsupported_media_type")
    assert (await api.found(INCIDENTS))["items"] == []


async def test_what_has_no_body_need_not_say_what_it_is(api: Api) -> None:
    await api.made(INTEGRATIONS, new())
    assert (await api.raw("DELETE", f"{INTEGRATIONS}/prod-pd", b"")).status == 204


# Queries.


@pytest.mark.parametrize(
    ("method", "path"),
    sorted({(one.method, filled(one.url)) for one in ROUTES if one.asks is not None}),
)
async def test_a_query_parameter_that_is_none_is_refused_by_name(
    api: Api, method: str, path: str
) -> None:
    body: object = {} if method in ("POST", "PUT", "PATCH") else None
    answer = await api(method, f"{path}?limt=5", body)
    assert "'limt' is not a query parameter" in answer.problem(400, "invalid_request")
    assert answer.hint.startswith(("there are: ", "there are none"))


async def test_those_there_are_are_listed(api: Api) -> None:
    answer = await api("GET", f"{INCIDENTS}?state=open")
    assert answer.hint == (
        "there are: limit, cursor, status, severity, integration, organization_id"
    )


async def test_what_takes_one_value_takes_no_two(api: Api) -> None:
    answer = await api("GET", f"{INCIDENTS}?limit=1&limit=2")
    assert answer.problem(400, "invalid_request") == "limit is given 2 times"


async def test_a_delivery_is_never_refused_for_its_address(town: Town) -> None:
    """A 4xx would lose it for good: a proxy may have put whatever it likes there."""
    (secret,) = await town.db.read(integrations.secrets, "int_test")
    body = b'{"event": {"id": "1", "event_type": "pagey.ping"}}'
    path = "/api/v1/webhooks/int_test?tenant=acme&limit=x"
    for type_ in ("application/json", "text/plain"):
        answer = await asks(town)(
            "POST", path, data=body, Content_Type=type_, X_PagerDuty_Signature=signed(body, secret)
        )
        assert answer.status == 202


@pytest.mark.parametrize("path", LISTS)
async def test_every_list_has_pages(full: Api, path: str) -> None:
    whole = await full.found(f"{path}?limit=500")
    assert whole["next_cursor"] is None
    pages = await full.pages(path, limit=1)
    assert [one for page in pages for one in page] == whole["items"]
    assert all(len(page) <= 1 for page in pages)
    assert len(pages) == max(1, len(whole["items"])), "no empty page at the end"
    for query in ("limit=0", "limit=501", "cursor=x", "cursor=-1"):
        answer = await full("GET", f"{path}?{query}")
        assert query.partition("=")[0] in answer.problem(400, "invalid_request")


def test_the_lists_are_those_that_are_documented_as_such() -> None:
    pages = {filled(one.url) for one in ROUTES if "Page[" in str(one.answers.get(200))}
    assert set(LISTS) == pages


# Versions.


async def test_what_was_seen_is_not_sent_again(full: Api) -> None:
    first = await full("GET", f"{INCIDENTS}/INC-1")
    tag = first.headers["ETag"]
    for seen in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = await full("GET", f"{INCIDENTS}/INC-1", If_None_Match=seen)
        assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
    for other in ('"x"', "x", '""'):
        assert (await full("GET", f"{INCIDENTS}/INC-1", If_None_Match=other)).status == 200
    await full("PATCH", f"{INCIDENTS}/INC-1", {"title": "y"})
    assert (await full("GET", f"{INCIDENTS}/INC-1", If_None_Match=tag)).status == 200


async def test_a_link_that_comes_about_is_seen_and_clashes_with_no_edit(town: Town) -> None:
    api = asks(town)
    await town.declare()
    before = (await api("GET", f"{INCIDENTS}/INC-1")).headers["ETag"]
    creating = await api.found(f"{INCIDENTS}/INC-1")
    assert await town.crew.outbound.step()
    after = await api("GET", f"{INCIDENTS}/INC-1", If_None_Match=before)
    assert after.status == 200
    assert after.json["links"] != creating["links"]
    version = after.headers["ETag"].partition("-")[0] + '"'
    assert (
        await api("PATCH", f"{INCIDENTS}/INC-1", {"title": "y"}, If_Match=version)
    ).status == 200
