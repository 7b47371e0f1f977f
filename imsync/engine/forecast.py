"""What would be done: the exact requests, what changes here, what conflicts.

It is no second opinion. The change is made, and the loops' own units of work run on what it
leads to, in a savepoint that is taken back. So what is shown is what would be done, as long
as nobody edits anything meanwhile.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import LOOKED_UP, Request, Snapshot
from imsync.core.fields import Field, Instant, Value
from imsync.core.maps import NoTranslation
from imsync.engine import acting, linking, noting, writing
from imsync.engine.account import needs
from imsync.engine.carry_out import View, view
from imsync.errors import Refused, Stale
from imsync.store import conflicts, incidents, integrations, links, outbox
from imsync.store.conflicts import Conflict
from imsync.store.database import Connection, undone
from imsync.store.directory import Directory
from imsync.store.integrations import Integration
from imsync.store.outbox import Claim

T = TypeVar("T")
_END_OF_TIME = Instant(2**53)


@dataclass(frozen=True, slots=True)
class Change:
    """A field that changes on one side. Values as that side shows them, people by name."""

    incident: str
    field: str
    before: Value
    after: Value

    def __str__(self) -> str:
        return f"{self.incident} {self.field} {self.before!r} -> {self.after!r}"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that would be made, as whom (None: the integration's own user), and why."""

    integration: str
    incident: str
    actor: str | None
    request: Request
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Still:
    """A field that is owed and would not be written, and why."""

    incident: str
    field: str
    because: str


@dataclass(slots=True)
class Forecast:
    """What a change (or, without one, what is owed) leads to. `requests` counts all of them."""

    integration: str
    rate_limit: int
    calls: list[Call] = field(default_factory=list)
    adopted: list[Change] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)  # that it leads to
    ended: list[Conflict] = field(default_factory=list)  # that were pending before
    still: list[Still] = field(default_factory=list)
    requests: int = 0

    def __bool__(self) -> bool:
        """Whether it leads to anything at all."""
        return bool(self.calls or self.adopted or self.conflicts or self.ended or self.still)

    @property
    def id(self) -> str:
        """Two forecasts with one id say the same."""
        bodies = [(call.actor, call.request.body) for call in self.calls]
        text = json.dumps([self.lines(), bodies], sort_keys=True)
        return f"pln_{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def lines(self) -> list[str]:
        """What it says, a line each, to be compared: no times, and no numbers of rows."""
        return [
            *(
                f"{call.request.method} {call.request.path} of {call.integration}: {change}"
                for call in self.calls
                for change in call.changes
            ),
            *(f"here, {change}" for change in self.adopted),
            *(f"{one.incident} {one.field} is not sent: {one.because}" for one in self.still),
            *(_told(conflict) for conflict in [*self.conflicts, *self.ended]),
        ]


class PlanChanged(Stale):
    """What would be done is no longer what was shown."""

    code = "plan_changed"


def of_what_is_owed(conn: Connection, integration: Integration, *, now: Instant) -> Forecast:
    """What the integration would do now, if nobody changed anything."""
    found = Forecast(integration.slug, integration.rate_limit)
    with undone(conn):
        _calls(conn, integration, found, now=now)
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
    new = {link for link, _ in owed_now - owed}
    with undone(conn):
        for link in {link for link, _ in owed_now} - new:
            outbox.forget(conn, link)  # owed all the same
        for one in integrations.every(conn):
            _calls(conn, one, found, now=now)
    return result, found


def _dropped(conn: Connection, link_id: int, what: str) -> Still:
    incident = incidents.public_id(links.get(conn, link_id).incident_id)
    if what == outbox.CREATE:
        return Still(incident, "", "it is no longer to be created")
    if outbox.note_of(what) is not None:
        return Still(incident, "note", "notes are not synced any more")
    return Still(incident, what, links.fields(conn, link_id)[Field(what)].because)


def _calls(conn: Connection, integration: Integration, found: Forecast, *, now: Instant) -> None:
    """Everything the outbound loop would send, in its order."""
    while claim := outbox.claim(conn, integration.id, now=_END_OF_TIME, lease=1):
        found.requests += len(_needs(conn, integration, claim))
        if claim.creates:
            _creation(conn, integration, claim, found, now=now)
        else:
            found.requests += bool(claim.fields)  # the look before it
            for call in (*_updates(conn, claim, found, now=now), *_notes(conn, claim)):
                found.calls.append(call)
                found.requests += 1
        outbox.forget(conn, claim.link_id)


def _needs(conn: Connection, integration: Integration, claim: Claim) -> Sequence[object]:
    outgoing, people = writing.outgoing(conn, claim)
    return needs(conn, integration.id, outgoing=outgoing, people=people)


def _creation(
    conn: Connection, integration: Integration, claim: Claim, found: Forecast, *, now: Instant
) -> None:
    link = links.get(conn, claim.link_id)
    incident = incidents.public_id(link.incident_id)
    found.requests += 2 if link.service_id else 1  # after any doubt it is looked for first
    draft = linking.draft(conn, link, now=now)
    if draft is None:
        found.still.append(Still(incident, "", "there is no service to create it in"))
        return
    translation = TRANSLATIONS[integration.integration_type]
    request = translation.to_create(draft, Directory(conn, integration.id))
    edits = incidents.get(conn, link.incident_id).edits
    changes = [Change(incident, name, None, edits[name].value) for name in draft.fields]
    found.calls.append(Call(integration.slug, incident, draft.actor, request, changes))


def _updates(conn: Connection, claim: Claim, found: Forecast, *, now: Instant) -> Iterator[Call]:
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
        yield Call(slug, incident, batch.actor, request, changes)
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


def _told(conflict: Conflict) -> str:
    what = f"{incidents.public_id(conflict.incident_id)} {conflict.field}"
    sides = f"{conflict.platform.value!r} here, {conflict.external.value!r} there"
    outcome = f"{conflict.winner} wins" if conflict.winner else conflict.status
    return f"conflict over {what}: {sides}: {outcome}"


def _differs(before: Forecast | None, after: Forecast) -> str:
    """What is no longer as it was shown, in a line or two."""
    if before is None:
        return f"it would now lead to something else than was shown: {after.id}"
    old, new = set(before.lines()), set(after.lines())
    gone, come = sorted(old - new), sorted(new - old)
    parts = [f"no longer: {one}" for one in gone[:3]] + [f"now: {one}" for one in come[:3]]
    more = len(gone) + len(come) - len(parts)
    return "what would be done has changed: " + "; ".join(parts) + (f"; {more} more" * (more > 0))
