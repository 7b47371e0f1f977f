"""Looking things up: lists and their pages, people, duty, the log."""

from typing import Any

import pytest

from tests.sandbox.conftest import Api, Clock

DAY = 24


async def names(api: Api, path: str, key: str, field: str = "name") -> list[str]:
    return [row[field] for row in (await api.get(path))[key]]


# Lists of incidents.


async def titles(api: Api, query: str) -> list[str]:
    return await names(api, f"/incidents?{query}", "incidents", "title")


async def test_only_the_last_month_is_listed_unless_asked(api: Api, clock: Clock) -> None:
    await api.create("old")
    clock.pass_(hours=31 * DAY)
    await api.create("new")
    assert await titles(api, "") == ["new"]
    assert await titles(api, "statuses[]=triggered") == ["new"], "and that misses open ones"
    assert await titles(api, "date_range=all") == ["old", "new"]
    assert await titles(api, "since=2026-09-01&until=2026-10-01") == ["old"]
    assert await titles(api, "since=2026-09-01") == ["old", "new"]
    too_long = await api.call("GET", "/incidents?since=2025-01-01&until=2026-01-01")
    assert too_long.status == 400


async def test_filters(api: Api) -> None:
    other = {"id": api.about["services"][1]["id"], "type": "service_reference"}
    someone: dict[str, Any] = {
        "assignments": [{"assignee": {"id": api.user(4), "type": "user_reference"}}]
    }
    first = await api.create("first", incident_key="k1", urgency="low")
    await api.create("second", incident_key="k2", service=other, **someone)
    third = await api.create("third", priority=api.priority(1))
    await api.change(first, status="resolved")
    await api.change(third, status="acknowledged")
    for query, expected in (
        ("statuses[]=resolved&statuses[]=acknowledged", ["first", "third"]),
        (f"service_ids[]={other['id']}", ["second"]),
        (f"user_ids[]={api.user(4)}", ["second"]),
        ("urgencies[]=low", ["first"]),
        ("incident_key=k1", ["first"]),
        (f"incident_key=k1&service_ids[]={other['id']}", []),
        ("incident_key=", ["second", "third"]),
        (f"priority_ids[]={api.priority(1)['id']}", ["third"]),
        (f"priorities[]={api.priority(1)['id']}", ["first", "second", "third"]),
        ("team_ids[]=PTEAM00", []),
        ("sort_by=incident_number:desc", ["third", "second", "first"]),
        ("sort_by=urgency:asc,created_at:desc", ["third", "second", "first"]),
    ):
        assert await titles(api, query) == expected, query


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("statuses[]=open", "Status must be a list of triggered, acknowledged, or resolved."),
        ("since=yesterday", "since is not a time"),
        ("since=2020-01-01T00:00:00Z", "The date range must be six months at most"),
        ("sort_by=title", "sort_by must be"),
        ("sort_by=created_at,urgency,resolved_at", "two fields at most"),
        ("limit=-1", "limit must be a number"),
        ("limit=x", "limit must be a number"),
        ("offset=9976", "Offset+limit exceeds maximum allowed value of 10000"),
    ],
)
async def test_queries_that_make_no_sense(api: Api, query: str, says: str) -> None:
    answer = await api.call("GET", f"/incidents?{query}")
    assert answer.status == 400
    assert says in answer.body["error"]["errors"][0]


async def test_pages(api: Api) -> None:
    for number in range(5):
        await api.create(str(number))

    async def page(query: str) -> dict[str, Any]:
        found = await api.get(f"/incidents?{query}")
        found["incidents"] = [row["title"] for row in found["incidents"]]
        return dict(found)

    page_1 = {"incidents": ["0", "1"], "limit": 2, "offset": 0, "total": None, "more": True}
    assert await page("limit=2") == page_1
    last = await page("limit=2&offset=4&total=true")
    assert (last["incidents"], last["more"], last["total"]) == (["4"], False, 5)
    assert (await page("limit=500"))["limit"] == 100
    assert (await page(""))["limit"] == 25


# People and what they are on.


async def test_users_are_searched_by_any_part_of_name_and_address(api: Api) -> None:
    assert await names(api, "/users?query=ALICE@", "users") == ["Alice Martin"]
    assert await names(api, "/users?query=ar", "users") == ["Alice Martin", "Carol Diaz"]
    assert len(await names(api, "/users?query=acme", "users")) == 5
    assert (await api.get(f"/users/{api.user(2)}"))["user"]["name"] == "Bob Chen"
    assert (await api.call("GET", "/users/PNONE00")).status == 404


async def test_services_policies_and_schedules(api: Api) -> None:
    assert await names(api, "/services?query=check", "services") == ["Checkout"]
    assert await names(api, "/services?name=Search", "services") == ["Search"]
    policies = "escalation_policies"
    assert await names(api, f"/{policies}?query=pay", policies) == ["Payments on call"]
    by_user = f"/{policies}?user_ids[]={api.user(4)}"
    assert await names(api, by_user, policies) == ["Management"]
    assert await names(api, "/schedules?query=prim", "schedules") == ["Primary on call"]
    for name in ("services", policies, "schedules"):
        assert (await api.call("GET", f"/{name}/PNONE00")).status == 404


async def test_who_is_on_call_takes_turns(api: Api, clock: Clock) -> None:
    schedule = api.about["schedules"][0]["id"]

    async def now() -> list[str]:
        found = await api.get(f"/oncalls?schedule_ids[]={schedule}")
        return [row["user"]["summary"] for row in found["oncalls"] if row["escalation_level"] == 1]

    seen = []
    for _ in range(4):
        (user,) = await now()
        incident = await api.create()
        assert incident["assignments"][0]["assignee"]["summary"] == user
        seen.append(user)
        clock.pass_(hours=7 * DAY)
    assert seen[0] == seen[3]
    assert set(seen) == {"Alice Martin", "Bob Chen", "Carol Diaz"}
    direct = (await api.get(f"/oncalls?user_ids[]={api.user(4)}&schedule_ids[]="))["oncalls"]
    assert [(row["schedule"], row["start"]) for row in direct] == [(None, None)]
    rendered = (await api.get(f"/schedules/{schedule}"))["schedule"]["final_schedule"]
    assert rendered["rendered_schedule_entries"][0]["user"]["summary"] == (await now())[0]
    month = f"/oncalls?until=2026-11-20T00:00:00Z&schedule_ids[]={schedule}"
    every = (await api.get(month))["oncalls"]
    assert len((await api.get(f"{month}&earliest=true"))["oncalls"]) < len(every)


async def test_priorities_from_the_most_severe(api: Api) -> None:
    found = (await api.get("/priorities"))["priorities"]
    assert [row["name"] for row in found] == ["P1", "P2", "P3", "P4", "P5"]
    orders = [row["order"] for row in found]
    assert orders == sorted(orders, reverse=True)


async def test_abilities(api: Api) -> None:
    assert "sso" in (await api.get("/abilities"))["abilities"]
    for name, status in (("sso", 204), ("advanced_reports", 402), ("flying", 404)):
        assert (await api.call("GET", f"/abilities/{name}")).status == status


# The log.


async def test_the_log_says_what_was_changed_by_whom_and_when(api: Api, clock: Clock) -> None:
    incident = await api.create(by=1)
    clock.pass_(ms=1_234)
    await api.change(incident, by=2, title="New")
    await api.change(incident, by=2, priority=api.priority(2))
    await api.change(incident, by=3, urgency="low")
    service = {"id": api.about["services"][2]["id"], "type": "service_reference"}
    await api.change(incident, by=3, service=service)
    entries = await api.log(incident)
    assert [row["type"] for row in entries] == [
        "trigger_log_entry",
        "assign_log_entry",
        "field_value_change_log_entry",
        "field_value_change_log_entry",
        "urgency_change_log_entry",
        "field_value_change_log_entry",
    ]
    agents = [row["agent"]["summary"] for row in entries]
    assert agents[0] == "Alice Martin"
    assert agents[1] == "Checkout", "nobody assigned it: the policy did"
    assert agents[2:] == ["Bob Chen", "Bob Chen", "Carol Diaz", "Carol Diaz"]
    changes = [row["channel"]["changeset"]["application_fields"][0] for row in entries[2:]]
    told = [(row["name"], row["old_value"], row["value"]) for row in changes]
    assert told == [
        ("title", "Checkout down", "New"),
        ("priority", None, api.priority(2)["id"]),
        ("urgency", "high", "low"),
        ("service", api.about["default_service"], service["id"]),
    ]
    assert changes[0]["namespace"] == "incidents"
    assert entries[2]["created_at"] == "2026-09-21T14:13:21.234Z"
    assert entries[0]["channel"]["type"] == "api"
    api.sandbox.switches.log_entry_milliseconds = False
    api.sandbox.switches.channels_when_included = True
    (entry,) = (await api.log(incident))[2:3]
    assert entry["created_at"] == "2026-09-21T14:13:21Z"
    assert entry["channel"] == {"type": "api"}
    assert "changeset" in (await api.log(incident, "&include[]=channels"))[2]["channel"]


async def test_the_log_of_the_account_is_newest_first_and_has_a_span(
    api: Api, clock: Clock
) -> None:
    first = await api.create("first")
    clock.pass_(seconds=10)
    await api.create("second")
    found = (await api.get("/log_entries?include[]=incidents"))["log_entries"]
    assert [row["incident"]["title"] for row in found] == ["second", "second", "first", "first"]
    since = "2026-09-21T14:13:30Z"
    assert len((await api.get(f"/log_entries?since={since}"))["log_entries"]) == 2
    (one, two) = (await api.get(f"/log_entries?until={since}"))["log_entries"]
    assert one["incident"]["id"] == two["incident"]["id"] == first["id"]
    assert (await api.get(f"/log_entries/{one['id']}"))["log_entry"]["id"] == one["id"]
    page = await api.get("/log_entries?limit=3")
    assert page["more"] is True
    await api.change(first, title="silent")
    overview = await api.log(first, "&is_overview=true")
    assert [row["type"] for row in overview] == ["trigger_log_entry", "assign_log_entry"]
    assert (await api.call("GET", "/incidents/QNONE/log_entries")).status == 404
