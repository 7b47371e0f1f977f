"""The page at `/`, and the door through which it acts."""

import re
from importlib.resources import files
from io import BytesIO
from typing import Any

from imsync.sandbox import playing
from tests.openapi.judge import openapi
from tests.sandbox.conftest import Answer, Api, Json, Make, Receiver
from tests.sandbox.incidents import assignee, held

PAGE = files("imsync.sandbox") / "page"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def fetch(api: Api, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    async with api.session.get(api.url + path, headers=headers) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def play(
    api: Api, who: str, method: str, path: str, body: object = None, **headers: str | None
) -> Answer:
    """Without a key, as the page does it; the answers are those of the API."""
    door = f"/_sandbox/as/{who}{path}"
    answer = await api.call(method, door, body, by=None, Authorization=None, **headers)
    if spec := openapi():
        bare = path.partition("?")[0]
        complaints = spec.of_answer(method, bare, answer.status, answer.body)
        assert not complaints, (method, path, complaints)
    return answer


def edit(**changes: Any) -> Json:
    return {"incident": {"type": "incident_reference", **changes}}


# The page.


async def test_browsers_get_a_page_and_programs_get_text(api: Api) -> None:
    status, page, headers = await fetch(api, "/", Accept=BROWSER)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert page.startswith("<!doctype html>")
    for accept in ("*/*", "application/json", ""):
        status, text, headers = await fetch(api, "/", Accept=accept)
        assert headers["Content-Type"].startswith("text/plain")
        assert "/_sandbox/as/{who}" in text


async def test_all_that_the_page_loads_is_served_here(api: Api) -> None:
    _, page, _ = await fetch(api, "/", Accept=BROWSER)
    wanted = set(re.findall(r'(?:src|href)="(/_sandbox/page/[^"]*)"', page))
    for name in [path.rpartition("/")[2] for path in wanted if path.endswith(".js")]:
        pending = [name]
        while pending:
            code = (PAGE / pending.pop()).read_text()
            found = {f"/_sandbox/page/{other}" for other in re.findall(r'from "\./(.*?)"', code)}
            pending += [path.rpartition("/")[2] for path in found - wanted]
            wanted |= found
    assert {path.rpartition("/")[2] for path in wanted} == {
        entry.name for entry in PAGE.iterdir() if entry.name != "index.html"
    }
    for path in wanted:
        status, _, headers = await fetch(api, path)
        assert status == 200, path
        assert headers["X-Content-Type-Options"] == "nosniff"
        kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
        assert headers["Content-Type"].startswith(kinds[path.rpartition(".")[2]])
    assert (await api.call("GET", "/_sandbox/page/nothing.js", by=None)).status == 404


def test_nothing_in_the_page_can_become_code_or_comes_from_elsewhere() -> None:
    """What its content security policy would refuse, and what it could not."""
    for entry in PAGE.iterdir():
        text = entry.read_text().replace("http://www.w3.org/2000/svg", "")
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("):
            assert forbidden not in text, entry.name
        assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import|url\(", text), entry.name
        if entry.name.endswith(".html"):
            assert not re.search(r"\son[a-z]+=|\sstyle=|<style|<script>|javascript:", text)


async def test_what_the_page_shows(api: Api) -> None:
    first = await api.create("<b>hostile</b>", priority=api.priority(1), urgency="low")
    second = await api.create(
        "second", **assignee(api.user(2)), body={"type": "incident_body", "details": "long"}
    )
    third = await api.create("third")
    await api.change(second, by=1, status="acknowledged")
    sources = {"source_incidents": [{"id": first["id"], "type": "incident_reference"}]}
    await api.call("PUT", f"/incidents/{third['id']}/merge", sources)
    shown = await api.get("/_sandbox/incidents", by=None, Authorization=None)
    assert [row["title"] for row in shown["incidents"]] == ["third", "second", "<b>hostile</b>"]
    assert (shown["open"], shown["resolved"]) == (2, 1)
    _, acknowledged, resolved = shown["incidents"]
    assert (
        acknowledged.items()
        >= {
            "id": second["id"],
            "number": 2,
            "status": "acknowledged",
            "urgency": "high",
            "priority": None,
            "assignees": [api.user(2)],
            "acknowledgers": [api.user(1)],
            "level": 1,
            "details": "long",
        }.items()
    )
    assert (
        resolved.items()
        >= {
            "priority": api.priority(1)["id"],
            "urgency": "low",
            "merged_into": 3,
        }.items()
    )
    names = {row["id"]: row["name"] for kind in ("users", "policies") for row in shown[kind]}
    assert names[acknowledged["assignees"][0]] == "Bob Chen"
    assert names[acknowledged["policy"]] == "Platform on call"
    assert shown["subscriptions"] == []
    assert shown["faults"] == {}


async def test_it_shows_what_goes_wrong(api: Api, receiver: Receiver) -> None:
    await api.subscribe(receiver.url)
    api.sandbox.faults.delivery_drop = 0.5
    api.sandbox.faults.subscription_disable = 1.0
    await api.create()
    shown = await api.get("/_sandbox/incidents")
    assert shown["faults"] == {"delivery_drop": 0.5, "subscription_disable": 1.0}
    assert shown["subscriptions"] == [{"url": receiver.url, "disabled": True}]


async def test_of_very_many_it_shows_the_newest(make: Make) -> None:
    api = await make(rate_limit=100_000)
    rows = [await api.create(str(number)) for number in range(playing.MOST_RESOLVED + 2)]
    bodies = [{"id": row["id"], "type": "incident", "status": "resolved"} for row in rows]
    await api.call("PUT", "/incidents", {"incidents": bodies})
    await api.create("open")
    shown = await api.get("/_sandbox/incidents")
    assert (shown["open"], shown["resolved"]) == (1, len(rows))
    assert len(shown["incidents"]) == 1 + playing.MOST_RESOLVED
    assert shown["incidents"][-1]["title"] == "2"


# Acting.


async def test_a_person_does_in_it_what_a_rest_client_does(api: Api, receiver: Receiver) -> None:
    await api.subscribe(receiver.url)
    carol = api.email(3)
    made = (await play(api, carol, "POST", "/incidents", api.draft("By hand"))).body["incident"]
    path = f"/incidents/{made['id']}"
    policy = {"id": api.about["escalation_policies"][2]["id"], "type": "x"}
    for changes in (
        {"status": "acknowledged"},
        {"status": "triggered"},
        {"priority": "P2", "urgency": "low", "title": "New"},
        {"urgency": "high"},
        assignee(api.user(4)),
        {"escalation_policy": policy},
        {"escalation_level": 2},
        {"status": "resolved"},
        {"status": "triggered"},
    ):
        assert (await play(api, carol, "PUT", path, edit(**changes))).status == 200
    note = await play(api, api.user(3), "POST", f"{path}/notes", {"note": {"content": "n"}})
    deleted = await play(api, carol, "DELETE", f"{path}/notes/{note.body['note']['id']}")
    assert (deleted.status, deleted.body) == (204, None)
    await api.settle()
    assert receiver.types == [
        *("triggered", "acknowledged", "unacknowledged", "priority_updated", "reassigned"),
        *("delegated", "escalated", "resolved", "reopened", "annotated"),
    ]
    assert {heard.event["agent"]["summary"] for heard in receiver.heard} == {"Carol Diaz"}
    log = await api.log(made)
    assert log[0]["channel"]["type"] == "web_trigger"
    assert {row["channel"]["type"] for row in log[2:]} == {"website", "note"}
    assert {row["agent"]["summary"] for row in log[2:]} == {"Carol Diaz"}
    details = {"channel": {"type": "web_trigger", "details": "edited"}}
    edited = await api.call("PUT", f"/log_entries/{log[0]['id']}/channel", details)
    assert edited.status == 202, "what was made in the web interface may be edited"


async def test_pagerduty_itself_is_nobody(api: Api, receiver: Receiver) -> None:
    """Timeouts, timers and automation, whenever they are wanted."""
    incident = await api.change(await api.create(), by=1, status="acknowledged")
    await api.subscribe(receiver.url)
    path = f"/incidents/{incident['id']}"
    for changes in (
        {"status": "acknowledged"},  # is so already
        {"status": "triggered"},
        {"escalation_level": 2},
        {"status": "acknowledged"},
        {"status": "acknowledged"},
        {"status": "resolved", "resolution": "by itself"},
    ):
        answer = await play(api, "pagerduty", "PUT", path, edit(**changes))
        assert answer.status == 200
    note = {"note": {"content": "n"}}
    assert (await play(api, "pagerduty", "POST", f"{path}/notes", note)).status == 200
    update = await play(api, "pagerduty", "POST", f"{path}/status_updates", {"message": "m"})
    assert update.code == 2001, "a person sends those"
    made = await play(api, "pagerduty", "POST", "/incidents", api.draft("From a monitor"))
    await api.settle()
    assert receiver.types == [
        *("unacknowledged", "escalated", "acknowledged", "resolved"),
        *("annotated", "triggered"),
    ]
    assert {heard.event["agent"] for heard in receiver.heard} == {None}
    (found,) = (await api.get(f"{path}/notes"))["notes"]
    assert (found["user"]["type"], found["user"]["summary"]) == ("bot_user_reference", "Checkout")
    assert {row["agent"]["type"] for row in (await api.log(incident))[3:]} == {"service_reference"}
    assert (await api.log(made.body["incident"]))[0]["channel"]["type"] == "api"


async def test_what_a_monitor_triggers_has_an_alert_and_no_key(
    api: Api, receiver: Receiver
) -> None:
    await api.subscribe(receiver.url)
    draft = api.draft("From a monitor", incident_key="srv01/HTTP")
    made = (await play(api, "pagerduty", "POST", "/incidents", draft)).body["incident"]
    assert (await play(api, "pagerduty", "POST", "/incidents", draft)).code == 2002
    await api.settle()
    assert receiver.heard[0].event["data"]["incident_key"] is None
    (found,) = (await api.get("/incidents?incident_key=srv01/HTTP"))["incidents"]
    assert (found["id"], found["incident_key"]) == (made["id"], None)
    assert found["alert_counts"] == {"all": 1, "triggered": 1, "resolved": 0}
    resolved = await api.change(made, status="resolved")
    assert resolved["alert_counts"] == {"all": 1, "triggered": 0, "resolved": 1}


async def test_it_counts_against_no_limit_and_meets_no_fault(make: Make) -> None:
    api = await make(rate_limit=1)
    for name in ("api_429", "api_error", "api_lost", "api_malformed", "api_half_closed"):
        setattr(api.sandbox.faults, name, 1.0)
    for number in range(5):
        answer = await play(api, "alice@acme.example", "POST", "/incidents", api.draft(str(number)))
        assert answer.status == 201
        assert "ratelimit-limit" not in answer.headers
    found = await play(api, "alice@acme.example", "GET", "/incidents?limit=3")
    assert [row["title"] for row in found.body["incidents"]] == ["0", "1", "2"]
    assert (await play(api, "ALICE@acme.example", "GET", "/users/me")).status == 200
    assert (api.sandbox.requests, api.sandbox.writes) == (0, 0)
    for name in ("api_429", "api_error", "api_lost", "api_malformed", "api_half_closed"):
        setattr(api.sandbox.faults, name, 0.0)
    assert (await api.call("GET", "/users")).status == 200
    assert (await api.call("GET", "/users")).status == 429


async def test_refusals_are_told_as_rest_tells_them(api: Api) -> None:
    incident = await api.create()
    path = f"/incidents/{incident['id']}"
    refused = await play(api, api.user(1), "PUT", path, edit(escalation_level=9))
    assert (refused.status, refused.code) == (400, 1006)
    nobody = await play(api, "zoe@acme.example", "PUT", path, edit(title="x"))
    assert (nobody.status, nobody.code) == (404, 2100)
    assert "zoe@acme.example" in nobody.body["error"]["errors"][0]
    assert (await play(api, api.user(1), "PUT", path, b"{")).code == 2001
    door = f"{api.url}/_sandbox/as/{api.user(1)}/incidents"
    async with api.session.post(door, data=BytesIO(b"x" * 3_000_000)) as large:
        assert large.status == 413


async def test_another_site_cannot_act_in_a_browser_that_is_here(api: Api) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://["):
        for path in ("/_sandbox/repeat", f"/_sandbox/as/{api.user(1)}/incidents"):
            answer = await api.call("POST", path, api.draft(), Origin=origin)
            assert answer.status == 403
            assert origin in answer.body["error"]["message"]
    assert (await api.get("/_sandbox/incidents"))["incidents"] == []
    made = await play(api, api.user(1), "POST", "/incidents", api.draft(), Origin=api.url)
    assert made.status == 201
    assert held(made.body["incident"], "assignments")
