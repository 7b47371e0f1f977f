"""Value maps as people set them: refused, with the values that show it, where they break a law."""

from collections.abc import Mapping, Sequence

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Kind
from imsync.core.fields import Field, Instant
from imsync.core.maps import Custom, Pairs
from imsync.engine.rules import decide_anew
from imsync.errors import NotFound, UserError
from imsync.store import links, value_maps
from imsync.store.database import Connection
from imsync.store.directory import Directory
from imsync.store.integrations import Integration


def set_map(
    conn: Connection,
    integration: Integration,
    name: str,
    pairs: Pairs,
    *,
    now: Instant,
    by: str | None = None,
) -> None:
    """Let a map be the connector's own but for these pairs, and decide anew what it touches.

    Raises NotFound for a map there is none of, UserError for a value that is none or for
    pairs that break a law of maps, naming the values that show it.
    """
    translation = TRANSLATIONS[integration.integration_type]
    field = check_name(integration, name)
    priorities = _priorities(conn, integration)
    ours, theirs = translation.sides(name, priorities)
    taken = [*theirs, "none"] if theirs and name == "priority" else theirs
    out = {_one_of(a, ours): _one_of(b, taken) for a, b in pairs.out.items()}
    back = {_one_of(a, theirs): _one_of(b, ours) for a, b in pairs.back.items()}
    custom = Custom({**value_maps.custom(conn, integration.id), name: Pairs(out, back)})
    if why := translation.broken(custom, priorities):
        raise UserError(
            f"the {name} map would not come out even: {why}",
            hint="whatever is written must read back as what was meant: say both ways",
        )
    value_maps.replace(conn, integration.id, name, Pairs(out, back), now=now, by=by)
    links.unblock(conn, integration.id, field)  # what had no counterpart may have one now
    decide_anew(conn, integration.id, now=now, fields=[field])


def delete_map(
    conn: Connection, integration: Integration, name: str, *, now: Instant, by: str | None = None
) -> None:
    """Let the connector's own map hold again. Raises NotFound when none was set."""
    check_name(integration, name)
    custom = value_maps.custom(conn, integration.id)
    if name not in custom:
        raise NotFound(
            f"{integration.slug} has no {name} map of its own",
            hint=f"it has {', '.join(custom)}" if custom else "all its maps are imsync's own",
        )
    set_map(conn, integration, name, Pairs(), now=now, by=by)


def check_name(integration: Integration, name: str) -> Field:
    """The field that a map is of. Raises NotFound."""
    names = TRANSLATIONS[integration.integration_type].customizable
    if name not in names:
        raise NotFound(f"there is no map {name!r}", hint=f"there are: {', '.join(names)}")
    return names[name]


def shown(
    conn: Connection, integration: Integration, name: str
) -> tuple[Mapping[str, str], Mapping[str, str], bool]:
    """A map as it is in force, each way; and whether it is the connector's own."""
    translation = TRANSLATIONS[integration.integration_type]
    custom = value_maps.custom(conn, integration.id)
    out, back = translation.shown(name, custom, _priorities(conn, integration))
    return out, back, name not in custom


def _priorities(conn: Connection, integration: Integration) -> Sequence[str]:
    return Directory(conn, integration.id).names(Kind.PRIORITY)


def _one_of(value: str, values: Sequence[str]) -> str:
    """The value as it is spelled there, whatever its case; anything where nothing is known."""
    found = [one for one in values if one.casefold() == value.casefold()]
    if values and not found:
        raise UserError(f"{value!r} is not one of {', '.join(values)}")
    return found[0] if found else value
