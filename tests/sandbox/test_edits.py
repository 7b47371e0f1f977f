"""Editing incidents: one, and many at once. Answers are judged by the official OpenAPI."""

from typing import Any

from tests.sandbox.conftest import Api, Receiver
from tests.sandbox.incidents import assignee, held

# Edits.


async def test_title_and_urgency_are_edited_in_silence(api: Api, receiver: Receiver) -> None:
    incident = await api.create()
    await api.subscribe(receiver.url)
    incident = await api.change(incident, title="New", urgency="low")
    assert (incident["title"], incident["description"], incident["urgency"]) == (
        "New",
        "New",
        "low",
    )
    assert await api.settle() == 0


async def test_with_the_switch_they_are_told(api: Api, receiver: Receiver) -> None:
    api.sandbox.switches.title_and_urgency_events = True
    events = ["incident.title_updated", "incident.urgency_updated"]
    await api.subscribe(receiver.url, events=events)
    await api.change(await api.create(), title="New", urgency="low")
    await api.settle()
    assert receiver.types == ["title_updated", "urgency_updated"]


async def test_raising_the_urgency_unacknowledges(api: Api, receiver: Receiver) -> None:
    incident = await api.change(await api.create(urgency="low"), status="acknowledged")
    await api.subscribe(receiver.url)
    incident = await api.change(incident, urgency="high")
    assert incident["status"] == "triggered"
    await api.settle()
    assert receiver.types == ["unacknowledged"]


async def test_a_priority_goes_by_reference_by_name_and_away(api: Api, receiver: Receiver) -> None:
    incident = await api.create()
    await api.subscribe(receiver.url)
    assert (await api.change(incident, priority=api.priority(1)))["priority"]["name"] == "P1"
    assert (await api.change(incident, priority="P3"))["priority"]["name"] == "P3"
    assert (await api.change(incident, priority=None))["priority"] is None
    await api.settle()
    told = [heard.event["data"]["priority"] for heard in receiver.heard]
    assert [row and row["summary"] for row in told] == ["P1", "P3", None]
    assert (await api.put(incident, priority="P9")).code == 1020
    api.sandbox.switches.clear_priority = False
    assert (await api.put(incident, priority=None)).code == 1020
    api.sandbox.switches.priorities = False
    assert (await api.put(incident, priority="P1")).code == 1020
    assert (await api.call("GET", "/priorities")).status == 404


async def test_moves_between_people_policies_levels_and_services(
    api: Api, receiver: Receiver
) -> None:
    incident = await api.create()
    await api.subscribe(receiver.url)
    incident = await api.change(incident, **assignee(api.user(4)))
    assert held(incident, "assignments") == ["Dave Okafor"]
    assert incident["assigned_via"] == "direct_assignment"
    policy = {
        "id": api.about["escalation_policies"][2]["id"],
        "type": "escalation_policy_reference",
    }
    incident = await api.change(incident, escalation_policy=policy)
    assert incident["escalation_policy"]["summary"] == "Management"
    incident = await api.change(incident, escalation_level=2)
    assert held(incident, "assignments") == ["Alice Martin", "Bob Chen"]
    service = {"id": api.about["services"][2]["id"], "type": "service_reference"}
    incident = await api.change(incident, service=service, incident_type={"name": "major_default"})
    incident = await api.change(incident, conference_bridge={"conference_url": "https://x.example"})
    await api.settle()
    assert receiver.types == [
        "reassigned",
        "delegated",
        "escalated",
        "service_updated",
        "incident_type.changed",
        "conference_bridge.updated",
    ]
    assert receiver.heard[3].event["data"]["service"]["summary"] == "Search"


async def test_what_cannot_be_handed_over_is_refused(api: Api) -> None:
    incident = await api.create()
    assert (await api.put(incident, assignments=[])).code == 2001
    assert (await api.put(incident, **assignee("PNOBODY"))).code == 1007
    assert (await api.put(incident, escalation_policy={"id": "PNONE00", "type": "x"})).code == 1014
    assert (await api.put(incident, escalation_level=9)).code == 1006
    await api.change(incident, urgency="low")
    assert (await api.put(incident, escalation_level=2)).code == 1006
    await api.change(incident, status="resolved")
    assert (await api.put(incident, **assignee(api.user(1)))).code == 1001


async def test_a_refused_request_has_changed_nothing(api: Api, receiver: Receiver) -> None:
    incident = await api.create()
    await api.subscribe(receiver.url)
    before = await api.log(incident)
    refused = await api.put(incident, title="New", priority="P1", escalation_level=9)
    assert refused.status == 400
    assert (await api.get(f"/incidents/{incident['id']}"))["incident"]["title"] == "Checkout down"
    assert await api.log(incident) == before
    assert await api.settle() == 0


async def test_resolved_ones_may_be_edited_or_not(api: Api) -> None:
    incident = await api.change(await api.create(), status="resolved")
    assert (await api.change(incident, title="Late"))["title"] == "Late"
    api.sandbox.switches.edit_resolved = False
    assert (await api.put(incident, title="Later")).code == 1001


async def test_the_same_value_again_tells_nobody(api: Api, receiver: Receiver) -> None:
    incident = await api.create(priority=api.priority(1))
    await api.subscribe(receiver.url)
    before = await api.log(incident)
    users = [item["assignee"]["id"] for item in incident["assignments"]]
    await api.change(
        incident,
        title="Checkout down",
        urgency="high",
        priority="P1",
        status="triggered",
        **assignee(users[0]),
    )
    assert await api.settle() == 0
    assert await api.log(incident) == before


# Many at once.


async def test_in_bulk_it_is_all_or_nothing(api: Api) -> None:
    first, second = await api.create("1"), await api.create("2")

    def both(**of_second: Any) -> dict[str, Any]:
        one = {"id": first["id"], "type": "incident_reference", "title": "changed"}
        return {"incidents": [one, {"id": second["id"], "type": "incident", **of_second}]}

    for refused in (
        {"priority": "P9"},
        {"id": "QNONE"},
        {"service": {"id": api.about["services"][1]["id"], "type": "service_reference"}},
    ):
        assert (await api.call("PUT", "/incidents", both(**refused))).status == 400
        found = await api.get(f"/incidents/{first['id']}")
        assert found["incident"]["title"] == "1"
    answer = await api.call("PUT", "/incidents", both(status="resolved"))
    assert [row["status"] for row in answer.body["incidents"]] == ["triggered", "resolved"]
    assert answer.body["incidents"][0]["title"] == "changed"


async def test_at_most_250_in_bulk(api: Api) -> None:
    incident = await api.create()
    one = {"id": incident["id"], "type": "incident_reference", "title": "x"}
    assert (await api.call("PUT", "/incidents", {"incidents": [one] * 251})).status == 413
    assert (await api.call("PUT", "/incidents", {"incidents": [one] * 250})).status == 200
    assert (await api.call("PUT", "/incidents", {"incidents": []})).code == 2001
