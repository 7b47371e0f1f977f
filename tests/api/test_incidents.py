"""/incidents: what they look like, who edits which version, and that nothing happens twice."""

import asyncio

import pytest

from .asking import INCIDENTS, Api, House, declared

SHAPE = {
    *("id", "title", "description", "severity", "status", "assigned_to", "escalation_policy"),
    *("incident_type", "organization_id", "created_at", "updated_at", "version", "links"),
}
JSON = b"Content-Type: application/json"
ENTRY = {"id", "at", "kind", "by", "text", "field", "old", "new", "integration"}


# What they look like.


async def test_an_incident_has_every_field_and_no_other(api: Api) -> None:
    made = await api.made(INCIDENTS, {"title": "Checkout down"})
    assert set(made) == SHAPE
    assert made["id"] == "INC-1"
    assert (made["severity"], made["status"], made["version"]) == ("SEV-3", "open", 1)
    assert made["links"] == []
    assert made["created_at"] == made["updated_at"]
    assert made["created_at"].startswith("2027-01-15T08:00:00.")
    assert made["created_at"].endswith("Z")
    assert await api.found(f"{INCIDENTS}/INC-1") == made


async def test_what_is_declared_is_what_was_said(api: Api) -> None:
    said = {
        "title": "Kasse brennt 🔥",
        "description": "Erste Zeile\nZweite Zeile",
        "severity": "SEV-1",
        "status": "mitigated",
        "assigned_to": "alice@acme.example",
        "escalation_policy": "Platform",
        "incident_type": "infrastructure",
        "organization_id": "acme-corp",
    }
    made = await api.made(INCIDENTS, said)
    assert {name: made[name] for name in said} == said


async def test_an_incident_is_found_by_its_id_in_any_case(api: Api) -> None:
    await declared(api)
    assert (await api.found(f"{INCIDENTS}/inc-1"))["id"] == "INC-1"


async def test_a_link_says_where_the_incident_stands(house: House) -> None:
    await house.api.made(
        "/api/v1/integrations",
        {
            "name": "Production PagerDuty",
            "integration_type": "pagerduty",
            "base_url": "https://pagerduty.example",
            "default_service": "PSERVICE",
        },
    )
    made = await house.api.made(INCIDENTS, {"title": "x"})
    assert made["links"] == [
        {"integration": "prod-pd", "external_id": None, "external_url": None, "state": "creating"}
    ]


async def test_the_timeline_tells_the_story_in_order(api: Api) -> None:
    await declared(api)
    await api("PATCH", f"{INCIDENTS}/INC-1", {"status": "mitigated"}, From="bob@acme.example")
    await api.made(f"{INCIDENTS}/INC-1/notes", {"text": "Rolled back"}, From="bob@acme.example")

    page = await api.found(f"{INCIDENTS}/INC-1/timeline")
    assert page["next_cursor"] is None
    assert all(set(entry) == ENTRY for entry in page["items"])
    assert [entry["kind"] for entry in page["items"]] == ["declared", "changed", "note"]
    _, changed, note = page["items"]
    told = (changed["field"], changed["old"], changed["new"], changed["by"])
    assert told == ("status", "open", "mitigated", "bob@acme.example")
    assert (note["text"], note["by"], note["integration"]) == (
        "Rolled back",
        "bob@acme.example",
        None,
    )


async def test_a_note_is_answered_as_it_stands_in_the_timeline(api: Api) -> None:
    await declared(api)
    note = await api.made(f"{INCIDENTS}/INC-1/notes", {"text": "Rolled back"})
    assert note == (await api.found(f"{INCIDENTS}/INC-1/timeline"))["items"][-1]


# Who, and which version.


async def test_the_from_header_says_who_it_was(api: Api) -> None:
    await api.made(INCIDENTS, {"title": "x"}, From="alice@acme.example")
    (entry,) = (await api.found(f"{INCIDENTS}/INC-1/timeline"))["items"]
    assert entry["by"] == "alice@acme.example"


@pytest.mark.parametrize("who", ["alice", "", "@" * 300, "a@b\N{ZERO WIDTH SPACE}"])
async def test_a_from_header_that_is_no_e_mail_is_refused(api: Api, who: str) -> None:
    answer = await api("POST", INCIDENTS, {"title": "x"}, From=who)
    assert "is not an e-mail address" in answer.problem(400, "invalid_request")
    assert (await api.found(INCIDENTS))["items"] == []


async def test_the_etag_moves_with_every_change_and_with_nothing_else(api: Api) -> None:
    await declared(api)
    path = f"{INCIDENTS}/INC-1"
    first = (await api("GET", path)).headers["ETag"]
    assert (await api("PATCH", path, {"title": "Checkout down"})).headers["ETag"] == first
    second = (await api("PATCH", path, {"title": "Other"})).headers["ETag"]
    assert second != first
    assert (await api("GET", path)).headers["ETag"] == second


async def test_an_edit_to_what_somebody_else_has_changed_is_refused(api: Api) -> None:
    await declared(api)
    path = f"{INCIDENTS}/INC-1"
    seen = (await api("GET", path)).headers["ETag"]
    await api("PATCH", path, {"title": "Theirs"})

    answer = await api("PATCH", path, {"title": "Ours"}, If_Match=seen)
    assert "INC-1 is at version 2, not 1" in answer.problem(412, "stale")
    assert (await api.found(path))["title"] == "Theirs"

    now = (await api("GET", path)).headers["ETag"]
    assert (await api("PATCH", path, {"title": "Ours"}, If_Match=now)).status == 200
    assert (await api("PATCH", path, {"title": "Any"}, If_Match="*")).status == 200


@pytest.mark.parametrize("tag", ['"x"', "", '"-1"', '"1e3"', '"٣"', '"1", "2"'])
async def test_an_etag_that_is_none_of_ours_is_refused(api: Api, tag: str) -> None:
    await declared(api)
    answer = await api("PATCH", f"{INCIDENTS}/INC-1", {"title": "y"}, If_Match=tag)
    assert "is no ETag of ours" in answer.problem(400, "invalid_request")


# Once.


async def test_the_same_declaration_with_the_same_key_makes_one_incident(api: Api) -> None:
    body = {"title": "Checkout down"}
    first = await api("POST", INCIDENTS, body, Idempotency_Key="a")
    again = await api("POST", INCIDENTS, body, Idempotency_Key="a")
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert await declared(api) == "INC-2", "without a key, it is another"
    assert (await api("POST", INCIDENTS, body, Idempotency_Key="b")).json["id"] == "INC-3"


async def test_the_same_key_at_the_same_time_makes_one_incident(api: Api) -> None:
    answers = await asyncio.gather(
        *(api("POST", INCIDENTS, {"title": "x"}, Idempotency_Key="a") for _ in range(8))
    )
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert {answer.json["id"] for answer in answers} == {"INC-1"}


async def test_the_same_key_for_something_else_is_refused(api: Api) -> None:
    await api("POST", INCIDENTS, {"title": "x"}, Idempotency_Key="a")
    answer = await api("POST", INCIDENTS, {"title": "y"}, Idempotency_Key="a")
    assert "was used for another incident" in answer.problem(409, "clash")
    assert len((await api.found(INCIDENTS))["items"]) == 1


async def test_a_key_of_a_refused_declaration_is_free(api: Api) -> None:
    assert (await api("POST", INCIDENTS, {"title": " "}, Idempotency_Key="a")).status == 400
    assert (await api("POST", INCIDENTS, {"title": "x"}, Idempotency_Key="a")).status == 201


@pytest.mark.parametrize("key", [b"", b"k" * 256, b"\xff"])
async def test_a_key_that_cannot_be_kept_is_refused(api: Api, key: bytes) -> None:
    answer = await api.raw("POST", INCIDENTS, b'{"title": "x"}', b"Idempotency-Key: " + key, JSON)
    assert "Idempotency-Key" in answer.problem(400, "invalid_request")


@pytest.mark.parametrize("header", [b"From: \xff@x", b"If-Match: \xff", b'If-Match: "\xff"'])
async def test_a_header_that_is_no_text_is_refused(api: Api, header: bytes) -> None:
    await declared(api)
    answer = await api.raw("PATCH", f"{INCIDENTS}/INC-1", b'{"title": "y"}', header, JSON)
    answer.problem(400, "invalid_request")


# Lists.


async def test_the_newest_come_first_and_the_cursors_lead_through_all(api: Api) -> None:
    for number in range(7):
        await declared(api, f"title {number}")
    pages = await api.pages(INCIDENTS, limit=3)
    assert [[one["id"] for one in page] for page in pages] == [
        ["INC-7", "INC-6", "INC-5"],
        ["INC-4", "INC-3", "INC-2"],
        ["INC-1"],
    ]
    assert all(set(one) == SHAPE for page in pages for one in page)
    assert len(await api.pages(INCIDENTS, limit=7)) == 1, "no empty page at the end"


async def test_an_incident_that_appears_meanwhile_moves_no_page(api: Api) -> None:
    for _ in range(4):
        await declared(api)
    first = await api.found(f"{INCIDENTS}?limit=2")
    await declared(api)
    second = await api.found(f"{INCIDENTS}?limit=2&cursor={first['next_cursor']}")
    assert [one["id"] for one in second["items"]] == ["INC-2", "INC-1"]


async def test_the_timelines_cursors_lead_through_all_of_it(api: Api) -> None:
    await declared(api)
    for number in range(4):
        await api.made(f"{INCIDENTS}/INC-1/notes", {"text": str(number)})
    pages = await api.pages(f"{INCIDENTS}/INC-1/timeline", limit=2)
    told = [[entry["text"] for entry in page] for page in pages]
    assert told == [["Checkout down", "0"], ["1", "2"], ["3"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=open", ["INC-4", "INC-2", "INC-1"]),
        ("status=resolved", ["INC-3"]),
        ("status=open,resolved", ["INC-4", "INC-3", "INC-2", "INC-1"]),
        ("status=open&status=resolved", ["INC-4", "INC-3", "INC-2", "INC-1"]),
        ("severity=SEV-1", ["INC-3", "INC-2"]),
        ("severity=SEV-1&status=open", ["INC-2"]),
        ("organization_id=acme-corp", ["INC-4"]),
        ("organization_id=nobody", []),
        ("status=closed", []),
    ],
)
async def test_filters_let_through_what_they_name(api: Api, query: str, found: list[str]) -> None:
    await declared(api)
    await declared(api, severity="SEV-1")
    await declared(api, severity="SEV-1", status="resolved")
    await declared(api, organization_id="acme-corp")
    page = await api.found(f"{INCIDENTS}?{query}")
    assert [one["id"] for one in page["items"]] == found


async def test_the_integration_filter_shows_what_is_linked_there(api: Api) -> None:
    await declared(api)
    integration = {
        "name": "Production PagerDuty",
        "integration_type": "pagerduty",
        "default_service": "PSERVICE",
    }
    await api.made("/api/v1/integrations", integration)
    await declared(api)
    page = await api.found(f"{INCIDENTS}?integration=prod-pd")
    assert [one["id"] for one in page["items"]] == ["INC-2"]
    answer = await api("GET", f"{INCIDENTS}?integration=nowhere")
    assert "nowhere" in answer.problem(404, "not_found")
