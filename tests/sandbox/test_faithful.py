"""Against what PagerDuty itself has published: its OpenAPI, its captured traffic, its vectors.

Tests of other files judge every answer they get; here are the answers that none of them gets,
every event, and the judge himself.
"""

from typing import Any

import orjson
import pytest
from jsonschema_rs import Draft202012Validator

from imsync.sandbox import deliveries, events
from tests.openapi.judge import ABSENT, FACTS, OpenApi, openapi, sample
from tests.sandbox.conftest import EVENTS, Api, Receiver

INCLUDED = (
    "acknowledgers",
    "agents",
    "assignees",
    "conference_bridge",
    "escalation_policies",
    "first_trigger_log_entries",
    "priorities",
    "services",
    "teams",
    "users",
)

pytestmark = pytest.mark.skipif(not FACTS.exists(), reason=ABSENT)


@pytest.fixture
def judge() -> OpenApi:
    found = openapi()
    assert found
    return found


# The judge.


def test_real_incidents_pass_and_only_with_the_amendments(judge: OpenApi) -> None:
    strict = openapi(amended=False)
    assert strict
    created = sample("rest_post_incidents_201.json")["response"]
    assert not judge.of_answer("POST", "/incidents", 201, created)
    assert strict.of_answer("POST", "/incidents", 201, created)
    listed = sample("rest_incident_created_by_rest_api.json")["incident"]
    assert not judge.judge_as("Incident", listed)
    assert strict.judge_as("Incident", listed)


def test_the_judge_is_not_asleep(judge: OpenApi) -> None:
    created = sample("rest_post_incidents_201.json")["response"]
    wrong: list[dict[str, Any]] = [
        {"status": "open"},
        {"incident_number": "3"},
        {"assignments": [{"at": "2024-04-16T14:16:44Z"}]},
        {"service": {"id": "PX", "type": "user_reference"}},
        {"urgency": None},
        {"incident_key": 7},
    ]
    for change in wrong:
        body = {"incident": {**created["incident"], **change}}
        assert judge.of_answer("POST", "/incidents", 201, body), change
    assert judge.of_answer("POST", "/incidents", 201, {})
    assert judge.of_answer("POST", "/incidents", 204, None)
    assert judge.of_answer("GET", "/nowhere", 200, {})
    assert judge.of_answer("GET", "/incidents/Q1", 404, {"error": "gone"})


# REST.


async def test_every_answer_is_as_the_openapi_says(api: Api) -> None:
    """`Api.get` has each of them judged."""
    first = await api.create(
        priority=api.priority(1), body={"type": "incident_body", "details": "long"}
    )
    await api.change(first, status="acknowledged", title="New", urgency="low", priority=None)
    about = api.about
    include = "include[]=" + "&include[]=".join(INCLUDED)
    entry = (await api.log(first))[0]
    for path in (
        "/incidents",
        "/incidents?total=true&limit=1",
        f"/incidents?{include}",
        f"/incidents/{first['id']}?{include}&include[]=body",
        f"/incidents/{first['id']}/notes",
        f"/incidents/{first['id']}/log_entries?is_overview=true",
        "/log_entries?include[]=incidents&include[]=services&include[]=channels",
        f"/log_entries/{entry['id']}",
        "/services",
        f"/services/{about['default_service']}",
        "/users",
        f"/users/{api.user(1)}",
        "/escalation_policies",
        f"/escalation_policies/{about['escalation_policies'][0]['id']}",
        "/schedules",
        f"/schedules/{about['schedules'][0]['id']}",
        "/oncalls",
        "/oncalls?include[]=users&include[]=escalation_policies",
        "/priorities",
        "/abilities",
        "/webhook_subscriptions",
    ):
        await api.get(path)


async def test_incidents_have_what_real_ones_have(api: Api) -> None:
    real = sample("rest_post_incidents_201.json")["response"]["incident"]
    ours = await api.create(
        priority=api.priority(3), body={"type": "incident_body", "details": "long"}
    )
    assert set(real) - set(ours) == set()
    assert set(ours) - set(real) == {"incident_type"}  # newer than the capture
    for key in ("priority", "service", "first_trigger_log_entry"):
        assert set(ours[key]) == set(real[key]), key
    fetched = await api.get(f"/incidents/{ours['id']}?include[]=first_trigger_log_entries")
    real = sample("rest_incident_created_by_rest_api.json")["incident"]
    assert set(real) - set(fetched["incident"]) == set()
    entry, real_entry = (found["first_trigger_log_entry"] for found in (fetched["incident"], real))
    assert set(entry) == set(real_entry)
    assert set(entry["channel"]) == set(real_entry["channel"])


async def test_every_log_entry_is_of_the_kind_it_says(api: Api, judge: OpenApi) -> None:
    incident = await api.create()
    assigned = {"assignments": [{"assignee": {"id": api.user(4), "type": "user_reference"}}]}
    policy = {"id": api.about["escalation_policies"][2]["id"], "type": "x"}
    path = f"/incidents/{incident['id']}"
    for changes in (
        {"title": "New", "priority": "P1", "urgency": "low"},
        {"priority": None, "urgency": "high"},
        {"status": "acknowledged"},
        {"status": "triggered"},
        assigned,
        {"escalation_policy": policy},
        {"escalation_level": 2},
        {"status": "acknowledged"},
    ):
        await api.change(incident, **changes)
    await api.call("POST", f"{path}/snooze", {"duration": 60})
    await api.call("POST", f"{path}/notes", {"note": {"content": "n"}})
    await api.change(incident, status="resolved")
    kinds = {
        "trigger_log_entry": "TriggerLogEntry",
        "acknowledge_log_entry": "AcknowledgeLogEntry",
        "unacknowledge_log_entry": "UnacknowledgeLogEntry",
        "resolve_log_entry": "ResolveLogEntry",
        "assign_log_entry": "AssignLogEntry",
        "delegate_log_entry": "DelegateLogEntry",
        "escalate_log_entry": "EscalateLogEntry",
        "annotate_log_entry": "AnnotateLogEntry",
        "snooze_log_entry": "SnoozeLogEntry",
        "urgency_change_log_entry": "UrgencyChangeLogEntry",
        "field_value_change_log_entry": "FieldValueChangeLogEntry",
    }
    found = await api.log(incident)
    assert {row["type"] for row in found} == set(kinds)
    for row in found:
        assert not judge.judge_as(kinds[row["type"]], row), row


# Webhooks.


async def test_every_event_has_the_form_of_real_ones(api: Api, receiver: Receiver) -> None:
    schema = Draft202012Validator(
        orjson.loads((FACTS / "webhooks-v3-derived.schema.json").read_bytes())
    )
    subscription = await api.subscribe(receiver.url)
    incident = await api.create(priority=api.priority(1))
    other = await api.create()
    assigned = {"assignments": [{"assignee": {"id": api.user(4), "type": "user_reference"}}]}
    policy = {"id": api.about["escalation_policies"][2]["id"], "type": "x"}
    service = {"id": api.about["services"][2]["id"], "type": "x"}
    for changes in (
        {"status": "acknowledged"},
        {"status": "triggered", "priority": "P2"},
        {**assigned, "conference_bridge": {"conference_number": "+1 234"}},
        {"escalation_policy": policy, "service": service},
        {"escalation_level": 2, "incident_type": {"name": "major_default"}},
        {"status": "resolved", "resolution": "done"},
        {"status": "triggered"},
    ):
        await api.change(incident, **changes)
    path = f"/incidents/{incident['id']}"
    await api.call("POST", f"{path}/status_updates", {"message": "soon"})
    sources = {"source_incidents": [{"id": other["id"], "type": "incident_reference"}]}
    await api.call("PUT", f"{path}/merge", sources)
    await api.call("POST", f"/webhook_subscriptions/{subscription['id']}/ping")
    await api.settle()
    assert {heard.type for heard in receiver.heard} == {*EVENTS, "pagey.ping"}
    for heard in receiver.heard:
        problems = [error.message for error in schema.iter_errors(orjson.loads(heard.raw))]
        assert not problems, (heard.type, problems)
        assert heard.raw == orjson.dumps(orjson.loads(heard.raw)), "compact"


@pytest.mark.parametrize(
    ("event", "file"),
    [
        ("incident.escalated", "incident.escalated.json"),
        ("incident.priority_updated", "incident.priority_updated.json"),
        ("incident.annotated", "incident.annotated.json"),
        ("incident.status_update_published", "incident.status_update_published.json"),
        ("incident.conference_bridge.updated", "incident.conference_bridge.updated.json"),
    ],
)
async def test_events_have_what_captured_ones_have(
    api: Api, receiver: Receiver, event: str, file: str
) -> None:
    incident = await api.create()
    await api.subscribe(receiver.url, events=[event])
    await api.change(
        incident,
        priority="P1",
        escalation_level=2,
        conference_bridge={"conference_url": "https://x.example"},
    )
    await api.call("POST", f"/incidents/{incident['id']}/notes", {"note": {"content": "n"}})
    await api.call("POST", f"/incidents/{incident['id']}/status_updates", {"message": "m"})
    await api.settle()
    (heard,) = receiver.heard
    real, ours = sample(file)["payload"]["event"], heard.event
    assert list(ours) == list(real)
    assert set(ours["data"]) == set(real["data"])
    for key in ("service", "priority", "escalation_policy", "incident"):
        if real["data"].get(key):
            assert set(ours["data"][key]) == set(real["data"][key]), key
    if "incident" in ours["data"]:
        assert ours["data"]["incident"]["summary"] == incident["title"]
    assert set(ours["agent"]) == set(real["agent"])
    if real["occurred_at"] > "2026":  # the order was another before
        assert list(ours["agent"]) == list(real["agent"])
    assert len(ours["id"]) == len(real["id"])


def test_signs_as_the_official_client_verifies() -> None:
    vector = sample("signature_test_vector.json")
    assert deliveries.sign(vector["secret"], vector["body"].encode()) == vector["signature"]


def test_knows_all_documented_events() -> None:
    schema = orjson.loads((FACTS / "webhooks-v3-derived.schema.json").read_bytes())
    documented = {*schema["x-event-type-to-data-type"], "incident.unacknowledged"}
    assert documented - {"pagey.ping"} == events.DOCUMENTED
