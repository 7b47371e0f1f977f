"""GET /integrations/{i}/oncall: who is on call, and how old that answer is."""

from dataclasses import asdict
from typing import Any

from aiohttp import web

from imsync.api import shapes
from imsync.api.context import context_of
from imsync.api.crews import crew_of
from imsync.api.parameters import OncallQuery, asked
from imsync.errors import UserError
from imsync.store.oncall import Shift


async def get(request: web.Request) -> web.Response:
    """By `schedule_id`, or for an `escalation_policy` (its name or id)."""
    query = asked(request, OncallQuery)
    schedule_id = (query.schedule_id or "").strip()
    policy = (query.escalation_policy or "").strip()
    if bool(schedule_id) == bool(policy):
        hint = "for example ?schedule_id=PABC123, or ?escalation_policy=Platform"
        raise UserError("give either `schedule_id` or `escalation_policy`", hint=hint)
    _, crew = await crew_of(request)
    desk = crew.desk
    roster = await (desk.by_schedule(schedule_id) if schedule_id else desk.by_policy(policy))
    age = max(0, context_of(request).now() - roster.checked_at)
    return shapes.answer(
        {
            "items": [_shape(one) for one in roster.shifts],
            "checked_at": shapes.time(roster.checked_at),
            "age_s": age // 1000,
        }
    )


def _shape(one: Shift) -> dict[str, Any]:
    return {**asdict(one), "since": shapes.time(one.since), "until": shapes.time(one.until)}
