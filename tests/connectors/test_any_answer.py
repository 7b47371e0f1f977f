"""Whatever JSON PagerDuty answers, each question has an answer or a defined error, no other end.

EXAMPLES=10000 tries as many of each.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imsync.connectors.base import Draft, Kind, Unusable
from imsync.connectors.pagerduty import rest
from imsync.connectors.pagerduty.client import PagerDuty
from imsync.connectors.pagerduty.reading import LONGEST, Object, parsed
from imsync.connectors.pagerduty.rest import Read, Rest, T
from imsync.core.fields import Field, Instant, Value
from imsync.errors import ExternalError

from .wire import NOW, incident, pagerduty

FIELDS: dict[Field, Value] = {Field.TITLE: "New"}
DRAFT = Draft("imsync:INC-1", FIELDS, "PSVC")

CALLS: dict[str, Callable[[PagerDuty], Awaitable[object]]] = {
    "fetch": lambda pd: pd.fetch("Q1"),
    "find": lambda pd: pd.find("imsync:INC-1", "PSVC"),
    "list_open": lambda pd: pd.list_open(),
    "create": lambda pd: pd.create(DRAFT, actor=None),
    "write": lambda pd: pd.write("Q1", FIELDS, actor=None),
    "write_many": lambda pd: pd.write_many({"Q1": FIELDS}, actor=None),
    "log": lambda pd: pd.log("Q1", Instant(0)),
    "feed": lambda pd: pd.feed(Instant(0)),
    "notes": lambda pd: pd.notes("Q1"),
    "put_note": lambda pd: pd.put_note("Q1", "x", note_id=None, actor=None),
    "look_up": lambda pd: pd.look_up(Kind.USER, "bob@example.com"),
    "look_up a priority": lambda pd: pd.look_up(Kind.PRIORITY, "P1"),
    "look_up_id": lambda pd: pd.look_up_id(Kind.SCHEDULE, "P1"),
    "list_names": lambda pd: pd.list_names(Kind.SERVICE),
    "on_call": lambda pd: pd.on_call(policy_id="P1"),
    "check": lambda pd: pd.check(["PSVC"]),
    "subscriptions": lambda pd: pd.subscriptions(),
    "subscription": lambda pd: pd.subscription("P1"),
    "subscribe": lambda pd: pd.subscribe("https://imsync.example"),
    "enable": lambda pd: pd.enable("P1"),
}

NAMES = (
    *("incidents", "incident", "log_entries", "notes", "note", "users", "user", "priorities"),
    *("services", "service", "schedules", "schedule", "oncalls", "more", "id", "type", "name"),
    *("summary", "email", "status", "title", "urgency", "priority", "assignments", "assignee"),
    *("escalation_policy", "escalation_policies", "escalation_level", "created_at", "channel"),
    *("changeset", "value", "agent", "content", "webhook_subscription", "webhook_subscriptions"),
    *("delivery_method", "url", "active", "events", "resolve_reason", "start", "end", "assignees"),
)
"""What the answers are made of."""

SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | st.sampled_from(
        [
            *("triggered", "resolved", "high", "P1", "Q1", "2026-04-01T02:07:30Z", "0001-01-01"),
            *("assign_log_entry", "field_value_change_log_entry", "merge_resolve_reason"),
        ]
    )
)
ANSWERS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
        | st.dictionaries(st.sampled_from(sorted(incident())), inner, max_size=3).map(
            lambda changed: incident(**changed)
        )
    ),
    max_leaves=20,
)
WHOLE = st.dictionaries(st.sampled_from(NAMES), ANSWERS, max_size=6)


class Scripted(Rest):
    """A road at whose end stands this one answer, whatever is asked."""

    answer: Object

    async def _call(self, method: str, path: str, read: Read[T], **_: Any) -> T:
        try:
            return read(self.answer, NOW)
        except Unusable as error:
            raise rest._lost(method != "GET", str(error)) from None


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
@given(body=WHOLE)
def test_every_question_survives_every_answer(
    call: Callable[[PagerDuty], Awaitable[object]], body: dict[str, Any]
) -> None:
    async def ask() -> None:
        pd = pagerduty(None)  # type: ignore[arg-type]  # nothing leaves
        road = pd._rest
        pd._rest = Scripted(
            road.session, road.base_url, road.token, road.from_email, road.now, road.heard
        )
        pd._rest.answer = parsed(json.dumps(body).encode())
        with suppress(ExternalError):
            await call(pd)

    asyncio.run(ask())


@given(body=st.dictionaries(st.sampled_from(["error", "message"]), ANSWERS) | ANSWERS)
def test_a_complaint_of_any_shape_is_survived(body: object) -> None:
    number, said = rest._complaint(json.dumps(body).encode())
    assert isinstance(number, int)
    assert isinstance(said, str)


@pytest.mark.parametrize("field", ["id", "title", "status", "html_url", "incident_key"])
def test_what_is_longer_than_anything_pagerduty_holds_makes_no_sense(field: str) -> None:
    long = incident(**{field: "x" * (LONGEST + 1)})
    pd = pagerduty(None)  # type: ignore[arg-type]  # nothing is asked
    with pytest.raises(Unusable, match=f"{field} is longer than"):
        pd._incident({"incident": long}, NOW)
    long["service"] = {"id": "PSVC", "summary": "x" * (LONGEST + 1)}
    assert pd._incident({"incident": long | {field: "x"}}, NOW).service is None
