"""What is refused, with the name, the value and what would do; tried on /incidents."""

import pytest

from .asking import INCIDENTS, Api, House, declared


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"title": "x", "sev": "SEV-1"}, "'sev' is not a field"),
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
        ({"id": "INC-9"}, "'id' is not a field"),
        ({"version": 9}, "'version' is not a field"),
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
