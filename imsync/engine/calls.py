"""The requests that would be made: the loops' own units of work, run on what is owed.

Whoever calls this takes it back again: it uses up what is owed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import LOOKED_UP, Snapshot
from imsync.core.fields import Field, Instant, Value
from imsync.core.maps import NoTranslation
from imsync.engine import acting, linking, noting, storm, writing
from imsync.engine.account import Need, needs
from imsync.engine.carry_out import View, view
from imsync.engine.foreseen import Call, Change, Forecast, Still
from imsync.errors import Refused
from imsync.store import incidents, integrations, links, outbox
from imsync.store.database import Connection
from imsync.store.directory import Directory
from imsync.store.integrations import Integration
from imsync.store.outbox import Claim

_END_OF_TIME = Instant(2**53)
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Plain:
    """A write of fields alone: in a storm it leaves together with others."""

    call: Call
    external_id: str
    values: Mapping[Field, Value]


def foresee(conn: Connection, integration: Integration, found: Forecast, *, now: Instant) -> None:
    """Everything the outbound loop would send, in its order; what is owed is used up by it."""
    wanted, plain, looks = dict[Need, None](), list[Plain](), 0
    for link_id in outbox.in_order(conn, integration.id):
        claim = outbox.lease_all(conn, link_id, now=_END_OF_TIME, lease=1)
        outgoing, people = writing.outgoing(conn, claim)
        wanted |= dict.fromkeys(needs(conn, integration.id, outgoing=outgoing, people=people))
        if claim.creates:
            _creation(conn, integration, claim, found, now=now)
        elif Field.DESCRIPTION in claim.fields or claim.notes or not is_open(conn, claim):
            found.requests += bool(claim.fields)  # the look before it
            for one in _updates(conn, claim, found, now=now):
                _add(found, one.call)
            for call in _notes(conn, claim):
                _add(found, call)
        else:
            looks += 1
            plain += _updates(conn, claim, found, now=now)
        outbox.forget(conn, claim.link_id)
    found.requests += len(wanted)
    if wanted:
        found.unknown[integration.id] = list(wanted)
    if looks < storm.LEAST:
        found.requests += looks
        for one in plain:
            _add(found, one.call)
        return
    found.requests += -(-max(looks, integration.open_there or 0) // _PAGE)
    for call in _together(conn, integration, plain):
        _add(found, call)


def _add(found: Forecast, call: Call) -> None:
    found.calls.append(call)
    found.requests += 1


def is_open(conn: Connection, claim: Claim) -> bool:
    seen = links.fields(conn, claim.link_id)[Field.STATUS].seen
    return seen is not None and seen.value != "resolved"


def _together(conn: Connection, integration: Integration, plain: Sequence[Plain]) -> Iterator[Call]:
    """The bulk writes of a storm: one person's changes, so many at once."""
    translation = TRANSLATIONS[integration.integration_type]
    directory = Directory(conn, integration.id)
    for start in range(0, len(plain), storm.MOST):
        by_actor = dict[str | None, list[Plain]]()
        for one in plain[start : start + storm.MOST]:
            by_actor.setdefault(one.call.actor, []).append(one)
        for actor, several in by_actor.items():
            request = translation.to_write_many(
                {one.external_id: one.values for one in several}, directory
            )
            changes = [change for one in several for change in one.call.changes]
            names = list(dict.fromkeys(change.incident for change in changes))
            incident = names[0] if len(names) == 1 else f"{len(names)} incidents"
            yield Call(integration.slug, incident, actor, request, changes)


def _creation(
    conn: Connection, integration: Integration, claim: Claim, found: Forecast, *, now: Instant
) -> None:
    link = links.get(conn, claim.link_id)
    incident = incidents.public_id(link.incident_id)
    found.requests += 2 if link.service_id else 1  # after any doubt it is looked for first
    draft = linking.draft(conn, link, key=linking.keys_of(link)[0], now=now)
    if draft is None:
        found.still.append(Still(incident, "", "there is no service to create it in"))
        return
    translation = TRANSLATIONS[integration.integration_type]
    request = translation.to_create(draft, Directory(conn, integration.id))
    edits = incidents.get(conn, link.incident_id).edits
    changes = [Change(incident, name, None, edits[name].value) for name in draft.fields]
    found.calls.append(Call(integration.slug, incident, draft.actor, request, changes))


def _updates(conn: Connection, claim: Claim, found: Forecast, *, now: Instant) -> Iterator[Plain]:
    current = view(conn, claim.link_id)
    incident, slug = incidents.public_id(current.incident.id), current.integration.slug
    translation = TRANSLATIONS[current.integration.integration_type]
    directory = Directory(conn, current.integration.id)
    batches = writing.prepare(conn, claim, _as_last_seen(current, now), now=now)
    for batch in batches:
        values = {name: write.value for name, write in batch.writes.items()}
        external_id = current.link.external_id or ""
        try:
            if Field.DESCRIPTION in values:
                text, note = values[Field.DESCRIPTION] or "", current.link.description_note
                request = translation.to_describe(external_id, text, note)
                found.requests += note is None  # it is looked for among the notes
            else:
                request = translation.to_write(external_id, values, directory)
        except Refused as error:
            found.still += [Still(incident, name, str(error)) for name in values]
            continue
        changes = [_shown(current, name, value) for name, value in values.items()]
        call = Call(slug, incident, batch.actor, request, changes)
        yield Plain(call, external_id, values)
    sent = {name for batch in batches for name in batch.writes}
    states = links.fields(conn, claim.link_id)
    for name in set(claim.fields) - sent:
        if because := states[name].blocked or _unknown(current, name):
            found.still.append(Still(incident, name, because))


def _notes(conn: Connection, claim: Claim) -> Iterator[Call]:
    link = links.get(conn, claim.link_id)
    integration = integrations.get(conn, link.integration_id)
    translation = TRANSLATIONS[integration.integration_type]
    incident = incidents.public_id(link.incident_id)
    for number in claim.notes:
        entry = incidents.entry(conn, link.incident_id, number)
        actor = acting.actor(conn, integration, entry.by)
        text = noting.text_of(entry, actor)
        request = translation.to_note(link.external_id or "", text)
        changes = [Change(incident, "note", None, text)]
        yield Call(integration.slug, incident, actor, request, changes)


def _as_last_seen(current: View, now: Instant) -> Snapshot:
    seen = {name: one.seen for name, one in current.standings.items() if one.seen is not None}
    fields = {name: one.value for name, one in seen.items()}
    return Snapshot(
        external_id=current.link.external_id or "",
        url=current.link.external_url,
        fields=fields,
        as_of=now,
        open=fields.get(Field.STATUS) != "resolved",
    )


def _unknown(current: View, name: Field) -> str | None:
    """Why a value cannot be written yet: nobody has asked what it is called there."""
    try:
        current.maps[name].encode(current.standings[name].platform.value)
    except NoTranslation as error:
        return str(error)
    return None


def _shown(current: View, name: Field, value: Value) -> Change:
    """A change there, as people read it: those known by name go by name."""
    standing = current.standings[name]
    before = standing.seen.value if standing.seen else None
    after = value
    if name in LOOKED_UP:
        after = standing.platform.value
        with suppress(NoTranslation):  # then its id has to do
            before = current.maps[name].decode(before, given=None)
    return Change(incidents.public_id(current.incident.id), name, before, after)
