"""Who is on call."""

from typing_extensions import TypedDict


class Shift(TypedDict):
    """Somebody on call. Without `since` and `until`: always."""

    user: str
    email: str | None
    level: int
    escalation_policy: str
    schedule: str | None
    since: str | None
    until: str | None


class Roster(TypedDict):
    """Who is on call, as it was asked there `age_s` seconds ago."""

    items: list[Shift]
    checked_at: str
    age_s: int
