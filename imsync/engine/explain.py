"""Why is this so? What is known of one field of an incident, and of a conflict, gathered."""

from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from imsync.connectors import TRANSLATIONS
from imsync.core.fields import Edit, Field, Instant, Known, Seen, Side, Value
from imsync.core.maps import NoTranslation
from imsync.core.merge import Terms, Verdict
from imsync.engine import review, telling
from imsync.engine.carry_out import View, maps_of, view
from imsync.engine.telling import Lost, Words
from imsync.errors import NotFound, UserError
from imsync.store import conflicts, incidents, integrations, journal, links, outbox
from imsync.store.conflicts import Conflict
from imsync.store.database import Connection
from imsync.store.journal import CONFIRMED
from imsync.store.links import FieldState


@dataclass(frozen=True, slots=True)
class Told:
    """A conflict, what its external value reads as here, what lost in it, and its story."""

    conflict: Conflict
    reads_as: Value
    losers: Sequence[Lost]
    story: Sequence[str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One field of one link: both sides, what was decided by which terms, and what lost."""

    integration: str
    base: Known
    external: Seen | None
    reads_as: Value
    terms: Terms
    default: bool  # nobody has set the rule
    state: str  # as `state_of` says
    verdict: str | None
    because: str
    confirmed_at: Instant | None
    losers: Sequence[Lost]
    story: Sequence[str]


def tell(conn: Connection, conflict: Conflict, *, now: Instant) -> Told:
    integration = integrations.get(conn, links.get(conn, conflict.link_id).integration_id)
    there = TRANSLATIONS[integration.integration_type].title
    reads_as, value = None, conflict.external.value
    with suppress(NoTranslation):
        map_ = maps_of(conn, integration)[conflict.field]
        reads_as = map_.decode(value, given=conflict.platform.value)
    words = Words(conflict.field, there, now)
    losers = lost(view(conn, conflict.link_id), conflict)
    return Told(conflict, reads_as, losers, telling.conflict(words, conflict, reads_as, losers))


def explain(
    conn: Connection, number: int, field: Field, *, integration: str | None, now: Instant
) -> tuple[Edit, list[Explanation]]:
    """The field's last edit here, and what is known of it on each of its links (or on that one).

    Raises NotFound for an incident there is none of, or that is not linked there.
    """
    edit = incidents.get(conn, number).edits[field]
    linked = links.of_incident(conn, number)
    if integration is not None:
        wanted = integrations.named(conn, integration)
        linked = [link for link in linked if link.integration_id == wanted.id]
        if not linked:
            raise NotFound(
                f"{incidents.public_id(number)} is not linked in {wanted.slug}",
                hint="`im incident show` tells where it is",
            )
    return edit, [_explained(conn, view(conn, link.id), field, now=now) for link in linked]


def _explained(conn: Connection, current: View, field: Field, *, now: Instant) -> Explanation:
    link, standing = current.link, current.standings[field]
    entries = journal.of_field(conn, link.id, field)
    decided = [one for one in entries if one.verdict != CONFIRMED]
    owed = outbox.owed(conn, link.id)
    stands, because = state_of(current, links.fields(conn, link.id)[field], owed)
    edit, seen = standing.platform, standing.seen
    reads_as = read(current, field, seen.value) if seen else None
    arrived = (Verdict.ADOPT, Verdict.SETTLE, CONFIRMED)
    proofs = [one.at for one in entries if one.verdict in arrived and one.at >= edit.at]
    confirmed_at = proofs[-1] if proofs and stands == "in_sync" else None
    remarks = [one.because for one in entries if one.verdict == CONFIRMED and one.at >= edit.at]
    rows = conflicts.of_field(conn, link.id, field)
    losers = [one for row in rows for one in lost(current, row) if one.edit.value != edit.value]
    words = Words(field, TRANSLATIONS[current.integration.integration_type].title, now)
    last = decided[-1] if decided else None
    adopted = last is not None and last.verdict == Verdict.ADOPT
    story = telling.field(
        words,
        incident=incidents.public_id(current.incident.id),
        edit=edit,
        came_from=Side.EXTERNAL if adopted else Side.PLATFORM,
        there=words.external(seen.value, reads_as) if seen else None,
        state=stands,
        because=because,
        decided_at=last.at if last is not None and last.because == because else None,
        confirmed_at=confirmed_at,
        remark=remarks[-1] if remarks else "",
        losers=losers,
    )
    return Explanation(
        integration=current.integration.slug,
        base=standing.base.platform,
        external=seen,
        reads_as=reads_as,
        terms=current.terms[field],
        default=field not in integrations.set_rules(conn, current.integration.id),
        state=stands,
        verdict=last.verdict if last is not None else None,
        because=because,
        confirmed_at=confirmed_at,
        losers=losers,
        story=story,
    )


def lost(current: View, row: Conflict) -> list[Lost]:
    """What lost in a decided conflict, in our own words also where it was theirs."""
    found = []
    for side in row.losers:
        edit, refused = row.edit_of(side), None
        try:
            review.lost_value(row, current, side)
        except UserError as error:
            refused = str(error)
        if side is Side.EXTERNAL:
            edit = replace(edit, value=read(current, row.field, edit.value) or edit.value)
        alone = len(row.losers) == 1
        found.append(Lost(edit, side, row.id, alone=alone, refused=refused))
    return found


def state_of(current: View, state: FieldState, owed: Container[str]) -> tuple[str, str]:
    """How one field of a link stands, and why.

    in_sync; pending: ours is on its way; held: a person decides; blocked: it cannot cross;
    apart: the sides differ and that is as it should be, by the direction or a person's word;
    unlinked: nobody keeps them in step any more.
    """
    standing = current.standings[state.field]
    if current.link.state == "unlinked":
        return "unlinked", state.because
    if state.blocked is not None:
        return "blocked", state.blocked
    if standing.held:
        return "held", state.because
    if current.uncreated is not None:
        return "blocked", current.uncreated
    if state.field in owed or current.link.state == "creating":
        return "pending", state.because
    if state.seen is not None:
        reads_as = read(current, state.field, state.seen.value)
        if reads_as != standing.platform.value:
            return "apart", state.because
    return "in_sync", state.because


def read(current: View, field: Field, value: Value) -> Value:
    """What an external value reads as here; None where it cannot be read."""
    with suppress(NoTranslation):
        return current.maps[field].decode(value, given=current.standings[field].platform.value)
    return None
