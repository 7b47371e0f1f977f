"""The log: every shape that is known of an entry, and those that tell nothing."""

from typing import Any

import pytest

from imsync.connectors.base import Change, Unusable
from imsync.connectors.pagerduty.log import changes
from imsync.core.fields import Field, Value


def entry(type_: str, second: int = 0, **rest: Any) -> dict[str, Any]:
    made = {"type": f"{type_}_log_entry", "created_at": f"2026-09-21T14:13:{second:02}Z"}
    return made | {"agent": {"id": "PBOB"}} | rest


def changeset(*lines: Any) -> dict[str, Any]:
    return {"type": "api", "changeset": {"application_fields": list(lines)}}


def read(*entries: Any, offset: int = 0) -> list[Change]:
    names = {"PRIO1": "P1"}
    answer = {"log_entries": list(entries)}
    return list(changes(answer, external_id="Q1", offset=offset, priority_name=names.get))


@pytest.mark.parametrize(
    ("found", "field", "value"),
    [
        (entry("trigger"), Field.STATUS, "triggered"),
        (entry("acknowledge"), Field.STATUS, "acknowledged"),
        (entry("unacknowledge"), Field.STATUS, "triggered"),
        (entry("resolve"), Field.STATUS, "resolved"),
        (entry("assign", assignees=[{"id": "PANN"}]), Field.ASSIGNED_TO, "PANN"),
        (entry("escalate", assignees=[{"id": "PANN"}]), Field.ASSIGNED_TO, "PANN"),
        (entry("delegate", assignees=[{"id": "PANN"}]), Field.ASSIGNED_TO, "PANN"),
        (entry("delegate", escalation_policy={"id": "PP"}), Field.ESCALATION_POLICY, "PP"),
        (
            entry("urgency_change", channel=changeset({"name": "urgency", "value": "low"})),
            Field.SEVERITY,
            "low",
        ),
        (entry("urgency_change", channel={"new_urgency": "low"}), Field.SEVERITY, "low"),
        (
            entry("priority_change", channel={"new_priority": {"summary": "P2"}}),
            Field.SEVERITY,
            "P2",
        ),
        (
            entry("field_value_change", channel=changeset({"name": "title", "value": "New"})),
            Field.TITLE,
            "New",
        ),
        (
            entry("field_value_change", changeset=[{"name": "title", "value": "New"}]),
            Field.TITLE,
            "New",
        ),
        (
            entry("field_value_change", channel=changeset({"name": "priority", "value": "PRIO1"})),
            Field.SEVERITY,
            "P1",
        ),
        (
            entry(
                "field_value_change",
                channel=changeset({"name": "priority", "value": {"id": "PRIO9", "name": "P9"}}),
            ),
            Field.SEVERITY,
            "P9",
        ),
        (
            entry(
                "field_value_change",
                channel=changeset({"name": "escalation_policy", "value": {"id": "PP"}}),
            ),
            Field.ESCALATION_POLICY,
            "PP",
        ),
    ],
)
def test_an_entry_tells_what_was_set(found: dict[str, Any], field: Field, value: Value) -> None:
    (change,) = read(found)
    assert (change.external_id, change.by_id) == ("Q1", "PBOB")
    assert (change.field, change.value) == (field, value)


@pytest.mark.parametrize(
    "found",
    [
        entry("notify"),
        entry("snooze"),
        entry("annotate"),
        entry("assign", assignees=[]),
        entry("field_value_change"),
        entry("field_value_change", channel={"changeset": "Updated serial_number to 123"}),
        entry("field_value_change", changeset=["Updated serial_number to 123"]),
        entry("field_value_change", channel=changeset({"name": "service", "value": "PS"}, 7)),
        entry("field_value_change", channel=changeset({"name": "title", "value": 7})),
        entry("urgency_change", channel=None),
        entry("of_a_later_year"),
    ],
)
def test_an_entry_that_tells_no_value_is_passed_over(found: dict[str, Any]) -> None:
    assert read(found) == []


def test_an_edit_of_two_fields_is_two_changes() -> None:
    both = changeset({"name": "title", "value": "New"}, {"name": "urgency", "value": "low"})
    found = read(entry("field_value_change", channel=both))
    assert [change.field for change in found] == [Field.TITLE, Field.SEVERITY]


@pytest.mark.parametrize("newest_first", [True, False])
def test_oldest_first_however_it_is_kept(newest_first: bool) -> None:
    kept = [entry("trigger", 1), entry("acknowledge", 2), entry("resolve", 2), entry("assign", 3)]
    if newest_first:
        kept.reverse()
    values = [change.value for change in read(*kept)]
    assert values == ["triggered", "acknowledged", "resolved"]


def test_times_are_on_our_clock() -> None:
    (change,) = read(entry("resolve", 20), offset=1_500)
    assert change.at == 1_790_000_000_000 - 1_500


@pytest.mark.parametrize("answer", [{}, {"log_entries": None}, {"log_entries": {}}])
def test_a_log_that_is_none_is_said_to_be_none(answer: dict[str, Any]) -> None:
    with pytest.raises(Unusable):
        changes(answer, external_id="Q1", offset=0, priority_name=lambda _: None)


@pytest.mark.parametrize(
    "bad",
    [None, 7, {"type": "x"}, entry("resolve", created_at=None), entry("x", created_at="soon")],
)
def test_an_entry_that_makes_no_sense_does_not_hide_the_others(bad: Any) -> None:
    """No poll of the account came to an end any more, for as long as the log showed it."""
    read_ = read(entry("resolve", 2), bad, entry("acknowledge", 1))
    assert [change.value for change in read_] == ["acknowledged", "resolved"]
