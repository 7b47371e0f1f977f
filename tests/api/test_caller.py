"""Who asks, as the audit trail names them: what was found out, and what is only said."""

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from imsync.api import caller
from imsync.store import audit

from .asking import AUDIT, TOKENS, Api, House, Json, lines, over_the_socket


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


async def test_a_proxy_at_the_socket_is_not_its_owner(house: House, tmp_path: Path) -> None:
    """Whomever it speaks for shows a token, is known by it, and makes no backup."""
    via: dict[str, str] = {"X-Forwarded-For": "192.0.2.1"}
    path, body = tmp_path / "s", {"name": "theirs"}
    asked = await over_the_socket(house, path, "POST", TOKENS, body, **via)
    assert (asked["status"], asked["code"]) == (401, "unauthenticated")
    token = (await over_the_socket(house, path, "POST", TOKENS, {"name": "ci", "scope": "admin"}))[
        "token"
    ]
    via["Authorization"] = f"Bearer {token}"
    assert (await over_the_socket(house, path, "POST", TOKENS, body, **via))["status"] == 201
    line = (await lines(house))[0]
    assert (line.asking.actor, line.asking.forwarded) == ("token ci", "192.0.2.1")
    copy = {"path": str(tmp_path / "copy.db")}
    asked = await over_the_socket(house, path, "POST", "/api/v1/backup", copy, **via)
    assert (asked["status"], asked["code"]) == (403, "forbidden")
    asked = await over_the_socket(house, path, "POST", TOKENS, body, **via, Host="evil.example")
    assert (asked["status"], asked["code"]) == (421, "wrong_host")


async def test_whoever_is_at_the_socket_may_lead_a_token_elsewhere(
    house: House, tmp_path: Path
) -> None:
    """The database and its key are theirs; others give the token with it (test_integrations)."""
    body = {"name": "Prod", "integration_type": "pagerduty", "credentials": {"token": "u+x"}}
    made = await over_the_socket(house, tmp_path / "s", "POST", "/api/v1/integrations", body)
    assert made["status"] == 201
    path, body = f"/api/v1/integrations/{made['id']}", {"base_url": "https://proxy.example"}
    changed = await over_the_socket(house, tmp_path / "s", "PATCH", path, body)
    assert (changed["status"], changed["base_url"]) == (200, "https://proxy.example")


async def test_where_the_system_does_not_tell_it_is_the_socket(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "_PEERCRED", None)
    await over_the_socket(house, tmp_path / "s", "POST", TOKENS, {"name": "ci"})
    (line,) = await lines(house)
    assert (line.asking.actor, line.asking.actor_id) == ("socket", None)


def test_a_user_without_a_name_is_a_number() -> None:
    assert caller._user_name(2_147_483_000) == "2147483000"
