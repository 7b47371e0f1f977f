"""/integrations/{i}/field-ownership: who owns which field."""

from aiohttp import web

from imsync.api import plans, shapes
from imsync.api.answers.integrations import FieldRule
from imsync.api.bodies import NewRule, read
from imsync.api.context import context_of
from imsync.api.headers import actor_of
from imsync.api.parameters import cursor_of, field_of, limit_of
from imsync.core.fields import Field, Instant
from imsync.core.merge import Rule
from imsync.engine import rules
from imsync.store import integrations
from imsync.store.database import Connection


async def page(request: web.Request) -> web.Response:
    """Who owns each field."""
    found = await context_of(request).db.read(rules_of, request.match_info["name"])
    return shapes.page_of_all(
        found, lambda row: row, limit=limit_of(request), start=cursor_of(request)
    )


async def get(request: web.Request) -> web.Response:
    """Who owns a field."""
    field = field_of(request)
    found = await context_of(request).db.read(rules_of, request.match_info["name"])
    return shapes.answer(next(rule for rule in found if rule["field"] == field))


async def put(request: web.Request) -> web.Response:
    """Set a rule; it takes effect at once on what is pending. Answers the rule as it now is."""
    field, body, now = field_of(request), await read(request, NewRule), context_of(request).now()
    rule, name = Rule(body.owner, body.priority, body.strict), request.match_info["name"]
    by = actor_of(request)
    changed = await plans.change(
        request, name, lambda conn: set_rule(conn, name, field, rule, now=now, by=by)
    )
    return changed.answer(changed.result)


async def delete(request: web.Request) -> web.Response:
    """Take a rule back. Answers the default rule, which holds again."""
    field, name, now = field_of(request), request.match_info["name"], context_of(request).now()
    by = actor_of(request)
    changed = await plans.change(
        request, name, lambda conn: delete_rule(conn, name, field, now=now, by=by)
    )
    return changed.answer(changed.result)


# Units of work.


def rules_of(conn: Connection, name: str) -> list[FieldRule]:
    id_ = integrations.named(conn, name).id
    own = integrations.set_rules(conn, id_)
    return [
        _shape(field, rule, default=field not in own)
        for field, rule in integrations.rules(conn, id_).items()
    ]


def set_rule(
    conn: Connection, name: str, field: Field, rule: Rule, *, now: Instant, by: str | None
) -> FieldRule:
    rules.set_rule(conn, integrations.named(conn, name), field, rule, now=now, by=by)
    return _shape(field, rule, default=False)


def delete_rule(
    conn: Connection, name: str, field: Field, *, now: Instant, by: str | None
) -> FieldRule:
    default = rules.delete_rule(conn, integrations.named(conn, name), field, now=now, by=by)
    return _shape(field, default, default=True)


def _shape(field: Field, rule: Rule, *, default: bool) -> FieldRule:
    return {
        "field": field,
        "owner": rule.owner,
        "priority": rule.priority,
        "strict": rule.strict,
        "default": default,
    }
