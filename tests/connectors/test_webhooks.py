"""Deliveries: real ones are understood, forged ones are not believed, junk breaks nothing."""

import hmac
import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imsync.connectors.base import Entry, Envelope, Kind, Note, Sort, Unusable
from imsync.connectors.pagerduty.webhooks import ABOUT, envelope, parse, proves
from imsync.core.fields import Field, Instant
from tests.openapi.judge import FACTS

from .conftest import recorded

SECRET = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK"
OCCURRED = Instant(1_790_000_000_123)

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def signed(body: bytes, secret: str = SECRET) -> str:
    return "v1=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def data(**changed: Any) -> dict[str, Any]:
    """An incident as webhooks show it."""
    return {
        "id": "Q1",
        "type": "incident",
        "html_url": "https://acme.pagerduty.com/incidents/Q1",
        "status": "triggered",
        "incident_key": "imsync:INC-1",
        "created_at": "2026-09-21T14:13:00Z",
        "title": "Checkout is slow",
        "service": {"id": "PSVC"},
        "assignees": [{"id": "PBOB", "summary": "Bob"}, {"id": "PANN", "summary": "Ann"}],
        "escalation_policy": {"id": "PPOL", "summary": "Default"},
        "priority": {"id": "PRIO1", "summary": "P1"},
        "urgency": "high",
    } | changed


def delivery(type_: str, about: Any, **changed: Any) -> bytes:
    event = {
        "id": "01ABC",
        "event_type": type_,
        "occurred_at": "2026-09-21T14:13:20.123Z",
        "agent": {"id": "PBOB", "summary": "Bob"},
        "data": about,
    }
    return orjson.dumps({"event": event | changed})


# Who sent it.


def test_the_official_signature_is_proven() -> None:
    path = FACTS / "samples" / "signature_test_vector.json"
    if not path.exists():
        pytest.skip("the official test vector is not beside this repository")
    vector = json.loads(path.read_text())
    body = vector["body"].encode()
    assert proves([vector["secret"]], vector["signature"], body)
    assert not proves([vector["secret"]], vector["signature"], body + b" ")
    assert not proves([vector["secret"][:-1]], vector["signature"], body)


def test_any_signature_by_any_secret_will_do() -> None:
    header = f"v0=00, {signed(b'x', 'old')},{signed(b'x', 'new')} ,v2=ff"
    assert proves(["new"], header, b"x")
    assert proves(["neither", "old"], header, b"x")
    assert not proves(["neither"], header, b"x")


def test_without_a_secret_nobody_is_believed() -> None:
    assert not proves([], signed(b"x"), b"x")
    assert not proves([""], signed(b"x", ""), b"x")


@pytest.mark.parametrize(
    "header",
    [None, "", "v1=", "v1=,", ",,,", "v1=0", "v1=é\U0001f525\udcff", "v2=" + "0" * 64, "v1"],
)
def test_a_header_of_junk_proves_nothing(header: str | None) -> None:
    assert not proves([SECRET, "é\ud800"], header, b"x")


def test_every_signature_is_compared_with_every_secret_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How long it takes tells nothing of how much was right, nor of which secret it was."""
    compared: list[tuple[bytes, bytes]] = []
    in_constant_time = hmac.compare_digest

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append((ours, theirs))
        return in_constant_time(ours, theirs)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert proves([SECRET, "another"], f"{signed(b'x')},v1=00,v1=ff", b"x")
    assert len(set(compared)) == 6


@given(st.lists(st.text()), st.none() | st.text(), st.binary())
def test_nothing_that_is_sent_makes_the_proof_fail_to_answer(
    secrets: list[str], header: str | None, body: bytes
) -> None:
    assert proves(secrets, header, body) is False


# What it says.


@pytest.mark.parametrize("path", recorded("*incident.*"), ids=lambda path: path.stem)
def test_recorded_deliveries_are_understood(path: Path) -> None:
    payload = json.loads(path.read_text())["payload"]
    body = orjson.dumps(payload)
    event = parse(body, offset=0)
    known = envelope(body)
    assert (known.event_id, known.event_type) == (event.id, event.type)
    assert known.external_id == event.external_id
    assert event.external_id
    assert event.sort is not Sort.NOTHING
    if event.sort in (Sort.OBSERVATION, Sort.APPEARED, Sort.ESCALATED):
        assert event.snapshot is not None
        assert set(event.snapshot.set_at) == set(ABOUT[event.type]) & set(event.snapshot.fields)
        assert event.snapshot.fields[Field.TITLE] == payload["event"]["data"]["title"]
        assert event.snapshot.created_at is None or event.snapshot.created_at <= event.at
    if event.sort is Sort.NOTE:
        assert event.note is not None
        assert event.note.text


def test_recorded_kinds_of_data_name_their_incident() -> None:
    path = FACTS / "samples" / "official_data_types.json"
    if not path.exists():
        pytest.skip("the official kinds of data are not beside this repository")
    for kind, found in json.loads(path.read_text())["data_types"].items():
        event = parse(delivery("incident.something.new", found), offset=0)
        of_a_service = kind.startswith("service")
        assert event.sort is (Sort.NOTHING if of_a_service else Sort.LOOK), kind
        assert (event.external_id is None) is of_a_service, kind


def test_an_event_shows_the_whole_incident_on_our_clock() -> None:
    event = parse(delivery("incident.acknowledged", data(status="acknowledged")), offset=1_000)
    at = Instant(OCCURRED - 1_000)
    assert (event.sort, event.at, event.by) == (Sort.OBSERVATION, at, "Bob")
    shown = event.snapshot
    assert shown is not None
    assert shown.fields == {
        Field.TITLE: "Checkout is slow",
        Field.STATUS: "acknowledged",
        Field.SEVERITY: "high P1",
        Field.ASSIGNED_TO: "PBOB",
        Field.ESCALATION_POLICY: "PPOL",
    }
    assert (shown.as_of, shown.set_at) == (at, {Field.STATUS: at})
    assert shown.set_by == {Field.STATUS: "Bob"}
    assert shown.created_at == 1_790_000_000_000 - 20_000 - 1_000
    assert (shown.key, shown.service_id, shown.open) == ("imsync:INC-1", "PSVC", True)
    assert list(shown.learnt) == [Entry(Kind.ESCALATION_POLICY, "Default", "PPOL")]


@pytest.mark.parametrize(
    ("type_", "about"),
    [
        ("incident.acknowledged", {Field.STATUS}),
        ("incident.unacknowledged", {Field.STATUS}),
        ("incident.reopened", {Field.STATUS}),
        ("incident.reassigned", {Field.ASSIGNED_TO}),
        ("incident.delegated", {Field.ASSIGNED_TO, Field.ESCALATION_POLICY}),
        ("incident.priority_updated", {Field.SEVERITY}),
        ("incident.priority_changed", {Field.SEVERITY}),
        ("incident.service_updated", set()),
        ("incident.incident_type.changed", set()),
    ],
)
def test_an_event_dates_the_fields_that_it_is_about(type_: str, about: set[Field]) -> None:
    event = parse(delivery(type_, data()), offset=0)
    assert event.sort is Sort.OBSERVATION
    assert event.snapshot is not None
    assert event.snapshot.set_at == dict.fromkeys(about, OCCURRED)


def test_a_new_incident_dates_all_its_fields() -> None:
    event = parse(delivery("incident.triggered", data()), offset=0)
    assert event.sort is Sort.APPEARED
    assert event.snapshot is not None
    assert event.snapshot.set_at == dict.fromkeys(event.snapshot.fields, OCCURRED)


def test_an_escalation_is_told_apart() -> None:
    event = parse(delivery("incident.escalated", data()), offset=0)
    assert event.sort is Sort.ESCALATED
    assert event.snapshot is not None
    assert event.snapshot.set_at == {Field.ASSIGNED_TO: OCCURRED}


def test_a_resolved_incident_says_nothing_of_assignees() -> None:
    event = parse(delivery("incident.resolved", data(status="resolved", assignees=[])), offset=0)
    assert event.snapshot is not None
    assert Field.ASSIGNED_TO not in event.snapshot.fields
    assert not event.snapshot.open


def test_an_open_incident_of_nobody_says_so() -> None:
    event = parse(delivery("incident.reassigned", data(assignees=[])), offset=0)
    assert event.snapshot is not None
    assert event.snapshot.fields[Field.ASSIGNED_TO] is None


def test_what_an_incident_does_not_show_is_absent() -> None:
    sparse = {"id": "Q1", "type": "incident", "status": "triggered", "priority": None}
    event = parse(delivery("incident.reopened", sparse, agent=None), offset=0)
    assert event.snapshot is not None
    assert event.snapshot.fields == {Field.STATUS: "triggered"}
    assert event.by is None


@pytest.mark.parametrize(
    ("type_", "key"),
    [("incident.annotated", "content"), ("incident.status_update_published", "message")],
)
def test_remarks_are_notes(type_: str, key: str) -> None:
    about = {"id": "PNOTE", "type": "x", "incident": {"id": "Q1"}, key: "On it"}
    event = parse(delivery(type_, about), offset=0)
    assert (event.sort, event.external_id, event.at) == (Sort.NOTE, "Q1", OCCURRED)
    assert event.note == Note("PNOTE", "On it")


def test_a_role_names_its_incident_in_its_own_way() -> None:
    roles = {"incident_role_assignments": [{"incident": {"id": "Q1"}}]}
    event = parse(delivery("incident.role.assigned", roles), offset=0)
    assert (event.sort, event.external_id) == (Sort.LOOK, "Q1")


@pytest.mark.parametrize(
    ("type_", "about", "sort"),
    [
        ("pagey.ping", {"message": "Hello from your friend Pagey!", "type": "ping"}, Sort.PROOF),
        ("service.updated", {"id": "PSVC", "type": "service"}, Sort.NOTHING),
        ("incident.title_updated", data(), Sort.LOOK),
        ("incident.of_a_later_year", {"incident": {"id": "Q1"}}, Sort.LOOK),
        ("incident.of_a_later_year", {"surprise": 1}, Sort.NOTHING),
        ("something.else", None, Sort.NOTHING),
    ],
)
def test_other_types_ask_for_no_more_than_they_can(type_: str, about: Any, sort: Sort) -> None:
    assert parse(delivery(type_, about), offset=0).sort is sort
    timeless = parse(delivery(type_, about, occurred_at="yesterday"), offset=0)
    assert (timeless.sort, timeless.at) == (sort, 0)


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\udd25\\ud83d", b"\xf0\x9f", b"caf\xe9"])
def test_half_an_emoji_costs_that_sign_and_no_more(half: bytes) -> None:
    body = delivery("incident.acknowledged", data(title="Down HERE")).replace(b"HERE", half)
    assert envelope(body).external_id == "Q1"
    event = parse(body, offset=0)
    assert event.snapshot is not None
    title = event.snapshot.fields[Field.TITLE]
    assert title is not None
    assert title.startswith("Down ")
    title.encode()  # as the database will


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the body is a list"),
        (b"{}", "event is missing"),
        (b'{"event": {}}', "event_type is missing"),
        (b'{"event": {"event_type": 5}}', "event_type is a number"),
        (delivery("incident.resolved", None), "data is missing"),
        (delivery("incident.resolved", data(id=None)), "id is empty"),
        (delivery("incident.resolved", data(status=["x"])), "status is a list"),
        (delivery("incident.resolved", data(title=10**18)), "title is a number"),
        (delivery("incident.triggered", data(assignees={})), "assignees is an object"),
        (delivery("incident.triggered", data(assignees=[7])), r"assignees\[0\] is a number"),
        (delivery("incident.resolved", data(), occurred_at=None), "occurred_at is missing"),
        (delivery("incident.resolved", data(), occurred_at="soon"), "occurred_at is not a time"),
        (delivery("incident.annotated", {"id": "PN", "content": "x"}), "on no incident"),
        (delivery("incident.annotated", {"incident": {"id": "Q1"}}), "content is missing"),
    ],
)
def test_what_cannot_be_understood_says_what_is_wrong(body: bytes, wrong: str) -> None:
    with pytest.raises(Unusable, match=wrong):
        parse(body, offset=0)


# Junk.


def survives(body: bytes) -> None:
    assert isinstance(envelope(body), Envelope)
    with suppress(Unusable):
        parse(body, offset=0)


@given(st.binary())
@example(b'{"event":{"event_type":"incident.resolved","occurred_at":"0001-01-01T00:00:00+23:59"}}')
@example(b'{"event":{"id":' + b"9" * 400 + b"}}")
@example(b'{"event":' * 5_000)
def test_bytes_of_any_kind_are_survived(body: bytes) -> None:
    survives(body)


@given(
    st.sampled_from([*ABOUT, "incident.annotated", "incident.x", "pagey.ping"]),
    junk,
    st.just("2026-09-21T14:13:20Z") | junk,
)
def test_events_of_any_shape_are_survived(type_: str, about: Any, time: Any) -> None:
    event = {"event_type": type_, "data": about, "occurred_at": time, "agent": about, "id": time}
    survives(json.dumps({"event": event}).encode(errors="replace"))


@given(st.dictionaries(st.sampled_from(sorted(data())), junk), st.sampled_from(sorted(ABOUT)))
def test_incidents_with_anything_in_their_fields_are_survived(
    changed: dict[str, Any], type_: str
) -> None:
    whole = json.loads(delivery(type_, None))
    whole["event"]["data"] = data() | changed
    survives(json.dumps(whole).encode(errors="replace"))
