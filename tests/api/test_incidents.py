"""/incidents: what they look like, what is refused, and that nothing happens twice."""

import asyncio

import pytest

from .asking import Api, House

SHAPE = {
    *("id", "title", "description", "severity", "status", "assigned_to", "escalation_policy"),
    *("incident_type", "organization_id", "created_at", "updated_at", "version", "links"),
}
JSON = b"Content-Type: application/json"
ENTRY = {"id", "at", "kind", "by", "text", "field", "old", "new", "integration"}
INCIDENTS = "/api/v1/incidents"


async def declared(api: Api, title: str = "Checkout down", **more: object) -> str:
    return str((await api.made(INCIDENTS, {"title": title, **more}))["id"])


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
    assert "is no e-mail address" in answer.problem(400, "invalid_request")
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


# What is refused.


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"title": "x", "sev": "SEV-1"}, "'sev' is none of the fields"),
        ({}, "'title' is missing"),
        ({"title": None}, "title"),
        ({"title": "  "}, "an incident needs a title"),
        ({"title": 5}, "title"),
        ({"title": "x" * 8_193}, "title"),
        ({"title": "x", "severity": "SEV-9"}, "'SEV-9' is not one of SEV-1, SEV-2, SEV-3, SEV-4"),
        ({"title": "x", "severity": None}, "None is not one of SEV-1, SEV-2, SEV-3, SEV-4"),
        (
            {"title": "x", "status": "acknowledged"},
            "status 'acknowledged' is not one of open, mitigated, resolved, closed",
        ),
        ({"title": "x", "integration": "nowhere"}, "nowhere"),
    ],
)
async def test_a_declaration_that_makes_no_sense_declares_nothing(
    api: Api, body: dict[str, object], says: str
) -> None:
    answer = await api("POST", INCIDENTS, body)
    code = "not_found" if "integration" in body else "invalid_request"
    assert says in answer.problem(404 if code == "not_found" else 400, code)
    assert (await api.found(INCIDENTS))["items"] == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"title": None}, "an incident needs a title"),
        ({"title": ""}, "an incident needs a title"),
        ({"severity": None}, "is not one of SEV-1, SEV-2, SEV-3, SEV-4"),
        ({"status": None}, "is not one of open, mitigated, resolved, closed"),
        ({"status": "gone"}, "status 'gone' is not one of open, mitigated, resolved, closed"),
        ({"id": "INC-9"}, "'id' is none of the fields"),
        ({"version": 9}, "'version' is none of the fields"),
        ({"title": "fine", "status": "gone"}, "'gone'"),
    ],
)
async def test_an_edit_that_makes_no_sense_changes_nothing(
    api: Api, body: dict[str, object], says: str
) -> None:
    await declared(api)
    before = await api.found(f"{INCIDENTS}/INC-1")
    answer = await api("PATCH", f"{INCIDENTS}/INC-1", body)
    assert says in answer.problem(400, "invalid_request")
    assert await api.found(f"{INCIDENTS}/INC-1") == before


async def test_an_unknown_field_is_answered_with_those_there_are(api: Api) -> None:
    answer = await api("POST", INCIDENTS, {"titel": "x"})
    answer.problem(400, "invalid_request")
    assert "title" in answer.hint


async def test_an_edit_sets_only_what_is_given(api: Api) -> None:
    said = {"title": "x", "description": "d", "assigned_to": "a@b.example", "severity": "SEV-1"}
    before = await api.made(INCIDENTS, said)
    after = (await api("PATCH", f"{INCIDENTS}/INC-1", {"status": "mitigated"})).json
    moved = {name for name in before if before[name] != after[name]}
    assert moved == {"status", "version", "updated_at"}


async def test_null_empties_what_may_be_empty(api: Api) -> None:
    names = ("description", "assigned_to", "escalation_policy")
    await api.made(INCIDENTS, {"title": "x"} | dict.fromkeys(names, "a@b.example"))
    after = (await api("PATCH", f"{INCIDENTS}/INC-1", dict.fromkeys(names))).json
    assert [after[name] for name in names] == [None, None, None]


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_a_note_without_text_is_refused(api: Api, text: str) -> None:
    await declared(api)
    answer = await api("POST", f"{INCIDENTS}/INC-1/notes", {"text": text})
    assert "a note needs some text" in answer.problem(400, "invalid_request")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b'{"title": "x"', "not JSON"),
        (b'{"title": "\xff"}', "not JSON"),
        (b'{"title": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"title": NaN}', "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"title"', "not a JSON object"),
        (b"null", "not a JSON object"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_a_body_that_is_no_object_is_refused(api: Api, data: bytes, says: str) -> None:
    await declared(api)
    for method, path in (("POST", INCIDENTS), ("PATCH", f"{INCIDENTS}/INC-1")):
        answer = await api(method, path, data=data)
        assert says in answer.problem(400, "invalid_request")


@pytest.mark.parametrize(
    "id_", ["INC-2", "INC-0", "INC-", "INC--1", "1", "INC-1x", "INC-" + "9" * 400, "%FF", "%00"]
)
async def test_an_incident_that_is_not_there_is_not_found(api: Api, id_: str) -> None:
    await declared(api)
    for method, path, body in (
        ("GET", id_, None),
        ("PATCH", id_, {"title": "x"}),
        ("GET", f"{id_}/timeline", None),
        ("POST", f"{id_}/notes", {"text": "x"}),
    ):
        (await api(method, f"{INCIDENTS}/{path}", body)).problem(404, "not_found")


@pytest.mark.parametrize("path", [INCIDENTS, f"{INCIDENTS}/INC-1/timeline"])
@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=x", "limit=-1", "limit=", "limit=1.5", "limit=%D9%A3"),
        *("limit=" + "9" * 5_000, "cursor=x", "cursor=", "cursor=-1", "cursor=" + "9" * 16),
    ],
    ids=lambda query: query[:20],
)
async def test_a_page_that_there_cannot_be_is_refused(api: Api, path: str, query: str) -> None:
    await declared(api)
    answer = await api("GET", f"{path}?{query}")
    assert query.partition("=")[0] in answer.problem(400, "invalid_request")


@pytest.mark.parametrize("query", ["status=gone", "severity=SEV-9", "status=open,gone", "status="])
async def test_a_filter_for_what_there_cannot_be_is_refused(api: Api, query: str) -> None:
    answer = await api("GET", f"{INCIDENTS}?{query}")
    assert "is not one of" in answer.problem(400, "invalid_request")


@pytest.mark.parametrize(
    "path", ["/", "/api/v1", "/api/v1/nothing", "/api/v2/incidents", "/api/v1/incidents/INC-1/x"]
)
async def test_an_unknown_route_says_so(api: Api, path: str) -> None:
    answer = await api("GET", path)
    assert path in answer.problem(404, "no_such_route")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", INCIDENTS, {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PUT", f"{INCIDENTS}/INC-1", {"GET", "HEAD", "OPTIONS", "PATCH"}),
        ("GET", "/api/v1/webhooks/int_1", {"OPTIONS", "POST"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api(method, path)
    answer.problem(405, "method_not_allowed")
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == allowed


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    answer = await api("POST", INCIDENTS, {"title": "x" * 300_000})
    answer.problem(413, "too_large")


async def test_when_the_database_cannot_keep_it_nothing_is_promised(house: House) -> None:
    def full(conn: object) -> None:
        conn.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]

    await house.db.run(full)
    body = {"title": "x", "description": "y" * 60_000}
    answer = await house.api("POST", INCIDENTS, body, Idempotency_Key="a")
    answer.problem(503, "database_failed")
    assert int(answer.headers["Retry-After"]) > 0

    await house.db.run(lambda conn: conn.execute("PRAGMA max_page_count = 100000").fetchone())
    assert (await house.api.found(INCIDENTS))["items"] == []
    assert (await house.api("POST", INCIDENTS, body, Idempotency_Key="a")).status == 201


async def test_the_daemon_says_that_it_is_healthy(api: Api) -> None:
    for path in ("/health", "/api/v1/health"):
        found = await api.found(path)
        assert set(found) == {"status", "timestamp"}
        assert found["status"] == "healthy"


async def test_the_status_counts_what_there_is(api: Api) -> None:
    await api.made(
        "/api/v1/integrations",
        {"name": "PagerDuty", "integration_type": "pagerduty", "default_service": "PSERVICE"},
    )
    await declared(api)
    found = await api.found("/api/v1/status")
    assert {
        *("version", "pid", "uptime_s", "listen", "socket", "database", "schema"),
        *("integrations", "pending", "dead_letters", "conflicts"),
    } <= set(found)
    assert (found["pending"], found["dead_letters"], found["conflicts"]) == (1, 0, 0)
    assert "sandbox" not in found


@pytest.mark.parametrize("said", ["1", "INC1", "inc_1", "%231", "inc%201"])
async def test_an_id_that_is_nearly_one_is_told_which(api: Api, said: str) -> None:
    answer = await api("GET", f"{INCIDENTS}/{said}")
    answer.problem(404, "not_found")
    assert "did you mean INC-1?" in answer.hint


async def test_an_incident_there_is_none_of_is_told_how_many_there_are(api: Api) -> None:
    answer = await api("GET", f"{INCIDENTS}/INC-7")
    answer.problem(404, "not_found")
    assert answer.hint.startswith("there are none yet")
    await api.made(INCIDENTS, {"title": "T"})
    answer = await api("GET", f"{INCIDENTS}/INC-7")
    assert answer.hint.startswith("the newest is INC-1")
