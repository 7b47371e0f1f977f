"""What goes out: rows as JSON. The shapes are a contract: `answers` declares them."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast, overload

import orjson
from aiohttp import web

from imsync.api.answers import conflicts as of_conflicts
from imsync.api.answers import incidents as of_incidents
from imsync.api.answers import integrations as of_integrations
from imsync.api.answers import plans as of_plans
from imsync.api.answers.events import Event as CloudEvent
from imsync.core.fields import NEVER, Edit, Field, Known, Value
from imsync.core.merge import Rule
from imsync.engine.carry_out import View
from imsync.engine.explain import Explanation, Told, state_of
from imsync.engine.foreseen import Change, Forecast
from imsync.store import conflicts, dead_letters, incidents
from imsync.store.conflicts import Conflict
from imsync.store.dead_letters import DeadLetter
from imsync.store.events import Event
from imsync.store.incidents import Incident, TimelineEntry
from imsync.store.integrations import Integration
from imsync.store.links import FieldState, Link

R = TypeVar("R")
Shape = dict[str, Any]


def answer(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return raw(orjson.dumps(body), status=status, headers=headers)


def raw(
    body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An answer that is JSON already."""
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def page(
    rows: Sequence[R],
    shape: Callable[[R], Mapping[str, Any]],
    *,
    limit: int,
    cursor: Callable[[R], int],
) -> web.Response:
    """A list: `rows` holds one more than `limit` when there is a next page."""
    shown = rows[:limit]
    more = len(rows) > limit
    return answer(
        {
            "items": [shape(row) for row in shown],
            "next_cursor": str(cursor(shown[-1])) if more else None,
        }
    )


def page_of_all(
    rows: Sequence[R], shape: Callable[[R], Mapping[str, Any]], *, limit: int, start: int | None
) -> web.Response:
    """A part of a list that is short enough to be at hand whole; its cursors count items."""
    first = start or 0
    rest = rows[first : first + limit + 1]
    return page(rest, shape, limit=limit, cursor=lambda _: first + limit)


@overload
def time(at: int) -> str: ...
@overload
def time(at: None) -> None: ...
@overload
def time(at: int | None) -> str | None: ...
def time(at: int | None) -> str | None:
    """RFC 3339 in UTC with milliseconds."""
    if at is None:
        return None
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


def incident(row: Incident, links: Sequence[tuple[Link, str]]) -> of_incidents.Incident:
    """`links`: each with its integration's slug."""
    shape = {
        "id": incidents.public_id(row.id),
        **{field.value: row[field] for field in Field},
        "incident_type": row.incident_type,
        "organization_id": row.organization_id,
        "created_at": time(row.created_at),
        "updated_at": time(row.updated_at),
        "version": row.version,
        "links": [
            {
                "integration": slug,
                "external_id": link.external_id,
                "external_url": link.external_url,
                "state": link.state,
            }
            for link, slug in links
        ],
    }
    return cast(of_incidents.Incident, shape)  # the schema refuses one without a title


def timeline_entry(row: TimelineEntry) -> of_incidents.TimelineEntry:
    return {
        "id": row.id,
        "at": time(row.at),
        "kind": row.kind,
        "by": row.by,
        "text": row.text,
        "field": row.field,
        "old": row.old,
        "new": row.new,
        "integration": row.integration,
    }


def integration(
    row: Integration, *, has_secret: bool, public_url: str
) -> of_integrations.Integration:
    """Credentials are never answered back, only that they are there."""
    return {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "integration_type": row.integration_type,
        "organization_id": row.organization_id,
        "base_url": row.base_url,
        "sync_direction": row.sync_direction,
        "conflict_strategy": row.conflict_strategy,
        "sync_escalations": row.sync_escalations,
        "sync_notes": row.sync_notes,
        "rate_limit": row.rate_limit,
        "backoff_multiplier": row.backoff_multiplier,
        "from_email": row.from_email,
        "default_service": row.default_service,
        "enabled": row.enabled,
        "import_open": row.import_open,
        "state": row.state,
        "webhook_url": f"{public_url}/api/v1/webhooks/{row.id}",
        "has_token": row.token is not None,
        "has_webhook_secret": has_secret,
        "created_at": time(row.created_at),
        "updated_at": time(row.updated_at),
    }


def link(
    view: View, states: Mapping[Field, FieldState], owed: Mapping[str, str]
) -> of_integrations.Link:
    row = view.link
    return {
        "id": row.id,
        "incident": incidents.public_id(row.incident_id),
        "integration": view.integration.slug,
        "external_id": row.external_id,
        "external_url": row.external_url,
        "state": row.state,
        "fields": {field.value: _link_field(view, states[field], owed) for field in Field},
        "last_observed_at": time(row.last_observed_at),
        "last_confirmed_at": time(row.last_confirmed_at),
    }


def _link_field(
    view: View, state: FieldState, owed: Mapping[str, str]
) -> of_integrations.LinkField:
    stands, because = state_of(view, state, owed)
    return {
        "platform": view.standings[state.field].platform.value,
        "external": state.seen.value if state.seen else None,
        "base": known(state.base.platform),
        "state": stands,
        "because": because,
    }


def known(value: Known) -> Value:
    """A half of a base; never agreed on and empty look alike from outside."""
    return None if value is NEVER else cast(Value, value)


def conflict(row: Conflict) -> of_conflicts.Conflict:
    """A conflict; the external value as it is there, which `told` also reads for people."""
    return {
        "id": conflicts.public_id(row.id),
        "integration": row.integration,
        "incident": incidents.public_id(row.incident_id),
        "field": row.field,
        "status": row.status,
        "strategy": row.strategy,
        "rule": _rule(row.rule),
        "base": known(row.base),
        "platform": _edit(row.platform),
        "external": _edit(row.external),
        "winner": row.winner,
        "because": row.because,
        "resolved_by": row.resolved_by,
        "created_at": time(row.created_at),
        "resolved_at": time(row.resolved_at),
    }


def _rule(rule: Rule | None) -> of_conflicts.Rule | None:
    if rule is None:
        return None
    return {"owner": rule.owner, "priority": rule.priority, "strict": rule.strict}


def told(found: Told) -> of_conflicts.ToldConflict:
    """A conflict with its story, and what its external value reads as here."""
    shape = conflict(found.conflict)
    return {
        **shape,
        "external": _readable(found.conflict.external, found.reads_as),
        "restorable": [one.side for one in found.losers if one.refused is None],
        "story": list(found.story),
    }


def explanation(
    number: int, field: Field, edit: Edit, found: Sequence[Explanation]
) -> of_incidents.Explanation:
    """Why a field is what it is. Of several links, the first; the rest are `others`."""
    shapes = [_explained(one) for one in found]
    return {
        "incident": incidents.public_id(number),
        "field": field,
        "value": edit.value,
        "platform": _edit(edit),
        **(shapes[0] if shapes else _UNLINKED),
        "others": shapes[1:],
    }


_UNLINKED: of_incidents.LinkExplanation = {
    "integration": None,
    "base": None,
    "external": None,
    "rule": None,
    "state": "unlinked",
    "verdict": None,
    "because": "the incident is linked nowhere",
    "confirmed_at": None,
    "losers": [],
    "story": ["This incident is kept here alone: it is linked in no integration."],
}


def _explained(found: Explanation) -> of_incidents.LinkExplanation:
    seen, rule = found.external, found.terms.rule
    return {
        "integration": found.integration,
        "base": known(found.base),
        "external": None
        if seen is None
        else {
            **_readable(Edit(seen.value, seen.at, seen.by), found.reads_as),
            "as_of": time(seen.as_of),
        },
        "rule": {
            "owner": rule.owner,
            "priority": rule.priority,
            "strict": rule.strict,
            "default": found.default,
            "strategy": found.terms.strategy,
            "direction": found.terms.direction,
        },
        "state": found.state,
        "verdict": found.verdict,
        "because": found.because,
        "confirmed_at": time(found.confirmed_at),
        "losers": [
            {
                **_edit(one.edit),
                "side": one.side,
                "conflict": conflicts.public_id(one.conflict),
                "restorable": one.refused is None,
                "refused": one.refused,
            }
            for one in found.losers
        ],
        "story": list(found.story),
    }


def _edit(edit: Edit) -> of_incidents.Edit:
    return {"value": edit.value, "by": edit.by, "at": time(edit.at)}


def _readable(edit: Edit, reads_as: Value) -> of_incidents.ReadableEdit:
    return {**_edit(edit), "reads_as": reads_as}


def forecast(found: Forecast, *, dry_run: bool) -> of_plans.Forecast:
    """What a change leads to. In a dry run its conflicts are none yet, and have no id."""
    kept = [conflict(one) for one in found.conflicts]
    new: list[of_conflicts.ForeseenConflict] = [
        {**one, "id": None if dry_run else one["id"]} for one in kept
    ]
    return {
        "integration": found.integration,
        "plan": found.id,
        "dry_run": dry_run,
        "calls": [
            {
                "integration": call.integration,
                "incident": call.incident,
                "as": call.actor,
                "method": call.request.method,
                "path": call.request.path,
                "body": call.request.body,
                "changes": [_change(one) for one in call.changes],
            }
            for call in found.calls
        ],
        "adopted": [_change(one) for one in found.adopted],
        "conflicts": new,
        "ended": [conflict(one) for one in found.ended],
        "not_sent": [
            {"incident": one.incident, "field": one.field, "because": one.because}
            for one in found.still
        ],
        "cost": {
            "requests": found.requests,
            "rate_limit": found.rate_limit,
            "seconds": math.ceil(found.requests * 60 / found.rate_limit),
        },
    }


def _change(one: Change) -> of_plans.FieldChange:
    return {
        "incident": one.incident,
        "field": one.field,
        "before": one.before,
        "after": one.after,
    }


def event(row: Event, *, source: str) -> CloudEvent:
    """CloudEvents 1.0, in its structured form."""
    incident_id = incidents.public_id(row.incident_id) if row.incident_id else None
    return {
        "specversion": "1.0",
        "id": str(row.id),
        "source": source,
        "type": row.type,
        "subject": incident_id or row.integration,
        "time": time(row.at),
        "datacontenttype": "application/json",
        "data": {"incident": incident_id, "integration": row.integration, **row.data},
    }


def dead_letter(row: DeadLetter) -> of_integrations.DeadLetter:
    return {
        "id": dead_letters.public_id(row.id),
        "integration": row.integration,
        "incident": incidents.public_id(row.incident_id) if row.incident_id else None,
        "direction": row.direction,
        "field": row.field_name,
        "error": {"code": row.code, "message": row.message},
        "attempts": row.attempts,
        "body": row.body,
        "created_at": time(row.created_at),
        "hint": row.hint,
    }


def with_times(body: Mapping[str, Any]) -> Shape:
    """A status: every `..._at` in it becomes a time."""
    return {name: time(value) if name.endswith("_at") else value for name, value in body.items()}
