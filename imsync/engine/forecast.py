"""What would be done: the exact requests, what changes here, what conflicts.

It is no second opinion. The change is made, and the loops' own units of work run on what it
leads to, in a savepoint that is taken back. So what is shown is what would be done, as long
as nobody edits anything meanwhile.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from imsync.core.fields import Field, Instant
from imsync.engine import calls
from imsync.engine.foreseen import Change, Forecast, Still
from imsync.errors import Stale
from imsync.store import conflicts, incidents, integrations, links, outbox
from imsync.store.database import Connection, undone
from imsync.store.integrations import Integration

T = TypeVar("T")


class PlanChanged(Stale):
    """What would be done is no longer what was shown."""

    code = "plan_changed"


def of_what_is_owed(conn: Connection, integration: Integration, *, now: Instant) -> Forecast:
    """What the integration would do now, if nobody changed anything."""
    found = Forecast(integration.slug, integration.rate_limit)
    with undone(conn):
        calls.foresee(conn, integration, found, now=now)
    found.conflicts = [
        one
        for one in conflicts.page(conn, limit=1_000, integration_id=integration.id)
        if one.status == "pending"
    ]
    return found


def change(
    conn: Connection,
    name: str,
    work: Callable[[Connection], T],
    *,
    dry_run: bool,
    expected: str | None,
    shown: Mapping[str, Forecast],
    now: Instant,
) -> tuple[T, Forecast]:
    """Make a change to an integration's rules, and say what it leads to.

    `dry_run` takes it back again. `expected` is the id of a forecast: unless the change leads
    to just that, it is not made, and PlanChanged says what differs (from `shown`, if known).
    """
    id_ = integrations.named(conn, name).id
    if dry_run:
        with undone(conn):
            return _made(conn, id_, work, now=now)
    result, found = _made(conn, id_, work, now=now)
    if expected is not None and found.id != expected:
        raise PlanChanged(_differs(shown.get(expected), found), hint="look again with --dry-run")
    return result, found


def _made(
    conn: Connection, id_: str, work: Callable[[Connection], T], *, now: Instant
) -> tuple[T, Forecast]:
    last_line, last_conflict = incidents.last_entry(conn), conflicts.last(conn)
    pending, owed = conflicts.pending_ids(conn), outbox.everything(conn)
    stood_still = links.blocked(conn)
    result = work(conn)
    integration = integrations.get(conn, id_)
    found = Forecast(integration.slug, integration.rate_limit)
    found.adopted = [
        Change(incidents.public_id(number), line.field or "", line.old, line.new)
        for number, line in incidents.changes_after(conn, last_line)
    ]
    found.conflicts = conflicts.after(conn, last_conflict)
    found.ended = [conflicts.get(conn, one) for one in pending - conflicts.pending_ids(conn)]
    owed_now = outbox.everything(conn)
    found.still = [_dropped(conn, link, what) for link, what in sorted(owed - owed_now)]
    found.still += [
        Still(_incident(conn, link), name, because)
        for (link, name), because in sorted(links.blocked(conn).items())
        if (link, name) not in stood_still and (link, name) not in owed
    ]
    new = {link for link, _ in owed_now - owed}
    with undone(conn):
        for link in {link for link, _ in owed_now} - new:
            outbox.forget(conn, link)  # owed all the same
        for one in integrations.every(conn):
            calls.foresee(conn, one, found, now=now)
    return result, found


def _dropped(conn: Connection, link_id: int, what: str) -> Still:
    incident = _incident(conn, link_id)
    if what == outbox.CREATE:
        return Still(incident, "", "it is no longer to be created")
    if outbox.note_of(what) is not None:
        return Still(incident, "note", "notes are not synced any more")
    return Still(incident, what, links.fields(conn, link_id)[Field(what)].because)


def _incident(conn: Connection, link_id: int) -> str:
    return incidents.public_id(links.get(conn, link_id).incident_id)


def _differs(before: Forecast | None, after: Forecast) -> str:
    """What is no longer as it was shown, in a line or two."""
    if before is None:
        return f"it would now lead to something else than was shown: {after.id}"
    old, new = set(before.lines()), set(after.lines())
    gone, come = sorted(old - new), sorted(new - old)
    parts = [f"no longer: {one}" for one in gone[:3]] + [f"now: {one}" for one in come[:3]]
    more = len(gone) + len(come) - len(parts)
    return "what would be done has changed: " + "; ".join(parts) + (f"; {more} more" * (more > 0))
