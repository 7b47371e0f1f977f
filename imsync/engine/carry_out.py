"""Verdicts -> rows: the one writer of outcomes.

`observe` (its own file) notes what was learnt of the external side, `reconcile` decides a
link's fields and carries the decisions out. Every flow is these two, in one unit of work.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from imsync.connectors import TRANSLATIONS
from imsync.core import flapping
from imsync.core.fields import NEVER, Base, Edit, Field, Instant, Side
from imsync.core.maps import ValueMap
from imsync.core.merge import Claimant, Decision, Terms, Verdict, between
from imsync.core.plan import Blocked, Standing, plan
from imsync.core.schedule import handicap
from imsync.store import (
    conflicts,
    dead_letters,
    directory,
    incidents,
    integrations,
    journal,
    links,
    outbox,
    value_maps,
    writes,
)
from imsync.store.conflicts import Pending
from imsync.store.database import Connection
from imsync.store.incidents import Incident
from imsync.store.integrations import Integration
from imsync.store.links import Link


@dataclass(frozen=True, slots=True)
class View:
    """All that is known of one link, as it is inside one unit of work."""

    link: Link
    integration: Integration
    incident: Incident
    standings: dict[Field, Standing]
    held: dict[Field, Pending]
    terms: dict[Field, Terms]
    maps: dict[Field, ValueMap]
    uncreated: str | None  # why it is not there, and nothing is under way to create it


def maps_of(conn: Connection, integration: Integration) -> dict[Field, ValueMap]:
    """The integration's value maps, as people set them, knowing the names looked up so far."""
    translation = TRANSLATIONS[integration.integration_type]
    known = directory.Directory(conn, integration.id)
    return dict(translation.maps(known, value_maps.custom(conn, integration.id)))


def view(conn: Connection, link_id: int) -> View:
    link = links.get(conn, link_id)
    integration = integrations.get(conn, link.integration_id)
    incident = incidents.get(conn, link.incident_id)
    held = conflicts.held(conn, link_id)
    standings = {
        field: Standing(
            platform=incident.edits[field],
            seen=state.seen,
            base=state.base,
            blocked=state.blocked,
            held=field in held,
            flaps=field in held and held[field].flaps,
        )
        for field, state in links.fields(conn, link_id).items()
    }
    return View(
        link,
        integration,
        incident,
        standings,
        held,
        terms_of(conn, integration, incident.id),
        maps_of(conn, integration),
        _uncreated(conn, link),
    )


def _uncreated(conn: Connection, link: Link) -> str | None:
    if link.state != "creating" or outbox.CREATE in outbox.owed(conn, link.id):
        return None
    letter = dead_letters.of_creation(conn, link.id)
    return letter.message if letter else "it is not there, and nothing is under way to create it"


def terms_of(conn: Connection, integration: Integration, incident_id: int) -> dict[Field, Terms]:
    """What decides each field of the incident's link in this integration."""
    linked = {link.integration_id for link in links.of_incident(conn, incident_id)}
    others = [integrations.rules(conn, id_) for id_ in linked - {integration.id}]
    return {
        field: between(
            [Claimant(rule, own=True), *(Claimant(rules[field], own=False) for rules in others)],
            Terms(rule, integration.conflict_strategy, integration.sync_direction),
        )
        for field, rule in integrations.rules(conn, integration.id).items()
    }


def reconcile(
    conn: Connection, link_id: int, *, now: Instant, fields: Iterable[Field] = tuple(Field)
) -> dict[Field, Decision | Blocked]:
    """Decide the link's fields (or these) and carry the decisions out.

    What is adopted here is an edit like any other for the incident's other links, and
    goes on to them in the same transaction.
    """
    seen = view(conn, link_id)
    if seen.link.state != "linked":
        return {}
    wanted = {field: seen.standings[field] for field in fields}
    owed = outbox.owed(conn, link_id)
    decisions = {
        field: _guarded(conn, link_id, field, decision, owed=field in owed, now=now)
        for field, decision in plan(wanted, seen.maps, seen.terms).items()
    }
    for field, decision in decisions.items():
        if isinstance(decision, Blocked):
            block(conn, link_id, field, decision.because)
        else:
            _carry_out(conn, seen, field, decision, owed=field in owed, now=now)
    return decisions


def _guarded(
    conn: Connection,
    link_id: int,
    field: Field,
    decision: Decision | Blocked,
    *,
    owed: bool,
    now: Instant,
) -> Decision | Blocked:
    """The decision, but a field that flaps is not written once more: it is held."""
    if owed or not isinstance(decision, Decision) or decision.verdict is not Verdict.PUSH:
        return decision
    since = flapping.counts_from(now, conflicts.flapped_until(conn, link_id, field))
    landed = writes.of_field_since(conn, link_id, field, since)
    undone = flapping.undone([(one.written, one.edit) for one in landed], since)
    why = flapping.flaps(undone)
    return decision if why is None else Decision(Verdict.HOLD, why, flaps=True)


def decided(conn: Connection, link_id: int) -> dict[Field, Decision | Blocked]:
    """The decisions as they are now that all was carried out.

    They may be others than `reconcile` made: what it adopted may have come back changed,
    from another link of the incident.
    """
    seen = view(conn, link_id)
    return plan(seen.standings, seen.maps, seen.terms)


def block(conn: Connection, link_id: int, field: Field, because: str) -> None:
    """Let the field stand still, saying why, until either side changes."""
    links.set_blocked(conn, link_id, field, because)
    links.set_because(conn, link_id, field, because)
    outbox.disown(conn, link_id, field)


def _carry_out(
    conn: Connection, view: View, field: Field, decision: Decision, *, owed: bool, now: Instant
) -> None:
    link_id, standing = view.link.id, view.standings[field]
    match decision.verdict:
        case Verdict.KEEP:
            if owed:
                outbox.disown(conn, link_id, field)
                links.set_because(conn, link_id, field, decision.because)
            return
        case Verdict.SETTLE:
            _settle(conn, view, field, now=now)
        case Verdict.ADOPT:
            adopt(conn, view, field, now=now)
        case Verdict.PUSH:
            _owe(conn, view, field, decision, now=now)
            if owed and decision.loser is None:
                return  # decided before, and not yet sent
        case Verdict.HOLD:
            outbox.disown(conn, link_id, field)
            asked = view.held.get(field)
            if asked and standing.seen and not _newer(standing, asked):
                return  # that is what a person has been asked already
    _record(conn, view, field, decision, now=now)
    lag = _lag(standing, now) if decision.verdict is Verdict.ADOPT else None
    links.set_because(conn, link_id, field, decision.because)
    journal.write(
        conn,
        link_id,
        field,
        decision.verdict,
        decision.because,
        base=standing.base,
        platform=standing.platform,
        seen=standing.seen,
        lag=lag,
        now=now,
    )


def _newer(standing: Standing, asked: Pending) -> bool:
    """Whether either side was edited since a person was asked, be it in the same moment."""
    platform, seen = standing.platform, standing.seen
    assert seen is not None  # there is no conflict with what nobody has seen
    return (platform.value, platform.at, seen.value, seen.at) != (
        asked.platform,
        asked.platform_at,
        asked.external,
        asked.external_at,
    )


def _settle(conn: Connection, view: View, field: Field, *, now: Instant) -> None:
    standing = view.standings[field]
    assert standing.seen is not None  # nothing settles on what nobody has seen
    base = Base(standing.platform.value, standing.seen.value, standing.platform.at)
    links.set_base(conn, view.link.id, field, base)
    outbox.disown(conn, view.link.id, field)
    if standing.held:
        because = "both sides came to say the same"
        conflicts.close(
            conn, view.link.id, field, winner=None, because=because, by=conflicts.IMSYNC, now=now
        )


def adopt(conn: Connection, view: View, field: Field, *, now: Instant) -> None:
    """Let the external side's value, as it was last seen, be ours, and go on to other links."""
    standing, seen = view.standings[field], view.standings[field].seen
    assert seen is not None  # nothing is adopted that nobody has seen
    old = standing.platform.value
    edit = Edit(view.maps[field].decode(seen.value, given=old), seen.at, seen.by)
    links.set_base(conn, view.link.id, field, Base(edit.value, seen.value, edit.at))
    outbox.disown(conn, view.link.id, field)
    incidents.set_field(conn, view.incident.id, field, edit, now=now)
    if edit.value != old:
        incidents.tell_change(
            conn,
            view.incident.id,
            field=field,
            old=old,
            edit=edit,
            integration_id=view.integration.id,
        )
    spread(conn, view.incident.id, [field], but=view.link.id, now=now)


def _owe(conn: Connection, view: View, field: Field, decision: Decision, *, now: Instant) -> None:
    standing = view.standings[field]
    if decision.loser is Side.EXTERNAL and standing.seen is not None:
        # Theirs is known and has lost: from here on it is what our edit replaces.
        base, ours = standing.base, standing.platform.value
        platform = NEVER if ours == base.platform else base.platform
        links.set_base(conn, view.link.id, field, Base(platform, standing.seen.value, base.at))
    severity = view.incident[Field.SEVERITY]
    outbox.owe(conn, view.link.id, field, handicap=handicap(severity, field), now=now)


def _record(
    conn: Connection, view: View, field: Field, decision: Decision, *, now: Instant
) -> None:
    """Keep what lost, or what a person is asked."""
    standing, terms = view.standings[field], view.terms[field]
    if standing.seen is None or not (decision.loser or decision.verdict is Verdict.HOLD):
        return
    winner = decision.loser.other if decision.loser else None
    conflicts.record(
        conn,
        view.link.id,
        field,
        terms=terms,
        base=standing.base,
        platform=standing.platform,
        external=standing.seen,
        winner=None if standing.held else winner,
        because=decision.because,
        quiet_until=Instant(now + flapping.QUIET) if decision.flaps or standing.flaps else None,
        now=now,
    )
    if standing.held and winner is not None:
        conflicts.close(
            conn,
            view.link.id,
            field,
            winner=winner,
            because=decision.because,
            by=conflicts.IMSYNC,
            now=now,
        )


def release_quiet(conn: Connection, integration_id: str, *, now: Instant) -> None:
    """Let go what was held because it flapped and has been quiet since; decide it anew."""
    for link_id, field in conflicts.quiet(conn, integration_id, now=now):
        because = f"quiet for {flapping.QUIET // 60_000} minutes: let go"
        conflicts.close(
            conn, link_id, field, winner=None, because=because, by=conflicts.IMSYNC, now=now
        )
        reconcile(conn, link_id, now=now, fields=[field])


def _lag(standing: Standing, now: Instant) -> int | None:
    return max(0, now - standing.seen.at) if standing.seen else None


def spread(
    conn: Connection, incident_id: int, fields: Iterable[Field], *, but: int = 0, now: Instant
) -> None:
    """These fields of the incident were edited: decide them on its links, but for one."""
    names = list(fields)
    for link in links.of_incident(conn, incident_id):
        if link.id == but:
            continue
        for field in names:
            links.set_blocked(conn, link.id, field, None)
        reconcile(conn, link.id, now=now, fields=names)
