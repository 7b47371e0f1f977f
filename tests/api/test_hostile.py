"""Bodies, addresses and headers of any kind: taken or refused, in bounded words, and no bug."""

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imsync.api.app import ROUTES
from imsync.api.route import Route
from tests.api.test_manners import filled

from .asking import Answer, Api

TAKING = [one for one in ROUTES if one.takes]
LONG = "x" * 200_000


def deep(depth: int) -> str:
    return "[" * depth + "]" * depth


def names(one: Route) -> list[str]:
    assert one.takes is not None
    return list(one.takes.model_fields)


def calm(answer: Answer) -> None:
    """Refused as it should be, or taken; and never in more words than anybody reads."""
    assert answer.status < 500, answer.text
    if answer.headers.get("Content-Type") == "application/problem+json":
        assert len(answer.json["detail"]) < 1_000
        assert len(answer.json["hint"]) < 2_000


VALUES = {
    "as deep as can be read": deep(1_000),
    "deeper": deep(100_000),
    "objects as deep": '{"a":' * 1_000 + "1" + "}" * 1_000,
    "long": json.dumps(LONG),
    "a long list": json.dumps(["x"] * 60_000),
    "a long name": json.dumps({LONG: "x"}),
    "a number of many digits": "9" * 100_000,
    "no number": "1e999",
    "NUL": '"a\\u0000b"',
    "half a surrogate": '"\\ud800"',
    "a terminal's": '"\\u001b]0;x\\u0007\\u202e"',
    "a header's": '"a\\r\\nX: y"',
}


@pytest.mark.parametrize("value", VALUES.values(), ids=list(VALUES))
async def test_a_field_of_any_kind_is_taken_or_refused_in_few_words(api: Api, value: str) -> None:
    """In every field that a route takes, and in one that it does not."""
    for one in TAKING:
        for name in [*names(one), "nonsense", LONG]:
            body = f"{{{json.dumps(name)}: {value}}}".encode()
            if len(body) < 262_144:
                calm(await api(one.method, filled(one.url), data=body))


@pytest.mark.parametrize("body", [b"[" * 250_000, b'{"a":' * 50_000, b"\xff\xfe", b"1" * 250_000])
async def test_a_body_of_any_kind_is_refused(api: Api, body: bytes) -> None:
    for one in TAKING:
        (await api(one.method, filled(one.url), data=body)).problem(400, "invalid_request")


async def test_a_body_is_not_nested_deeper_than_anything_here(api: Api) -> None:
    for levels, said in ((9, "nested deeper than 8 levels"), (8, "title: ")):
        body = b'{"title":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
        answer = await api("POST", "/api/v1/incidents", data=body)
        assert said in answer.problem(400, "invalid_request")


# What nobody thinks of: EXAMPLES=10000 tries very much of it.

anything = settings(
    max_examples=settings().max_examples // 4,  # each is a request
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ASKING = sorted({name for one in ROUTES if one.asks for name in one.asks.model_fields})
WORDS = st.text(max_size=30) | st.from_regex(r"[-+0-9_.e]{1,20}", fullmatch=True)
HEADERS = (
    *("From", "If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID", "Authorization"),
    *(
        "Expect",
        "Host",
        "Origin",
        "Content-Type",
        "X-PagerDuty-Signature",
        "X-Webhook-Id",
        "Accept",
    ),
)
BEGUN = st.sampled_from([b"", b"", b"Bearer ", b"http://", b"http://[", b"v1=", b'W/"'])
VALUE = (
    st.tuples(BEGUN, st.binary(max_size=40))
    .map(b"".join)
    .filter(lambda value: not {*value} & {*b"\r\n\0"})
)


@anything
@given(
    one=st.sampled_from([one for one in ROUTES if one.method == "GET" and not one.streams]),
    query=st.lists(st.tuples(st.sampled_from(ASKING) | WORDS, WORDS), max_size=4),
)
async def test_a_query_of_any_kind_is_taken_or_refused(
    api: Api, one: Route, query: list[tuple[str, str]]
) -> None:
    said = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query)
    calm(await api("GET", f"{filled(one.url)}?{said}"))


@anything
@given(one=st.sampled_from(ROUTES), name=WORDS)
async def test_a_name_of_any_kind_is_found_or_not(api: Api, one: Route, name: str) -> None:
    path = one.url
    for known in one.names:
        path = path.replace(f"{{{known}}}", _quoted(name) or "x")
    if not one.streams:
        calm(await api(one.method, path, {} if one.takes or one.raw else None))


@anything
@given(
    one=st.sampled_from([one for one in ROUTES if not one.streams]),
    headers=st.dictionaries(st.sampled_from(HEADERS), VALUE, max_size=4),
)
async def test_headers_of_any_kind_are_heeded_or_refused(
    api: Api, one: Route, headers: dict[str, bytes]
) -> None:
    lines = [name.encode() + b": " + value for name, value in headers.items()]
    answer = await api.raw(one.method, filled(one.url), b"{}", *lines)
    assert answer.status < 500, answer.text


@anything
@given(
    st.lists(st.sampled_from(["v1=", "v2=", "v1", "", "v1=" + "0" * 64]) | WORDS).map(",".join),
    st.binary(max_size=200),
)
async def test_a_signature_of_any_kind_opens_no_door(api: Api, header: str, body: bytes) -> None:
    line = b"X-PagerDuty-Signature: " + header.encode(errors="replace").translate(None, b"\r\n\0")
    answer = await api.raw("POST", "/api/v1/webhooks/int_x", body, line)
    assert answer.status in (400, 401, 429), answer.text


def _quoted(text: str) -> str:
    return quote(text.encode(errors="replace"), safe="")
