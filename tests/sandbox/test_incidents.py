"""What incidents do. Every answer on the way is also judged by the official OpenAPI."""

from dataclasses import replace
from typing import Any

import pytest

from tests.sandbox.conftest import Api, Clock, Json, Receiver
from tests.sandbox.incidents import assignee, held

# Creating.


async def test_is_born_triggered_for_whoever_is_on_call(api: Api) -> None:
    incident = await api.create(
        "Ünïcode ✓", priority=api.priority(2), body={"type": "incident_body", "details": "long"}
    )
    assert incident["status"] == "triggered"
    assert incident["summary"] == "[#1] Ünïcode ✓"
    assert incident["description"] == incident["title"]
    assert incident["priority"]["name"] == "P2"
    assert incident["body"] == {"details": "long"}
    assert len(incident["incident_key"]) == 32
    assert incident["assigned_via"] == "escalation_policy"
    assert len(incident["assignments"]) == 1
    assert incident["last_status_change_by"]["type"] == "service_reference"


async def test_a_key_is_taken_only_while_its_incident_is_open(api: Api) -> None:
    first = await api.create(incident_key="k")
    again = await api.call("POST", "/incidents", api.draft(incident_key="k"))
    assert (again.status, again.code) == (400, 2002)
    assert again.body["error"]["errors"] == [
        "Open incident with matching dedup key already exists on this service"
    ]
    elsewhere = {"id": api.about["services"][1]["id"], "type": "service_reference"}
    await api.create(incident_key="k", service=elsewhere)
    await api.change(first, status="resolved")
    await api.create(incident_key="k")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"title": "x"}, 2001),
        ({"incident": {"type": "incident", "title": " "}}, 2001),
        ({"incident": {"title": "no type"}}, 2001),
        ({"incident": {"type": "incident", "title": "no service"}}, 2001),
        ({"incident": {"type": "incident", "title": "x", "service": {"id": "PNONE00"}}}, 5002),
        ({"incident": {"type": "incident", "title": 7}}, 2001),
        ([], 2001),
        ("x", 2001),
        (None, 2001),
        (b"{not json", 2001),
        (b"\xff\xfe", 2001),
    ],
)
async def test_what_makes_no_sense_creates_nothing(api: Api, body: Any, code: int) -> None:
    answer = await api.call("POST", "/incidents", body)
    assert (answer.status, answer.code) == (400, code)
    assert (await api.get("/incidents?date_range=all"))["incidents"] == []
    assert api.sandbox.writes == 0


async def test_an_assignee_or_a_policy_but_not_both(api: Api) -> None:
    policy = {"id": api.about["escalation_policies"][2]["id"], "type": "x"}
    both = api.draft(**assignee(api.user(1)), escalation_policy=policy)
    assert (await api.call("POST", "/incidents", both)).code == 2001
    nobody = api.draft(**assignee("PNOBODY"))
    assert (await api.call("POST", "/incidents", nobody)).code == 1007
    nowhere = api.draft(escalation_policy={"id": "PNONE00", "type": "x"})
    assert (await api.call("POST", "/incidents", nowhere)).code == 1014
    unheard = api.draft(priority={"id": "PNONE00", "type": "priority_reference"})
    assert (await api.call("POST", "/incidents", unheard)).code == 1020
    assert held(await api.create(escalation_policy=policy), "assignments") == ["Dave Okafor"]


async def test_who_assigns_it_to_themselves_has_acknowledged_it(
    api: Api, receiver: Receiver
) -> None:
    await api.subscribe(receiver.url)
    mine = await api.create(by=1, **assignee(api.user(1)))
    theirs = await api.create(by=1, **assignee(api.user(2)))
    assert (mine["status"], theirs["status"]) == ("acknowledged", "triggered")
    assert held(mine, "acknowledgements") == ["Alice Martin"]
    await api.settle()
    told = [(heard.type, heard.event["data"]["status"]) for heard in receiver.heard]
    assert told == [
        ("incident.triggered", "triggered"),
        ("incident.acknowledged", "acknowledged"),
        ("incident.triggered", "triggered"),
    ]


# Status.


async def test_goes_through_its_life(api: Api, receiver: Receiver, clock: Clock) -> None:
    await api.subscribe(receiver.url)
    incident = await api.create()
    for status in ("acknowledged", "triggered", "acknowledged", "resolved", "triggered"):
        clock.pass_(seconds=1)
        incident = await api.change(incident, status=status)
        assert incident["status"] == status
        assert bool(incident["assignments"]) == (status != "resolved")
        assert bool(incident["acknowledgements"]) == (status == "acknowledged")
        assert bool(incident["resolved_at"]) == (status == "resolved")
    await api.settle()
    assert receiver.types == [
        "triggered",
        "acknowledged",
        "unacknowledged",
        "acknowledged",
        "resolved",
        "reopened",
    ]
    assert receiver.heard[-1].event["data"]["reopened_at"]
    assert receiver.heard[4].event["data"]["assignees"] == []


async def test_reopened_by_acknowledging_it_is_whoever_does_it(
    api: Api, receiver: Receiver
) -> None:
    incident = await api.create()
    await api.change(incident, status="resolved")
    await api.subscribe(receiver.url)
    incident = await api.change(incident, by=3, status="acknowledged")
    assert held(incident, "assignments") == held(incident, "acknowledgements") == ["Carol Diaz"]
    await api.settle()
    assert receiver.types == ["reopened", "acknowledged"]


async def test_reopened_for_whom_the_request_names(api: Api) -> None:
    incident = await api.create()
    await api.change(incident, status="resolved")
    incident = await api.change(incident, status="triggered", **assignee(api.user(4)))
    assert held(incident, "assignments") == ["Dave Okafor"]


async def test_several_may_acknowledge_and_each_counts_once(api: Api, receiver: Receiver) -> None:
    await api.subscribe(receiver.url)
    incident = await api.create()
    for by in (1, 2, 1):
        incident = await api.change(incident, by=by, status="acknowledged")
    assert held(incident, "acknowledgements") == ["Alice Martin", "Bob Chen"]
    await api.settle()
    assert receiver.types == ["triggered", "acknowledged", "acknowledged"]
    assert receiver.heard[-1].event["agent"]["summary"] == "Bob Chen"


async def test_the_same_status_again_is_nothing_or_refused(api: Api) -> None:
    incident = await api.create()
    await api.change(incident, status="acknowledged")
    await api.change(incident, status="acknowledged")
    api.sandbox.switches.refuse_same_status = True
    assert (await api.put(incident, status="acknowledged")).code == 1002
    await api.change(incident, status="resolved")
    assert (await api.put(incident, status="resolved")).code == 1001
    api.sandbox.switches.refuse_same_status = False
    await api.change(incident, status="resolved")


async def test_whether_it_can_be_unacknowledged_is_a_switch(api: Api) -> None:
    incident = await api.create()
    await api.change(incident, status="acknowledged")
    api.sandbox.switches.unacknowledge = False
    assert (await api.put(incident, status="triggered")).code == 1003
    assert (await api.put(incident, status="closed")).code == 1003


async def test_acknowledging_may_assign(api: Api) -> None:
    api.sandbox.switches.acknowledging_assigns = True
    incident = await api.change(await api.create(), by=4, status="acknowledged")
    assert held(incident, "assignments") == ["Dave Okafor"]


async def test_a_resolution_is_noted(api: Api, receiver: Receiver) -> None:
    await api.subscribe(receiver.url)
    incident = await api.create()
    assert (await api.put(incident, resolution="too early")).code == 2001
    await api.change(incident, status="resolved", resolution="turned it off and on")
    await api.settle()
    assert receiver.types == ["triggered", "resolved", "annotated"]
    assert receiver.heard[-1].event["data"]["content"] == "Resolution Note: turned it off and on"
    entry = next(row for row in await api.log(incident) if row["type"] == "resolve_log_entry")
    assert entry["note"] == "turned it off and on"


# The rest.


async def test_notes_are_written_edited_and_deleted(api: Api, receiver: Receiver) -> None:
    incident = await api.create()
    await api.subscribe(receiver.url)
    path = f"/incidents/{incident['id']}/notes"
    answer = await api.call("POST", path, {"note": {"content": "Looking"}}, by=2)
    assert answer.status == 200
    note = answer.body["note"]
    assert note["user"]["summary"] == "Bob Chen"
    edited = await api.call("PUT", f"{path}/{note['id']}", {"note": {"content": "Found it"}})
    assert edited.body["note"]["content"] == "Found it"
    assert [row["content"] for row in (await api.get(path))["notes"]] == ["Found it"]
    assert (await api.call("DELETE", f"{path}/{note['id']}", by=None)).status == 204
    assert (await api.get(path))["notes"] == []
    assert (await api.call("DELETE", f"{path}/{note['id']}")).status == 404
    await api.settle()
    assert receiver.types == ["annotated"]
    assert receiver.heard[0].event["data"]["id"] == note["id"]
    for content in ("", 7, None, "x" * 65_536):
        assert (await api.call("POST", path, {"note": {"content": content}})).code == 2001
    assert (await api.call("POST", path, {"note": {"content": "x" * 65_535}})).status == 200


async def test_an_edited_note_is_told_to_nobody_and_stands_in_no_log(
    api: Api, receiver: Receiver
) -> None:
    incident = await api.create()
    path = f"/incidents/{incident['id']}/notes"
    note = (await api.call("POST", path, {"note": {"content": "Looking"}})).body["note"]
    await api.subscribe(receiver.url)
    before = await api.log(incident)
    one = f"{path}/{note['id']}"
    assert (await api.call("PUT", one, {"note": {"content": "Found it"}}, by=2)).status == 200
    assert (await api.call("DELETE", one, by=None)).status == 204
    await api.settle()
    assert receiver.heard == []
    assert await api.log(incident) == before


async def test_an_incident_has_two_thousand_notes_at_most(api: Api) -> None:
    incident = await api.create()
    path, records = f"/incidents/{incident['id']}/notes", api.sandbox._records
    first = (await api.call("POST", path, {"note": {"content": "1"}})).body["note"]["id"]
    with records.unit():
        for number in range(2, 2_000):
            records.notes.put(replace(records.notes[first], id=f"N{number}"))
    assert (await api.call("POST", path, {"note": {"content": "2000"}})).status == 200
    assert (await api.call("POST", path, {"note": {"content": "2001"}})).code == 2001


async def test_a_snooze_touches_nothing_else_and_is_told_to_nobody(
    api: Api, receiver: Receiver
) -> None:
    incident = await api.create()
    path = f"/incidents/{incident['id']}/snooze"
    before = await api.change(incident, by=2, status="acknowledged")
    await api.subscribe(receiver.url)
    for duration in (604_800, 60):  # the later one holds
        after = (await api.call("POST", path, {"duration": duration}, by=3)).body["incident"]
    for name in ("status", "assignments", "acknowledgements", "title", "urgency"):
        assert after[name] == before[name], name
    assert len(after["pending_actions"]) == 1
    await api.settle()
    assert receiver.heard == []
    assert [row["type"] for row in await api.log(incident)][-2:] == ["snooze_log_entry"] * 2
    await api.change(incident, status="resolved")
    assert (await api.call("POST", path, {"duration": 60})).code == 1012


async def test_a_snooze_runs_out(api: Api, receiver: Receiver, clock: Clock) -> None:
    incident = await api.create()
    path = f"/incidents/{incident['id']}/snooze"
    assert (await api.call("POST", path, {"duration": 60})).code == 1012
    await api.change(incident, status="acknowledged")
    assert (await api.call("POST", path, {"duration": 0})).code == 1013
    assert (await api.call("POST", path, {"duration": 604_801})).code == 1013
    snoozed = await api.call("POST", path, {"duration": 60})
    assert snoozed.status == 201
    assert snoozed.body["incident"]["pending_actions"][0]["type"] == "unacknowledge"
    await api.subscribe(receiver.url)
    clock.pass_(seconds=59)
    assert await api.settle() == 0
    clock.pass_(seconds=1)
    await api.settle()
    assert receiver.types == ["unacknowledged"]
    assert receiver.heard[0].event["agent"] is None


async def test_timers_escalate_unacknowledge_and_resolve(
    api: Api, receiver: Receiver, clock: Clock
) -> None:
    switches = api.sandbox.switches
    switches.escalation_timers = True
    switches.acknowledgement_timeout, switches.auto_resolve_timeout = 3600, 4 * 3600
    await api.subscribe(receiver.url)
    incident = await api.create()
    assert api.sandbox.next_due() == clock.at
    clock.pass_(hours=0.5)
    await api.settle()
    await api.change(incident, status="acknowledged")
    for _ in range(4):
        clock.pass_(hours=1)
        await api.settle()
    assert receiver.types == [
        "triggered",
        "escalated",
        "acknowledged",
        "unacknowledged",
        "resolved",
    ]
    assert receiver.heard[1].event["agent"] is receiver.heard[4].event["agent"] is None
    assert api.sandbox.next_due() is None


async def test_merging_resolves_the_sources(api: Api, receiver: Receiver) -> None:
    target, *sources = [await api.create(title) for title in ("target", "one", "two")]
    path = f"/incidents/{target['id']}/merge"
    await api.subscribe(receiver.url)
    before = await api.log(target)
    references = [{"id": row["id"], "type": "incident_reference"} for row in sources]
    answer = await api.call("PUT", path, {"source_incidents": references}, by=2)
    assert answer.body["incident"]["id"] == target["id"]
    await api.settle()
    told = [(heard.type, heard.event["data"]["id"]) for heard in receiver.heard]
    assert told == [("incident.resolved", row["id"]) for row in sources], "and none on the target"
    for heard, row in zip(receiver.heard, sources, strict=True):
        found = (await api.get(f"/incidents/{row['id']}"))["incident"]
        assert (found["status"], found["assignments"]) == ("resolved", [])
        for reason in (found["resolve_reason"], heard.event["data"]["resolve_reason"]):
            assert reason["type"] == "merge_resolve_reason"
            assert reason["incident"]["id"] == target["id"]
        last = (await api.log(row))[-1]
        assert last["type"] == "resolve_log_entry"
        assert last["agent"]["summary"] == "Bob Chen"
    assert await api.log(target) == before
    assert (await api.get(f"/incidents/{target['id']}"))["incident"]["status"] == "triggered"


async def test_what_cannot_be_merged(api: Api) -> None:
    target, merged, resolved = [await api.create(str(number)) for number in range(3)]
    await api.change(resolved, status="resolved")

    async def code(into: Json, *sources: str) -> int:
        references = [{"id": id_, "type": "incident_reference"} for id_ in sources]
        path = f"/incidents/{into['id']}/merge"
        return (await api.call("PUT", path, {"source_incidents": references})).code

    assert await code(target, target["id"]) == 2001
    assert await code(target) == 2001, "nothing"
    assert await code(target, "QNONE") == 5001
    assert await code(target, resolved["id"]) == 1001
    assert await code(resolved, target["id"]) == 1001, "the target must be open"
    assert await code(target, merged["id"], merged["id"]) == 1019
    assert (await api.get(f"/incidents/{merged['id']}"))["incident"]["status"] == "triggered"


async def test_status_updates_are_told(api: Api, receiver: Receiver) -> None:
    incident = await api.create()
    await api.subscribe(receiver.url)
    path = f"/incidents/{incident['id']}/status_updates"
    answer = await api.call("POST", path, {"message": "We are on it", "subject": "S"})
    assert answer.body["status_update"]["sender"]["summary"] == "imsync"
    assert (await api.call("POST", path, {})).code == 2001
    await api.settle()
    assert receiver.types == ["status_update_published"]


async def test_found_by_id_or_number(api: Api) -> None:
    incident = await api.create(body={"type": "incident_body", "details": "long"})
    by_number = (await api.get("/incidents/1?include[]=body&include[]=assignees"))["incident"]
    assert by_number["id"] == incident["id"]
    assert by_number["body"]["details"] == "long"
    assert by_number["assignments"][0]["assignee"]["email"]
    plain = (await api.get(f"/incidents/{incident['id']}"))["incident"]
    assert "body" not in plain
    missing = await api.call("GET", "/incidents/QNONE")
    assert (missing.status, missing.code) == (404, 5001)
