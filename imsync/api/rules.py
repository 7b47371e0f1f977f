"""/integrations/{i}/field-ownership: who owns which field."""

from typing import Any

from aiohttp import web

from imsync.api import shapes
from imsync.api.bodies import NewRule, read
from imsync.api.context import context_of
from imsync.core.fields import Field, Instant
from imsync.core.merge import Rule
from imsync.engine import rules
from imsync.errors import NotFound
from imsync.store import integrations
from imsync.store.database import Connection


async def page(request: web.Request) -> web.Response:
    found = await context_of(request).db.read(rules_of, request.match_info["name"])
    return shapes.answer({"items": found, "next_cursor": None})


async def get(request: web.Request) -> web.Response:
    field = _field(request)
    found = await context_of(request).db.read(rules_of, request.match_info["name"])
    return shapes.answer(next(rule for rule in found if rule["field"] == field))


async def put(request: web.Request) -> web.Response:
    """Set a rule; it takes effect at once on what is pending. Answers the rule as it now is."""
    context, field, body = context_of(request), _field(request), await read(request, NewRule)
    rule = Rule(body.owner, body.priority, body.strict)
    name = request.match_info["name"]
    shape = await context.db.run(set_rule, name, field, rule, now=context.now())
    context.fleet.ring()
    return shapes.answer(shape)


async def delete(request: web.Request) -> web.Response:
    """Take a rule back. Answers the default rule, which holds again."""
    context, field = context_of(request), _field(request)
    name = request.match_info["name"]
    shape = await context.db.run(delete_rule, name, field, now=context.now())
    context.fleet.ring()
    return shapes.answer(shape)


def _field(request: web.Request) -> Field:
    name = request.match_info["field"]
    if name not in list(Field):
        raise NotFound(f"there is no field {name!r}", hint=f"there are: {', '.join(Field)}")
    return Field(name)


# Units of work.


def rules_of(conn: Connection, name: str) -> list[dict[str, Any]]:
    id_ = integrations.named(conn, name).id
    own = integrations.set_rules(conn, id_)
    return [
        _shape(field, rule, default=field not in own)
        for field, rule in integrations.rules(conn, id_).items()
    ]


def set_rule(
    conn: Connection, name: str, field: Field, rule: Rule, *, now: Instant
) -> dict[str, Any]:
    rules.set_rule(conn, integrations.named(conn, name), field, rule, now=now)
    return _shape(field, rule, default=False)


def delete_rule(conn: Connection, name: str, field: Field, *, now: Instant) -> dict[str, Any]:
    default = rules.delete_rule(conn, integrations.named(conn, name), field, now=now)
    return _shape(field, default, default=True)


def _shape(field: Field, rule: Rule, *, default: bool) -> dict[str, Any]:
    return {
        "field": field,
        "owner": rule.owner,
        "priority": rule.priority,
        "strict": rule.strict,
        "default": default,
    }
