"""What nobody outside PagerDuty knows: the likely answer by default, and the other one.

Those of single changes are tested beside the changes: `unacknowledge`, `clear_priority`,
`edit_resolved`, `refuse_same_status`, `acknowledging_assigns`, `resolution_annotates`.
"""

from typing import Any

import pytest

from tests.sandbox.conftest import Api, Clock, Receiver
from tests.sandbox.incidents import assignee, held


async def test_a_title_may_be_so_long_and_no_longer(api: Api) -> None:
    incident = await api.create("ü" * 1_024)
    for answer in (
        await api.call("POST", "/incidents", api.draft("x" * 1_025)),
        await api.put(incident, title="x" * 1_025),
    ):
        assert (answer.status, answer.code) == (400, 2001)
        assert "1024" in answer.body["error"]["errors"][0]
    api.sandbox.switches.longest_title = 0
    assert len((await api.change(incident, title="x" * 5_000))["title"]) == 5_000


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_what_goes_with_already_resolved_and_already_acknowledged(
    api: Api, status: int
) -> None:
    switches = api.sandbox.switches
    switches.refuse_same_status, switches.already_status = True, status
    incident = await api.change(await api.create(), status="acknowledged")
    again = await api.put(incident, status="acknowledged")
    assert (again.status, again.code) == (status, 1002)
    await api.change(incident, status="resolved")
    again = await api.put(incident, status="resolved")
    assert (again.status, again.code) == (status, 1001)


async def test_in_bulk_the_others_may_be_done_though_one_is_refused(
    api: Api, receiver: Receiver
) -> None:
    rows = [await api.create(str(number)) for number in range(3)]
    await api.subscribe(receiver.url)

    async def prioritize(name: str, *, second: str) -> Any:
        bodies = [{"id": row["id"], "type": "incident", "priority": name} for row in rows]
        bodies[1]["priority"] = second
        answer = await api.call("PUT", "/incidents", {"incidents": bodies})
        found = (await api.get("/incidents"))["incidents"]
        return answer, [row["priority"] and row["priority"]["name"] for row in found]

    answer, found = await prioritize("P1", second="P9")
    assert (answer.code, found) == (1020, [None, None, None])
    api.sandbox.switches.bulk_partly = True
    answer, found = await prioritize("P1", second="P9")
    assert (answer.status, answer.code, found) == (400, 1020, ["P1", None, "P1"])
    await api.settle()
    assert receiver.types == ["priority_updated"] * 2
    answer, found = await prioritize("P2", second="P3")
    assert (answer.status, found) == (200, ["P2", "P3", "P2"])


async def test_whom_events_name_for_keys_of_the_account_and_of_apps(
    api: Api, receiver: Receiver
) -> None:
    await api.subscribe(receiver.url)
    incident = await api.create()
    app, user = f"Bearer {api.sandbox.app_token}", f"Token token={api.sandbox.user_token}"

    async def agent(priority: str, **headers: Any) -> Any:
        body = {"incident": {"type": "incident", "priority": priority}}
        await api.call("PUT", f"/incidents/{incident['id']}", body, **headers)
        await api.settle()
        assert (await api.log(incident))[-1]["agent"]["type"] == "user_reference"
        found = receiver.heard[-1].event["agent"]
        return found and found["summary"]

    assert await agent("P1", by=2) == "Bob Chen"
    assert await agent("P2", by=3, Authorization=app) == "Carol Diaz"
    api.sandbox.switches.account_keys_name_agents = False
    api.sandbox.switches.app_tokens_name_agents = False
    assert await agent("P3", by=2) is None
    assert await agent("P4", by=3, Authorization=app) is None
    assert await agent("P5", by=None, Authorization=user) == "Alice Martin"
    for body in ({"note": {"content": "n"}}, {"status_update": {}, "message": "m"}):
        kind = "notes" if "note" in body else "status_updates"
        await api.call("POST", f"/incidents/{incident['id']}/{kind}", body)
    await api.settle()
    assert [heard.event["agent"] for heard in receiver.heard[-2:]] == [None, None]


async def test_an_app_needs_from(api: Api) -> None:
    app = f"Bearer {api.sandbox.app_token}"
    answer = await api.call("POST", "/incidents", api.draft(), by=None, Authorization=app)
    assert answer.code == 2016
    assert api.sandbox.app_token.startswith("pdus+")


async def test_the_details_of_incidents_made_over_rest_are_not_edited(
    api: Api, receiver: Receiver
) -> None:
    incident = await api.create(body={"type": "incident_body", "details": "old"})
    await api.subscribe(receiver.url)
    entry = incident["first_trigger_log_entry"]["id"]
    path = f"/log_entries/{entry}/channel"

    async def edit(kind: object, details: object) -> Any:
        return await api.call("PUT", path, {"channel": {"type": kind, "details": details}})

    assert (await edit("api", "new")).code == 2001
    api.sandbox.switches.edit_api_channel = True
    assert (await edit("web_trigger", "new")).code == 2001, "must match the present one"
    assert (await edit("api", None)).code == 2001
    assert (await edit(7, "new")).code == 2001
    answer = await edit("api", "new")
    assert (answer.status, answer.body) == (202, None)
    found = await api.get(f"/incidents/{incident['id']}?include[]=body")
    assert found["incident"]["body"]["details"] == "new"
    shown = (await api.get(f"/log_entries/{entry}"))["log_entry"]
    assert shown["channel"]["details"] == "new"
    other = (await api.log(incident))[1]["id"]
    assert (await api.call("PUT", f"/log_entries/{other}/channel", {"channel": {}})).code == 2001
    assert (await api.call("PUT", "/log_entries/RNONE/channel", {"channel": {}})).status == 404
    assert await api.settle() == 0, "no event tells of it"


async def test_nobody_may_be_on_call(api: Api) -> None:
    open_ = await api.create()
    api.sandbox.switches.nobody_on_call = True
    answer = await api.call("POST", "/incidents", api.draft())
    assert (answer.status, answer.code) == (400, 1015)
    assert (await api.get("/oncalls"))["oncalls"] == []
    direct = await api.create(**assignee(api.user(2)))
    assert held(direct, "assignments") == ["Bob Chen"]
    policy = {"id": api.about["escalation_policies"][2]["id"], "type": "x"}
    assert (await api.change(open_, escalation_policy=policy))["assignments"] == []


async def test_how_far_apart_a_delivery_is_tried_again(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    api.sandbox.switches.first_retry, api.sandbox.switches.longest_retry = 1, 3
    await api.subscribe(receiver.url)
    await api.create()
    receiver.answers = [500] * 4
    waits = []
    while (due := api.sandbox.next_due()) is not None:
        waits.append(due - clock.at)
        clock.at = due
        await api.settle()
    assert waits == [0, 1_000, 2_000, 3_000, 3_000]


async def test_whether_a_redirect_is_tried_again(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    api.sandbox.switches.retry_redirects = True
    await api.subscribe(receiver.url)
    await api.create()
    receiver.answers = [302]
    await api.settle()
    assert api.sandbox.deliveries_pending == 1
    clock.pass_(seconds=10)
    await api.settle()
    assert (receiver.types, api.sandbox.deliveries_pending) == (["triggered", "triggered"], 0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"already_status": 200}, "already_status cannot be 200: a whole number from 400 to 499"),
        ({"first_retry": 0}, "first_retry cannot be 0"),
        ({"first_retry": True}, "first_retry cannot be True"),
        ({"bulk_partly": "yes"}, "bulk_partly cannot be 'yes': true or false is needed"),
        ({"bulk": True}, "there is no 'bulk'; there are unacknowledge, "),
    ],
)
async def test_a_switch_that_cannot_be_set_so_says_what_would_do(
    api: Api, wrong: object, says: str
) -> None:
    answer = await api.call("PUT", "/_sandbox/switches", wrong)
    assert answer.status == 400
    assert says in answer.body["error"]["message"]
