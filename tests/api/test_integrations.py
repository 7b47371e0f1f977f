"""/integrations: what is configured, that secrets stay ours, and how each is doing."""

from typing import Any

import pytest

from imsync.api.context import CONTEXT
from imsync.core.fields import Field
from imsync.store import events
from tests.town import Town

from .asking import ADA, INTEGRATIONS, Api, House, asks, new

SHAPE = {
    *("id", "slug", "name", "integration_type", "organization_id", "base_url", "sync_direction"),
    *("conflict_strategy", "sync_escalations", "sync_notes", "rate_limit", "backoff_multiplier"),
    *("from_email", "default_service", "enabled", "state", "webhook_url", "has_token"),
    *("has_webhook_secret", "created_at", "updated_at", "import_open"),
}
DESCRIBED = b"""{
"organization_id": "acme-corp",
"integration_type": "pagerduty",
"name": "Production PagerDuty",
"base_url": "https://api.pagerduty.com",
"credentials": {
"token": "your_pagerduty_api_token"
},
"sync_direction": "bidirectional",
"enabled": true
}"""
TOKEN = "u+Zx81kPq0-NEVER-TOLD"


# Configured.


async def test_the_body_of_the_description_works_as_it_is_printed(api: Api) -> None:
    answer = await api("POST", INTEGRATIONS, data=DESCRIBED, Content_Type="application/json")
    assert answer.status == 201, answer.text
    made = answer.json
    assert set(made) == SHAPE
    assert (made["slug"], made["organization_id"], made["enabled"]) == (
        "prod-pd",
        "acme-corp",
        True,
    )
    assert made["base_url"] == "https://api.pagerduty.com"
    assert (made["sync_direction"], made["state"]) == ("bidirectional", "active")
    assert (made["has_token"], made["has_webhook_secret"]) == (True, False)
    assert made["webhook_url"] == f"http://127.0.0.1:1/api/v1/webhooks/{made['id']}"
    assert made["id"].startswith("int_")
    assert "your_pagerduty_api_token" not in answer.text


async def test_credentials_are_never_answered(api: Api) -> None:
    credentials = {"token": TOKEN, "webhook_secret": "whsec-NEVER-TOLD"}
    heard = [await api("POST", INTEGRATIONS, new(credentials=credentials))]
    heard.append(await api("PATCH", f"{INTEGRATIONS}/prod-pd", {"credentials": credentials}))
    places = ("", "/prod-pd", "/prod-pd/sync-status", "/prod-pd/links", "/prod-pd/dead-letters")
    heard += [await api("GET", INTEGRATIONS + path) for path in places]
    heard.append(await api("GET", "/api/v1/status"))
    heard.append(await api("POST", f"{INTEGRATIONS}/prod-pd/test"))
    for answer in heard:
        assert answer.status in (200, 201)
        assert "NEVER-TOLD" not in answer.text
    assert heard[0].json["has_token"] is heard[0].json["has_webhook_secret"] is True


@pytest.mark.parametrize(
    "body",
    [
        {"credentials": {"token": [TOKEN]}},
        {"credentials": {"token": {"is": TOKEN}}},
        {"credentials": {"token": TOKEN + "\n\x00"}},
        {"credentials": {"token": TOKEN + "é"}},
        {"credentials": {"webhook_secret": [TOKEN]}},
        {"credentials": {"webhook_secret": TOKEN + "\x00"}},
        {"credentials": {"tokne": TOKEN}},
        {"credentials": TOKEN},
        {"credentials": [TOKEN]},
        {"token": TOKEN},
        {"credentials": {"token": TOKEN}, "sync_direction": "sideways"},
        {"credentials": {"token": TOKEN}, "rate_limit": 0},
    ],
)
async def test_no_refusal_tells_the_token(api: Api, body: dict[str, Any]) -> None:
    await api.made(INTEGRATIONS, new("Other", slug="other"))
    for method, path, sent in (
        ("POST", INTEGRATIONS, new() | body),
        ("PATCH", f"{INTEGRATIONS}/other", body),
    ):
        answer = await api(method, path, sent)
        answer.problem(400, "invalid_request")
        assert "NEVER-TOLD" not in answer.text
    answer = await api("POST", INTEGRATIONS, data=b'{"credentials": "' + TOKEN.encode())
    answer.problem(400, "invalid_request")
    assert "NEVER-TOLD" not in answer.text


@pytest.mark.parametrize("secret", ["", "  "])
@pytest.mark.parametrize("name", ["token", "webhook_secret"])
async def test_an_empty_secret_is_refused(api: Api, name: str, secret: str) -> None:
    await api.made(INTEGRATIONS, new(credentials={"token": "t", "webhook_secret": "s"}))
    answer = await api("PATCH", f"{INTEGRATIONS}/prod-pd", {"credentials": {name: secret}})
    assert f"credentials.{name}" in answer.problem(400, "invalid_request")


async def test_a_misspelt_credential_is_answered_with_those_there_are(api: Api) -> None:
    answer = await api("POST", INTEGRATIONS, new(credentials={"tokne": "x"}))
    assert "'credentials.tokne'" in answer.problem(400, "invalid_request")
    assert answer.hint == "did you mean token? there are: token, webhook_secret"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Production PagerDuty", "prod-pd"),
        ("Staging PagerDuty", "staging-pd"),
        ("pagerduty development", "pd-dev"),
        ("EU  — Payments/PagerDuty #2", "eu-payments-pd-2"),
        ("x" * 100, "x" * 63),
    ],
)
async def test_a_slug_is_made_of_the_name(api: Api, name: str, slug: str) -> None:
    made = await api.made(INTEGRATIONS, new(name))
    assert (made["slug"], made["name"]) == (slug, name)


async def test_an_integration_is_found_by_id_slug_and_name(api: Api) -> None:
    made = await api.made(INTEGRATIONS, new())
    for name in (made["id"], "prod-pd", "PROD-PD", "Production%20PagerDuty"):
        assert await api.found(f"{INTEGRATIONS}/{name}") == made


async def test_a_name_of_two_lists_both(api: Api) -> None:
    await api.made(INTEGRATIONS, new("PagerDuty", slug="one"))
    await api.made(INTEGRATIONS, new("PagerDuty", slug="two"))
    answer = await api("GET", f"{INTEGRATIONS}/PagerDuty")
    answer.problem(409, "clash")
    assert "one" in answer.text
    assert "two" in answer.text


async def test_a_name_of_none_lists_what_there_is(api: Api) -> None:
    await api.made(INTEGRATIONS, new())
    for method, path in (
        *(("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/sync-status")),
        *(("GET", "/links"), ("GET", "/dead-letters")),
    ):
        body: dict[str, Any] | None = {} if method == "PATCH" else None
        answer = await api(method, f"{INTEGRATIONS}/nowhere{path}", body)
        answer.problem(404, "not_found")
        assert "prod-pd" in answer.hint


async def test_a_taken_slug_is_refused_and_nothing_changes(api: Api) -> None:
    first = await api.made(INTEGRATIONS, new())
    answer = await api("POST", INTEGRATIONS, new())
    assert "'prod-pd'" in answer.problem(409, "clash")
    other = await api.made(INTEGRATIONS, new("Other"))
    answer = await api("PATCH", f"{INTEGRATIONS}/other", {"slug": "prod-pd", "name": "New"})
    assert "'prod-pd'" in answer.problem(409, "clash")
    assert (await api.found(INTEGRATIONS))["items"] == [other, first]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": None}, "name"),
        ({"slug": "Prod PD"}, "'Prod PD'"),
        ({"slug": ""}, "slug"),
        ({"base_url": "ftp://x"}, "'ftp://x'"),
        ({"base_url": "http://api.pagerduty.com"}, "in the clear"),
        ({"base_url": "nonsense"}, "'nonsense'"),
        ({"base_url": "https://[x"}, "is not a web address"),
        (
            {"sync_direction": "both"},
            "sync_direction 'both' is not one of bidirectional, inbound, outbound, none",
        ),
        ({"conflict_strategy": "coin"}, "'coin' is not one of last-write-wins"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"rate_limit": 100_001}, "rate_limit"),
        ({"backoff_multiplier": 0.5}, "backoff_multiplier"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"state": "active"}, "'state' is not a field"),
    ],
)
async def test_a_setting_that_cannot_be_is_refused_by_name_and_value(
    api: Api, body: dict[str, object], says: str
) -> None:
    made = await api.made(INTEGRATIONS, new("Other"))
    answer = await api("PATCH", f"{INTEGRATIONS}/other", body)
    assert says in answer.problem(400, "invalid_request")
    assert await api.found(f"{INTEGRATIONS}/other") == made
    (await api("POST", INTEGRATIONS, {**new(), **body})).problem(400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "x"}, "'integration_type' is missing"),
        ({"integration_type": "pagerduty"}, "'name' is missing"),
        ({"name": "x", "integration_type": "opsgenie"}, "'opsgenie' is not one of pagerduty"),
        ({"name": "§§", "integration_type": "pagerduty"}, "no slug can be made"),
    ],
)
async def test_a_new_integration_needs_a_name_and_a_known_type(
    api: Api, body: dict[str, object], says: str
) -> None:
    assert says in (await api("POST", INTEGRATIONS, body)).problem(400, "invalid_request")


async def test_a_patch_changes_only_what_is_given(api: Api) -> None:
    before = await api.made(
        INTEGRATIONS,
        new(
            organization_id="acme-corp",
            sync_direction="inbound",
            sync_escalations=True,
            sync_notes=False,
            rate_limit=77,
            from_email="a@b.example",
            default_service="P1",
            base_url="http://127.0.0.1:9",
            credentials={"token": "x", "webhook_secret": "y"},
        ),
    )
    for change in (
        {"rate_limit": 100},
        {"backoff_multiplier": 3.5},
        {"conflict_strategy": "manual-review"},
        {"default_service": None},
        {"from_email": ""},
        {"name": "Renamed"},
        {"enabled": False},
    ):
        answer = await api("PATCH", f"{INTEGRATIONS}/prod-pd", change)
        assert answer.status == 200, answer.text
        after = answer.json
        moved = {name for name in SHAPE if before[name] != after[name]} - {"updated_at", "state"}
        assert moved == set(change)
        before = after
    assert after["state"] == "disabled"


@pytest.mark.parametrize("email", ["bogus", "a b@c.example", "@c.example", "a@"])
async def test_who_acts_is_an_address(api: Api, email: str) -> None:
    """Without one that fits a header, each write was refused for want of one."""
    answer = await api("POST", INTEGRATIONS, new(from_email=email))
    assert repr(email) in answer.problem(400, "invalid_request")


# The default service.


async def test_the_default_service_is_one_that_is_there_by_id_or_name(town: Town) -> None:
    """A wrong one was noticed when an incident was to be created: nobody was paged."""
    api, services = asks(town), town.account["services"]
    at = f"{INTEGRATIONS}/prod-pd"
    wrong = await api("PATCH", at, {"default_service": "PNONE", "rate_limit": 7})
    assert "PNONE" in wrong.problem(404, "not_found")
    assert all(one["id"] in wrong.json["hint"] for one in services)
    kept = await api.found(at)
    assert (kept["default_service"], kept["rate_limit"]) == (town.account["default_service"], 900)
    for given in (services[-1]["id"], services[-1]["name"].upper(), f" {services[-1]['id']} "):
        assert (await api("PATCH", at, {"default_service": given})).status == 200
        assert (await api.found(at))["default_service"] == services[-1]["id"]
    dry = await api("PATCH", f"{at}?dry_run=true", {"default_service": "PNONE"})
    dry.problem(404, "not_found")


async def test_a_new_integration_is_asked_of_the_account_that_it_is_for(town: Town) -> None:
    api, described = asks(town), town.account
    terms = new(
        "Second",
        base_url=described["url"],
        credentials={"token": described["token"]},
        enabled=False,
    )
    wrong = await api("POST", INTEGRATIONS, {**terms, "default_service": "PNONE"})
    assert "PNONE" in wrong.problem(404, "not_found")
    assert [one["slug"] for one in (await api.found(INTEGRATIONS))["items"]] == ["prod-pd"]
    made = await api.made(INTEGRATIONS, {**terms, "default_service": "Search"})
    assert made["default_service"] in [one["id"] for one in described["services"]]


async def test_where_nobody_can_be_asked_the_default_service_is_taken_as_it_is(town: Town) -> None:
    api, at = asks(town), f"{INTEGRATIONS}/prod-pd"
    town.sandbox.faults.api_error = 1.0
    assert (await api("PATCH", at, {"default_service": "PLATER"})).status == 200
    town.sandbox.faults.api_error = 0.0
    assert (await api.found(at))["default_service"] == "PLATER"
    wrong_token = {"default_service": "PNONE", "credentials": {"token": "wrong"}}
    assert (await api("PATCH", at, wrong_token)).status == 200, "the token is what is wrong"


async def test_a_deleted_integration_is_gone_and_its_incidents_stay(api: Api) -> None:
    made = await api.made(INTEGRATIONS, new(default_service="P1"))
    await api.made("/api/v1/incidents", {"title": "x"})
    answer = await api("DELETE", f"{INTEGRATIONS}/prod-pd")
    assert (answer.status, answer.text) == (204, "")
    assert (await api.found(INTEGRATIONS))["items"] == []
    assert (await api.found("/api/v1/incidents/INC-1"))["links"] == []
    (await api("DELETE", f"{INTEGRATIONS}/{made['id']}")).problem(404, "not_found")


async def test_the_list_has_pages_as_every_list(api: Api) -> None:
    for name in ("a", "b", "c"):
        await api.made(INTEGRATIONS, new(name))
    pages = await api.pages(INTEGRATIONS, limit=2)
    assert [[one["slug"] for one in page] for page in pages] == [["a", "b"], ["c"]]
    for query in ("limit=0", "cursor=x"):
        (await api("GET", f"{INTEGRATIONS}?{query}")).problem(400, "invalid_request")


# How it is doing.


async def test_one_without_a_token_says_so_as_its_state(api: Api) -> None:
    made = (await api("POST", INTEGRATIONS, new())).json
    assert (made["has_token"], made["state"]) == (False, "no token")
    status = await api.found(f"{INTEGRATIONS}/prod-pd/sync-status")
    assert (status["state"], status["healthy"]) == ("no token", False)


async def test_the_test_of_one_without_a_token_says_what_would_do(api: Api) -> None:
    await api.made(INTEGRATIONS, new())
    answer = await api("POST", f"{INTEGRATIONS}/prod-pd/test")
    assert answer.status == 200
    assert answer.json["healthy"] is False
    (check,) = answer.json["checks"]
    assert set(check) == {"name", "ok", "detail", "hint"}
    assert "--token-file" in check["hint"]


async def test_the_test_of_one_that_cannot_be_reached_says_so(api: Api) -> None:
    await api.made(INTEGRATIONS, new(credentials={"token": TOKEN}))
    answer = await api("POST", f"{INTEGRATIONS}/prod-pd/test")
    assert (answer.status, answer.json["healthy"]) == (200, False)
    assert not all(check["ok"] for check in answer.json["checks"])


async def test_the_test_of_one_that_works_finds_it_healthy(town: Town) -> None:
    answer = await asks(town)("POST", f"{INTEGRATIONS}/prod-pd/test")
    assert answer.status == 200
    found = answer.json
    assert set(found) == {"integration", "healthy", "checks"}
    assert (found["integration"], found["healthy"]) == ("prod-pd", True)
    assert all(check["ok"] for check in found["checks"])


async def test_a_bad_token_is_named_as_what_it_is_and_not_told(town: Town) -> None:
    await town.token(TOKEN)
    answer = await asks(town)("POST", f"{INTEGRATIONS}/prod-pd/test")
    assert (answer.status, answer.json["healthy"]) == (200, False)
    failed = [check for check in answer.json["checks"] if not check["ok"]]
    assert failed
    assert failed[0]["hint"]
    assert "NEVER-TOLD" not in answer.text


async def test_the_sync_status_says_how_it_is_doing(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.sweep()
    found = await asks(town).found(f"{INTEGRATIONS}/prod-pd/sync-status")
    assert {
        *("integration", "state", "healthy", "problems", "sync_direction", "conflict_strategy"),
        *("links", "pending", "oldest_pending_at", "fields", "lag", "last_delivery_at"),
        *("last_sweep_at", "refused_signatures", "conflicts", "blocked", "dead_letters"),
        *("drift_healed", "limit"),
    } <= set(found)
    assert (found["healthy"], found["problems"], found["links"]) == (True, [], 1)
    assert (found["pending"], found["pending_inbound"], found["dead_letters"]) == (0, 0, 0)
    assert found["last_sweep_at"].endswith("Z")
    assert {field["field"] for field in found["fields"]} == {field.value for field in Field}


async def test_a_suspended_integration_is_a_problem_that_says_what_would_do(town: Town) -> None:
    await town.declare()
    await town.settle()
    await town.token(TOKEN)
    await town.edit(title="Ours")
    await town.settle()
    answer = await asks(town)("GET", f"{INTEGRATIONS}/prod-pd/sync-status")
    assert (answer.json["healthy"], answer.json["state"]) == (False, "suspended")
    assert "im integration test prod-pd" in answer.json["problems"][0]
    assert "NEVER-TOLD" not in answer.text


# Declaring where it can and where it cannot.


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"enabled": False, "default_service": "P1"}, "it is disabled"),
        ({"sync_direction": "inbound", "default_service": "P1"}, "its direction is inbound"),
        ({}, "no service"),
    ],
)
async def test_a_named_integration_that_takes_none_says_why(
    house: House, settings: dict[str, Any], says: str
) -> None:
    await house.api.made(INTEGRATIONS, new() | settings)
    body = {"title": "x", "integration": "prod-pd"}
    answer = await house.api("POST", "/api/v1/incidents", body)
    assert says in answer.problem(400, "invalid_request")
    assert "im integration configure prod-pd" in answer.hint
    assert (await house.api.found("/api/v1/incidents"))["items"] == []


async def test_the_webhook_url_is_the_public_one_when_there_is_one(town: Town) -> None:
    for root in (None, "https://incidents.example.com"):
        town.server.app[CONTEXT].public_url = root
        found = await asks(town).found(f"{INTEGRATIONS}/prod-pd")
        address = f"{root or 'http://127.0.0.1:1'}/api/v1/webhooks/int_test"
        assert found["webhook_url"] == address


async def test_a_name_that_is_nearly_one_is_told_which(api: Api) -> None:
    await api.made(INTEGRATIONS, new())
    answer = await api("GET", f"{INTEGRATIONS}/prd-pd")
    answer.problem(404, "not_found")
    assert answer.hint == "did you mean prod-pd? there are: prod-pd"
    answer = await api("GET", f"{INTEGRATIONS}/xyzzy")
    assert answer.hint == "there are: prod-pd"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"rate_limit": 100}),
        ("PUT", "/field-ownership/title", {"owner": "external"}),
        ("PUT", "/maps/urgency", {"out": {"SEV-3": "high"}, "in": {"low": "SEV-4"}}),
        (
            "POST",
            "/service-mappings",
            {"pd_service": "P1", "incident_type": "x", "unchecked": True},
        ),
        ("DELETE", "", None),
    ],
)
async def test_who_configures_is_told_as_they_say_they_are(
    house: House, method: str, path: str, body: object
) -> None:
    await house.api.made(INTEGRATIONS, new())
    answer = await house.api(method, f"{INTEGRATIONS}/prod-pd{path}", body, From=ADA)
    assert answer.status < 300, answer.text
    _, last = await house.db.read(events.span)
    (told,) = (await house.db.read(events.after, last - 1, limit=9)).events
    assert told.data["by"] == ADA


# Where a token goes.

GIVEN = {"credentials": {"token": "u+once-only"}}
ELSEWHERE = "https://evil.example"


async def test_a_token_is_not_led_elsewhere_by_whoever_cannot_read_it(api: Api) -> None:
    """Who may change settings would have it sent to a server of their own, and read it there."""
    made = await api.made(INTEGRATIONS, new("Prod", **GIVEN))
    for url in (
        ELSEWHERE,
        "https://api.pagerduty.com:8443",
        "https://api.pagerduty.com.evil.example",
    ):
        for query in ("", "?dry_run=true"):
            answer = await api("PATCH", f"{INTEGRATIONS}/prod{query}", {"base_url": url})
            assert "not given for there" in answer.problem(409, "clash")
    assert await api.found(f"{INTEGRATIONS}/prod") == made


@pytest.mark.parametrize(
    "body",
    [
        {"base_url": ELSEWHERE, **GIVEN},
        {"base_url": "https://api.pagerduty.com/v2"},
        {"base_url": "http://127.0.0.1:9"},
        {"base_url": "http://localhost:9"},
    ],
    ids=["with the token", "the same server", "this host", "this host by name"],
)
async def test_but_with_it_or_on_this_host_an_integration_is(
    api: Api, body: dict[str, Any]
) -> None:
    await api.made(INTEGRATIONS, new("Prod", **GIVEN))
    answer = await api("PATCH", f"{INTEGRATIONS}/prod", body)
    assert (answer.status, answer.json["base_url"]) == (200, body["base_url"])


async def test_where_there_is_no_token_there_is_none_to_lead_away(api: Api) -> None:
    await api.made(INTEGRATIONS, new("Prod"))
    assert (await api("PATCH", f"{INTEGRATIONS}/prod", {"base_url": ELSEWHERE})).status == 200
