"""How often one may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imsync.sandbox.limits import Limits, Rates
from tests.sandbox.conftest import Api, Clock, Make


async def test_every_answer_tells_the_limit(api: Api) -> None:
    for method, path, status in (
        ("GET", "/incidents", 200),
        ("GET", "/incidents/QNONE", 404),
        ("POST", "/incidents", 400),
    ):
        answer = await api.call(method, path)
        assert answer.status == status
        assert int(answer.headers["ratelimit-limit"]) in (960, 240)
        assert 0 <= int(answer.headers["ratelimit-reset"]) <= 60
        assert int(answer.headers["ratelimit-remaining"]) < 960


async def test_over_the_limit_is_told_how_long_to_wait(make: Make, clock: Clock) -> None:
    api = await make(rate_limit=3)
    for left in (2, 1, 0):
        answer = await api.call("GET", "/users")
        assert answer.headers["ratelimit-remaining"] == str(left)
        clock.pass_(seconds=10)
    refused = await api.call("GET", "/users")
    assert (refused.status, refused.code) == (429, 2020)
    assert refused.headers["ratelimit-reset"] == "30"
    assert refused.headers["ratelimit-remaining"] == "0"
    others = await api.call(
        "GET", "/users", Authorization=f"Token token={api.sandbox.read_only_token}"
    )
    assert others.status == 200, "the limit is each token's own"
    clock.pass_(seconds=30)
    assert (await api.call("GET", "/users")).status == 200
    assert (await api.call("GET", "/users")).status == 429
    assert api.sandbox.requests == 7
    assert (await api.call("GET", "/_sandbox")).status == 200
    assert api.sandbox.requests == 7


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [("PUT", "/incidents", 500), ("POST", "/incidents", 240), ("GET", "/oncalls", 480)],
)
def test_some_operations_have_a_lower_limit_of_their_own(
    method: str, path: str, limit: int
) -> None:
    limits = Limits(Rates())
    for _ in range(limit):
        assert limits.take("t", method, path, 0)[0]
    allowed, headers = limits.take("t", method, path, 0)
    assert not allowed
    assert headers["ratelimit-limit"] == str(limit)
    allowed, headers = limits.take("t", "GET", "/incidents", 0)
    assert allowed
    assert headers["ratelimit-remaining"] == str(960 - limit - 1)
    assert limits.take("t", method, path, 60_000)[0]


@given(
    limit=st.integers(1, 6),
    gaps=st.lists(st.sampled_from([0, 1, 999, 20_000, 60_000]), max_size=40),
)
def test_no_minute_has_more_than_its_share(limit: int, gaps: list[int]) -> None:
    limits, now, allowed = Limits(Rates.of(limit)), 0, list[int]()
    for gap in gaps:
        now += gap
        fine, headers = limits.take("t", "GET", "/users", now)
        if fine:
            allowed.append(now)
        else:
            wait = int(headers["ratelimit-reset"]) * 1000
            assert 0 < wait <= 60_000
            assert allowed[-limit] + 60_000 <= now + wait < allowed[-limit] + 61_000
    for first in allowed:
        assert sum(first <= at < first + 60_000 for at in allowed) <= limit


async def test_limits_are_set_over_http_and_told_at_once(api: Api, clock: Clock) -> None:
    usual = await api.get("/_sandbox/limits")
    assert usual == {
        "everything": 960,
        "put_incidents": 500,
        "post_incidents": 240,
        "get_oncalls": 480,
    }
    await api.create()
    answer = await api.call("PUT", "/_sandbox/limits", {"post_incidents": 2}, Authorization=None)
    assert answer.body == {**usual, "post_incidents": 2}
    answer = await api.call("POST", "/incidents", api.draft())
    assert answer.headers["ratelimit-limit"] == "2"
    assert answer.headers["ratelimit-remaining"] == "0"
    refused = await api.call("POST", "/incidents", api.draft())
    assert (refused.status, refused.headers["ratelimit-reset"]) == (429, "60")
    assert (await api.call("GET", "/users")).headers["ratelimit-limit"] == "960"
    await api.call("PUT", "/_sandbox/limits", {"post_incidents": 1})
    clock.pass_(seconds=59)
    refused = await api.call("POST", "/incidents", api.draft())
    assert (refused.status, refused.headers["ratelimit-reset"]) == (429, "1")
    clock.pass_(seconds=1)
    assert (await api.call("POST", "/incidents", api.draft())).status == 201


async def test_the_headers_tell_of_the_limit_that_is_closest(make: Make) -> None:
    api = await make(rates=Rates(everything=4, put_incidents=3, get_oncalls=9))
    body = {"incidents": [{"id": (await api.create())["id"], "type": "incident", "title": "x"}]}

    async def told(method: str, path: str, body: object = None) -> tuple[str, str]:
        headers = (await api.call(method, path, body)).headers
        return headers["ratelimit-limit"], headers["ratelimit-remaining"]

    assert await told("PUT", "/incidents", body) == ("4", "2"), "as close as the other, and first"
    assert await told("GET", "/oncalls") == ("4", "1")
    assert await told("PUT", "/incidents", body) == ("4", "0")
    api.sandbox.rates.everything = 90
    assert await told("PUT", "/incidents", body) == ("3", "0")


def test_where_two_limits_refuse_the_longer_wait_is_told() -> None:
    limits = Limits(Rates(everything=2, post_incidents=1))
    assert limits.take("t", "GET", "/users", 0)[0]
    assert limits.take("t", "POST", "/incidents", 30_000)[0]
    allowed, headers = limits.take("t", "POST", "/incidents", 40_000)
    assert not allowed
    assert headers["ratelimit-reset"] == "50", "when the other limit has made room already"


def test_a_users_keys_share_a_limit_and_creations_are_the_accounts() -> None:
    limits = Limits(Rates(post_incidents=2))
    assert limits.take("one key", "POST", "/incidents", 0)[0]
    assert limits.take("", "POST", "/incidents", 0)[0], "a stranger takes nothing from it"
    assert limits.take("another", "POST", "/incidents", 0)[0]
    assert not limits.take("one key", "POST", "/incidents", 0)[0]
    assert limits.take("one key", "GET", "/users", 0)[1]["ratelimit-remaining"] == "958"


@pytest.mark.parametrize(
    "wrong", [{"everything": 0}, {"everything": 1.5}, {"everything": True}, {"put": 1}, []]
)
async def test_a_limit_that_makes_no_sense_is_refused(api: Api, wrong: object) -> None:
    answer = await api.call("PUT", "/_sandbox/limits", wrong)
    assert answer.status == 400
    assert answer.body["error"]["message"]
    assert api.sandbox.rates == Rates()


def test_lower_limits_stand_in_proportion() -> None:
    assert Rates.of(960) == Rates()
    assert Rates.of(96) == Rates(96, 50, 24, 48)
    assert Rates.of(1) == Rates(1, 1, 1, 1)
