"""Who is on call, as PagerDuty writes it. Pure."""

from imsync.connectors.base import OnCall, Unusable
from imsync.connectors.pagerduty.reading import (
    Object,
    dig,
    moment_if_any,
    object_at,
    object_if_any,
    text_at,
)


def on_call(found: Object, *, offset: int) -> OnCall:
    """One line of it. Without a schedule, and without an end, it is always that user."""
    user, policy = object_at(found, "user"), object_at(found, "escalation_policy")
    schedule = object_if_any(found, "schedule") or {}
    level = found.get("escalation_level")
    if type(level) is not int:
        raise Unusable("escalation_level is not a number")
    return OnCall(
        user_id=text_at(user, "id"),
        user=_name(user) or text_at(user, "id"),
        email=dig(user, "email"),
        policy_id=text_at(policy, "id"),
        policy=_name(policy) or text_at(policy, "id"),
        level=level,
        schedule_id=dig(schedule, "id"),
        schedule=_name(schedule),
        start=moment_if_any(found, "start", offset=offset),
        end=moment_if_any(found, "end", offset=offset),
    )


def _name(found: Object) -> str | None:
    return dig(found, "name") or dig(found, "summary")
