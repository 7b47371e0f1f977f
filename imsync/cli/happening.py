"""What happened, in a line: when, to what, what it was, and who it was where."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from imsync.cli.client import Json
from imsync.cli.table import cell


@dataclass(frozen=True, slots=True)
class Line:
    """An event for people. `alarm`: somebody should look at it; `quiet`: nobody has to."""

    at: str
    about: str
    what: str
    who: str = ""
    alarm: bool = False
    quiet: bool = False

    def __str__(self) -> str:
        return "  ".join(filter(None, [self.at, f"{self.about:<7}", self.what, self.who]))


def line(event: Json, *, today: date) -> Line:
    """The event in a line. One of a kind that this `im` does not know is told by its type."""
    told = event.get("data")
    data: Json = told if isinstance(told, dict) else {}
    kind = str(event.get("type")).removeprefix("imsync.")
    return Line(
        _at(event.get("time"), today=today),
        cell(event.get("subject")),
        _SAYS[kind](data) if kind in _SAYS else cell(kind),
        _who(data, where=kind.startswith("incident.")),
        alarm=kind in _ALARMS,
        quiet=kind == "write.confirmed",
    )


_ALARMS = {
    *("conflict.opened", "dead_letter.created", "integration.suspended", "drift.stopped"),
    *("subscription.disabled", "subscription.deleted", "delivery.refused"),
}


def _at(value: object, *, today: date) -> str:
    """The time of day, and the day where it is another one."""
    try:
        at = datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return cell(value)
    return f"{at:%H:%M:%S}Z" if at.date() == today else f"{at:%Y-%m-%d %H:%M:%S}Z"


def _who(data: Json, *, where: bool) -> str:
    by, place = data.get("by"), data.get("integration") if where else None
    parts = [f"by {cell(by)}" if by else "", f"in {cell(place)}" if place else ""]
    return f"({' '.join(filter(None, parts))})" if any(parts) else ""


def _changed(data: Json) -> str:
    """The new value first: on a narrow terminal the end of the line gives way."""
    was = f" (was {cell(data['old'])})" if data.get("old") else ""
    return f"{_field(data)}: {cell(data.get('new'))}{was}"


def _healed(data: Json) -> str:
    count = data.get("incidents")
    return f"drift: {cell(count)} incident{'s' if count != 1 else ''} mended"


def _conflict(said: str) -> Callable[[Json], str]:
    def told(data: Json) -> str:
        ours, theirs = (
            cell((data.get(side) or {}).get("value")) for side in ("platform", "external")
        )
        sides = f"{ours} here, {theirs} there"
        return f"{cell(data.get('conflict'))} {said}: {_field(data)} is {sides}"

    return told


def _decided(data: Json) -> str:
    winner = data.get("winner")
    value = cell((data.get(str(winner)) or {}).get("value"))
    outcome = f"{value} ({winner}) won" if winner else "neither side won"
    return f"{cell(data.get('conflict'))} {cell(data.get('status'))}: {_field(data)}, {outcome}"


def _buried(data: Json) -> str:
    what = " ".join(filter(None, [str(data.get("direction")), data.get("field") or ""]))
    return f"{cell(data.get('dead_letter'))} given up: {cell(what)}: {cell(data.get('message'))}"


def _ended(said: str) -> Callable[[Json], str]:
    def told(data: Json) -> str:
        what = " ".join(filter(None, [str(data.get("direction")), data.get("field") or ""]))
        return f"{cell(data.get('dead_letter'))} {said}: {cell(what)}"

    return told


def _configured(data: Json) -> str:
    old, new = data.get("old"), data.get("new")
    if old is None and new is None:
        return f"{cell(data.get('setting'))} is another"
    was = f" (was {setting(old)})" if old is not None else ""
    return f"{cell(data.get('setting'))}: {setting(new)}{was}"


def setting(value: object) -> str:
    """The value of a setting as people set it: a rule's and a map's parts as they are typed."""
    match value:
        case {"owner": owner, "priority": priority, "strict": strict}:
            return f"{cell(owner)}, priority {cell(priority)}{', strict' if strict else ''}"
        case {"out": dict(out), "in": dict(back)}:
            pairs = [*out.items(), *back.items()]
            return " ".join(f"{cell(one)}={cell(other)}" for one, other in pairs) or "imsync's own"
        case _:
            return cell(value)


def _subscription(said: str) -> Callable[[Json], str]:
    def told(data: Json) -> str:
        because = f": {cell(data['because'])}" if data.get("because") else ""
        return f"webhook subscription {cell(data.get('subscription'))} {said}{because}"

    return told


def _refused(data: Json) -> str:
    count = data.get("deliveries")
    what = "a delivery was" if count == 1 else f"{cell(count)} deliveries were"
    return f"{what} not rightly signed: wrong secret, or somebody else's"


def _braked(data: Json) -> str:
    would = f"{cell(data.get('would_change'))} of {cell(data.get('met'))} incidents"
    return f"drift: a sweep was stopped, for it would change {would}"


def _field(data: Json) -> str:
    return cell(data.get("field"))


_SAYS: dict[str, Callable[[Json], str]] = {
    "incident.declared": lambda data: (
        f"declared {cell(data.get('severity'))}: " + cell(data.get("title"))
    ),
    "incident.changed": _changed,
    "incident.noted": lambda data: f"note: {cell(data.get('text'))}",
    "incident.escalated": lambda data: cell(data.get("text")),
    "incident.linked": lambda data: f"linked to {cell(data.get('external_id'))}",
    "write.confirmed": lambda data: (
        f"{cell(data.get('integration'))} has {_field(data)}: " + cell(data.get("value"))
    ),
    "conflict.opened": _conflict("to decide"),
    "conflict.updated": _conflict("edited on"),
    "conflict.decided": _decided,
    "dead_letter.created": _buried,
    "dead_letter.retried": _ended("is tried again"),
    "dead_letter.discarded": _ended("let go"),
    "integration.created": lambda data: f"configured: {cell(data.get('name'))}",
    "integration.changed": _configured,
    "integration.deleted": lambda data: f"deleted: {cell(data.get('name'))}",
    "integration.suspended": lambda data: f"suspended: {cell(data.get('because'))}",
    "integration.resumed": lambda _: "resumed: the account lets us work again",
    "subscription.installed": _subscription("installed"),
    "subscription.disabled": _subscription("delivers nothing"),
    "subscription.enabled": _subscription("delivers again"),
    "subscription.deleted": _subscription("was deleted there"),
    "delivery.refused": _refused,
    "drift.healed": _healed,
    "drift.stopped": _braked,
    "drift.released": lambda _: "drift: a sweep went ahead again",
}
