"""A platform edit -> decide -> owe, in one unit of work.

These are what the faces call. When the unit is committed, the edit is kept, its place in
the journal is kept, and what is owed for it is kept: there is no moment between.
"""

from collections.abc import Mapping

from imsync.core.fields import Edit, Field, Instant, Severity, Status, Value
from imsync.core.merge import Direction
from imsync.engine import linking, noting, opening, routing
from imsync.engine.carry_out import spread
from imsync.errors import Stale, UserError
from imsync.store import incidents, integrations
from imsync.store.database import Connection
from imsync.store.incidents import Incident, TimelineEntry
from imsync.store.integrations import Integration


def declare(
    conn: Connection,
    values: Mapping[Field, Value],
    *,
    integration: str | None,
    organization_id: str | None,
    incident_type: str | None,
    by: str | None,
    now: Instant,
) -> Incident:
    """Declare an incident; it is created in the integration named, or in all.

    Raises UserError, NotFound.
    """
    filled = {Field.SEVERITY: Severity.SEV3, Field.STATUS: Status.OPEN, **values}
    edits = {field: Edit(check(field, value), now, by) for field, value in filled.items()}
    number = incidents.create(
        conn, edits, organization_id=organization_id, incident_type=incident_type, now=now
    )
    incidents.tell(conn, number, at=now, kind="declared", by=by, text=values[Field.TITLE])
    if integration is not None:
        named = integrations.named(conn, integration)
        _must_take(conn, named, number)
        linking.begin(conn, named, number, now=now)
    else:
        for every in integrations.every(conn):
            opening.declared(conn, every, number, now=now)
    return incidents.get(conn, number)


def _must_take(conn: Connection, integration: Integration, number: int) -> None:
    service = routing.service_for(conn, integration, number)
    if opening.takes(integration) and service is not None:
        return
    slug = integration.slug
    if not integration.enabled:
        why, hint = "it is disabled", f"`im integration configure {slug} --enabled true`"
    elif integration.sync_direction in (Direction.INBOUND, Direction.NONE):
        why = f"its direction is {integration.sync_direction}"
        hint = f"`im integration configure {slug} --direction bidirectional`"
    else:
        why = "it has no service to create incidents in"
        hint = f"`im integration configure {slug} --default-service ID`"
    raise UserError(f"{slug} takes no incidents from here: {why}", hint=hint)


def update(
    conn: Connection,
    number: int,
    values: Mapping[Field, Value],
    *,
    incident_type: str | None = None,
    if_version: int | None = None,
    by: str | None,
    now: Instant,
) -> Incident:
    """Set some fields of an incident; values that it has already are no edits.

    Raises NotFound, UserError, or Stale when it is no longer at version `if_version`.
    """
    incident = incidents.get(conn, number)
    if if_version is not None and incident.version != if_version:
        raise Stale(
            f"{incidents.public_id(number)} is at version {incident.version}, not {if_version}",
            hint="get it again, and make the edit to what it is now",
        )
    edited: list[Field] = []
    for field, value in values.items():
        before = incident.edits[field]
        checked = check(field, value)
        if checked == before.value:
            continue
        # Edits are told apart by when they were made, so no two of a field share a moment.
        edit = Edit(checked, Instant(max(now, before.at + 1)), by)
        incidents.set_field(conn, number, field, edit, now=now)
        incidents.tell_change(
            conn, number, field=field, old=before.value, edit=edit, integration_id=None
        )
        edited.append(field)
    if incident_type is not None and incident_type != incident.incident_type:
        incidents.set_type(conn, number, incident_type, now=now)
    spread(conn, number, edited, now=now)
    return incidents.get(conn, number)


def note(
    conn: Connection, number: int, text: str, *, by: str | None, now: Instant
) -> TimelineEntry:
    """Add a remark to the timeline. Raises NotFound, UserError."""
    incidents.get(conn, number)
    if not text.strip():
        raise UserError("a note needs some text")
    id_ = incidents.tell(conn, number, at=now, kind="note", by=by, text=text)
    noting.spread(conn, number, id_, now=now)
    incidents.touch(conn, number, now=now)
    return incidents.entry(conn, number, id_)


_CHOICES = {Field.SEVERITY: Severity, Field.STATUS: Status}


def check(field: Field, value: Value) -> Value:
    """The value as it is kept; what says nothing is None. Raises UserError, with what would do."""
    if field in _CHOICES:
        choices = [choice.value for choice in _CHOICES[field]]
        if value not in choices:
            raise UserError(f"{field} {value!r} is not one of {', '.join(choices)}")
        return value
    kept = value.strip() if value else None
    if field is Field.TITLE and not kept:
        raise UserError("an incident needs a title")
    return kept or None
