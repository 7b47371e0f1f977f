"""What a change leads to."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from imsync.api.answers.conflicts import Conflict, ForeseenConflict, ToldConflict


class FieldChange(TypedDict):
    incident: str
    field: str
    before: str | None
    after: str | None


Call = TypedDict(
    "Call",
    {
        "integration": str,
        "incident": str,
        "as": str | None,
        "method": str,
        "path": str,
        "body": Any,
        "changes": list[FieldChange],
    },
)
"""A request that is to be made; `as` whom: null is the integration's own user."""


class NotSent(TypedDict):
    incident: str
    field: str
    because: str


class Cost(TypedDict):
    """Requests, the limit a minute, and how long (s) they take at that rate."""

    requests: int
    rate_limit: int
    seconds: int


class Forecast(TypedDict):
    """What a change leads to. `plan` is the id to make just that: `?plan=`."""

    integration: str
    plan: str
    dry_run: bool
    calls: list[Call]
    adopted: list[FieldChange]
    conflicts: list[ForeseenConflict]
    ended: list[Conflict]
    not_sent: list[NotSent]
    cost: Cost


class Changed(TypedDict):
    """`effect`: what the change led to, if it led to anything."""

    effect: NotRequired[Forecast]


class ChangedConflict(ToldConflict, Changed):
    pass
