"""Who owns which field, as people set it; and what takes effect at once when that changes."""

from imsync.core.fields import DEFAULT_OWNER, Field, Instant, Side
from imsync.core.merge import Rule
from imsync.engine.carry_out import reconcile
from imsync.errors import Clash, NotFound
from imsync.store import integrations, links
from imsync.store.database import Connection
from imsync.store.integrations import Integration


def set_rule(
    conn: Connection,
    integration: Integration,
    field: Field,
    rule: Rule,
    *,
    now: Instant,
    by: str | None = None,
) -> None:
    """Set a field's rule, and decide anew what it touches.

    Raises Clash for a strict rule that contradicts another integration's: the same
    incident may be linked in both, and each would put back what the other lets through.
    """
    if rule.strict:
        for slug, other in integrations.strict_rules(conn, field).items():
            same = other.owner is rule.owner is Side.PLATFORM
            if slug != integration.slug and not same:
                raise Clash(
                    f"{slug} has a strict rule already: {field} is owned by {other.owner} there",
                    hint=f"`im integration field-ownership delete {slug} {field}`,"
                    " or leave --strict out here",
                )
    integrations.set_rule(conn, integration.id, field, rule, now=now, by=by)
    decide_anew(conn, integration.id, now=now, fields=[field])


def delete_rule(
    conn: Connection,
    integration: Integration,
    field: Field,
    *,
    now: Instant,
    by: str | None = None,
) -> Rule:
    """Let the default owner have the field again. Raises NotFound when no rule was set."""
    if field not in integrations.set_rules(conn, integration.id):
        default = DEFAULT_OWNER[field]
        raise NotFound(
            f"{integration.slug} has no rule of its own for {field}",
            hint=f"it is owned by its default owner, {default}",
        )
    integrations.delete_rule(conn, integration.id, field, now=now, by=by)
    decide_anew(conn, integration.id, now=now, fields=[field])
    return Rule(DEFAULT_OWNER[field])


def decide_anew(
    conn: Connection,
    integration_id: str,
    *,
    now: Instant,
    fields: tuple[Field, ...] | list[Field] = tuple(Field),
) -> None:
    """The terms have changed: what does not stand as agreed is decided by the new ones.

    Of the rest, most by far, every terms say that nothing changed.
    """
    for link in links.off_base(conn, integration_id):
        reconcile(conn, link.id, now=now, fields=fields)
