"""A person's answer to a conflict: one side's value, a third one, neither; or the loser back."""

from contextlib import suppress

from imsync.core.fields import NEVER, Base, Edit, Field, Instant, Side, Value
from imsync.core.maps import NotLookedUp, NoTranslation
from imsync.core.merge import Verdict
from imsync.engine.carry_out import View, adopt, spread, view
from imsync.engine.edits import check
from imsync.errors import Clash, Stale, UserError
from imsync.store import conflicts, incidents, journal, links
from imsync.store.conflicts import Conflict
from imsync.store.database import Connection


def resolve(
    conn: Connection,
    id_: int,
    *,
    use: Side | None,
    value: Value = None,
    by: str | None,
    now: Instant,
) -> Conflict:
    """Settle a pending conflict with one side's value as it is now, or (`use` None) with another.

    Raises NotFound, Clash when it is not pending, UserError for a value the field cannot take.
    """
    conflict, current = _pending(conn, id_)
    field, standing = conflict.field, current.standings[conflict.field]
    seen = standing.seen
    assert seen is not None  # there is no conflict with what nobody has seen
    checked = _writable(current, field, value) if use is None else None
    if use is None:
        use = _who_says(current, field, checked)
    who = by or "somebody"
    another = "none" if checked is None else repr(checked)
    said = f"{who} chose {use}" if use else f"{who} chose another value: {another}"
    conflicts.close(conn, current.link.id, field, winner=use, because=said, by=who, now=now)
    links.set_blocked(conn, current.link.id, field, None)
    if use is Side.EXTERNAL:
        try:
            adopt(conn, view(conn, current.link.id), field, now=now)
        except NoTranslation as error:
            raise UserError(
                f"{field} cannot be that: {error}", hint="nothing was changed"
            ) from None
        _journal(conn, current, field, Verdict.ADOPT, said, now=now)
        return conflicts.get(conn, id_)
    # Theirs is known from here on, and ours is an edit of it.
    links.set_base(conn, current.link.id, field, Base(NEVER, seen.value, standing.base.at))
    edit = standing.platform
    if use is None and checked != edit.value:
        edit = Edit(checked, Instant(max(now, edit.at + 1)), by)
        _write_here(conn, current, conflict, edit, now=now)
    spread(conn, current.incident.id, [field], now=now)
    _journal(conn, current, field, Verdict.PUSH, said, now=now)
    return conflicts.get(conn, id_)


def _who_says(current: View, field: Field, value: Value) -> Side | None:
    """The side that says so already: whoever types its value has chosen it."""
    standing = current.standings[field]
    assert standing.seen is not None  # there is no conflict with what nobody has seen
    if value == standing.platform.value:
        return Side.PLATFORM
    with suppress(NoTranslation):
        if value == current.maps[field].decode(standing.seen.value, given=standing.platform.value):
            return Side.EXTERNAL
    return None


def _writable(current: View, field: Field, value: Value) -> Value:
    """The value, if the field can take it here and, as far as is known, there too."""
    checked = check(field, value)
    try:
        current.maps[field].encode(checked)
    except NotLookedUp:
        return checked  # nobody could be asked: if it is none, the field says so when written
    except NoTranslation as error:
        raise UserError(f"{field} cannot be that: {error}", hint="nothing was changed") from None
    return checked


def ignore(conn: Connection, id_: int, *, by: str | None, now: Instant) -> Conflict:
    """Keep both sides as they are: the difference is the new base. Raises NotFound, Clash."""
    conflict, current = _pending(conn, id_)
    standing = current.standings[conflict.field]
    assert standing.seen is not None  # there is no conflict with what nobody has seen
    base = Base(standing.platform.value, standing.seen.value, standing.platform.at)
    because = f"{by or 'somebody'} ignored it: both sides keep what they have"
    links.set_base(conn, current.link.id, conflict.field, base)
    _journal(conn, current, conflict.field, Verdict.KEEP, because, now=now)
    conflicts.close(
        conn,
        current.link.id,
        conflict.field,
        winner=None,
        because=because,
        by=by or "somebody",
        now=now,
        status="ignored",
    )
    return conflicts.get(conn, id_)


def restore(
    conn: Connection, id_: int, *, use: Side | None = None, by: str | None, now: Instant
) -> Conflict:
    """Bring back what lost, as a fresh edit on both sides; `use` says whose, where both lost.

    Raises NotFound, Clash when nothing has lost or it was brought back already, Stale when the
    field was edited since, and UserError when it has to be said whose, or it cannot be read.
    """
    conflict = conflicts.get(conn, id_)
    current, field = view(conn, conflict.link_id), conflict.field
    value = lost_value(conflict, current, _loser(conflict, use))
    at = Instant(max(now, current.standings[field].platform.at + 1))
    _write_here(conn, current, conflict, Edit(value, at, by), now=now)
    spread(conn, current.incident.id, [field], now=now)
    said = f"{by or 'somebody'} brought back what had lost in {conflicts.public_id(id_)}"
    _journal(conn, view(conn, conflict.link_id), field, Verdict.PUSH, said, now=now)
    return conflicts.get(conn, id_)


def _loser(conflict: Conflict, use: Side | None) -> Side:
    name, losers = conflicts.public_id(conflict.id), conflict.losers
    if conflict.status == "pending":
        raise Clash(f"{name} is still pending", hint=f"`im conflict resolve {name} --use …`")
    if not losers:
        raise Clash(f"in {name} neither side lost: there is nothing to bring back")
    if use is None and len(losers) > 1:
        raise UserError(
            f"in {name} both sides lost: say which is to come back",
            hint=" or ".join(f"`im conflict restore {name} --use {side}`" for side in losers),
        )
    if use is not None and use not in losers:
        raise Clash(f"in {name} the {use} side won: the other one is what can be brought back")
    return use or losers[0]


def lost_value(conflict: Conflict, current: View, side: Side) -> Value:
    """What restoring that side of a decided conflict would set here.

    What is offered and what is done both ask this. Raises Clash when the field has that value,
    Stale when it was edited since the decision, UserError when the value cannot be read.
    """
    field, name = conflict.field, conflicts.public_id(conflict.id)
    standing, value = current.standings[field], conflict.edit_of(side).value
    if side is Side.EXTERNAL:
        try:
            value = current.maps[field].decode(value, given=None)
        except NoTranslation as error:
            raise UserError(f"{name} cannot be brought back: {error}") from None
    now_here = standing.platform.value
    if now_here == value:
        raise Clash(f"{field} is {now_here!r} already: there is nothing to bring back")
    newest = max(standing.platform.at, standing.seen.at if standing.seen else 0)
    if newest > (conflict.resolved_at or 0):
        raise Stale(
            f"{field} was edited after {name} was decided: it is {now_here!r} now",
            hint="set it with `im incident update`, if that is what is wanted",
        )
    return check(field, value)


def _pending(conn: Connection, id_: int) -> tuple[Conflict, View]:
    conflict = conflicts.get(conn, id_)
    if conflict.status != "pending":
        who = conflict.resolved_by or "imsync"
        raise Clash(
            f"{conflicts.public_id(id_)} was {conflict.status} by {who} already:"
            f" {conflict.because}",
            hint="`im conflict restore` brings back what lost",
        )
    return conflict, view(conn, conflict.link_id)


def _journal(
    conn: Connection, current: View, field: Field, verdict: Verdict, said: str, *, now: Instant
) -> None:
    """Note what a person has decided, from what stood before it."""
    standing = current.standings[field]
    links.set_because(conn, current.link.id, field, said)
    journal.write(
        conn,
        current.link.id,
        field,
        verdict,
        said,
        base=standing.base,
        platform=standing.platform,
        seen=standing.seen,
        lag=None,
        now=now,
    )


def _write_here(
    conn: Connection, current: View, conflict: Conflict, edit: Edit, *, now: Instant
) -> None:
    number, field = current.incident.id, conflict.field
    old = current.standings[field].platform.value
    incidents.set_field(conn, number, field, edit, now=now)
    incidents.tell_change(conn, number, field=field, old=old, edit=edit, integration_id=None)
