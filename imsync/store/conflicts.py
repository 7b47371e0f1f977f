"""Conflicts: both values, who set them and when, what was decided and why.

Also those decided at once, by a strategy: what lost is kept here, so that it can be
brought back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Row

from imsync.core.fields import Base, Edit, Field, Instant, Known, Seen, Side, Value
from imsync.core.merge import Rule, Terms
from imsync.errors import NotFound
from imsync.store import events
from imsync.store.database import Connection
from imsync.store.values import known_of, known_text, text_of, value_of

IMSYNC = "imsync"
"""Who decides what no person has: no e-mail, so nobody else is called so."""


@dataclass(frozen=True, slots=True)
class Conflict:
    id: int
    integration: str  # its slug
    incident_id: int
    link_id: int
    field: Field
    status: str  # pending | resolved | ignored
    strategy: str
    rule: Rule | None  # in force when it was recorded; None: that was not kept then
    base: Known  # the platform's half
    platform: Edit
    external: Edit
    winner: Side | None
    because: str
    resolved_by: str | None
    created_at: Instant
    resolved_at: Instant | None

    @property
    def losers(self) -> tuple[Side, ...]:
        """Whose values are kept here alone. Both, where a person chose another value instead."""
        if self.winner is not None:
            return (self.winner.other,)
        by_a_person = self.status == "resolved" and self.resolved_by != IMSYNC
        return tuple(Side) if by_a_person else ()

    def edit_of(self, side: Side) -> Edit:
        return self.platform if side is Side.PLATFORM else self.external


def public_id(id_: int) -> str:
    return f"cfl_{id_}"


def number_of(id_: str) -> int:
    """Raises NotFound for what is not a conflict id."""
    head, _, tail = id_.partition("_")
    if head == "cfl" and tail.isascii() and tail.isdigit() and len(tail) < 16:
        return int(tail)
    raise NotFound(f"{id_!r} is not a conflict id", hint="see `im conflict list`")


def record(
    conn: Connection,
    link_id: int,
    field: Field,
    *,
    terms: Terms,
    base: Base,
    platform: Edit,
    external: Seen,
    winner: Side | None,
    because: str,
    quiet_until: Instant | None = None,
    now: Instant,
) -> None:
    """Keep a conflict: decided (`winner`), or pending. A pending one is updated, not doubled.

    `quiet_until`: it is pending because the field flaps, and ends by itself then, unless
    another edit is made.
    """
    asked = field in held(conn, link_id)
    row = conn.execute(
        "INSERT INTO conflicts (link_id, field, status, strategy, base_platform, base_external,"
        " platform, platform_at, platform_by, external, external_at, external_by, winner,"
        " because, resolved_by, created_at, resolved_at, quiet_until,"
        " rule_owner, rule_priority, rule_strict)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (link_id, field) WHERE status = 'pending' DO UPDATE SET"
        " platform = excluded.platform, platform_at = excluded.platform_at,"
        " platform_by = excluded.platform_by, external = excluded.external,"
        " external_at = excluded.external_at, external_by = excluded.external_by,"
        " strategy = excluded.strategy, because = excluded.because,"
        " quiet_until = excluded.quiet_until, rule_owner = excluded.rule_owner,"
        " rule_priority = excluded.rule_priority, rule_strict = excluded.rule_strict"
        " RETURNING id",
        (
            link_id,
            field,
            "resolved" if winner else "pending",
            terms.strategy,
            known_text(base.platform),
            known_text(base.external),
            text_of(platform.value),
            platform.at,
            platform.by,
            text_of(external.value),
            external.at,
            external.by,
            winner,
            because,
            IMSYNC if winner else None,
            now,
            now if winner else None,
            quiet_until,
            terms.rule.owner,
            terms.rule.priority,
            terms.rule.strict,
        ),
    ).fetchone()
    if winner:
        happened = events.Type.DECIDED
    else:
        happened = events.Type.UPDATED if asked else events.Type.OPENED
    _tell(conn, row["id"], happened, now=now)


def _tell(conn: Connection, id_: int, type_: events.Type, *, now: Instant) -> None:
    """What has become of a conflict, as an event."""
    row = get(conn, id_)
    told = {
        "by": row.resolved_by,
        "conflict": public_id(id_),
        "field": row.field,
        "status": row.status,
        "strategy": row.strategy,
        "platform": {"value": row.platform.value, "by": row.platform.by},
        "external": {"value": row.external.value, "by": row.external.by},
        "winner": row.winner,
        "because": row.because,
    }
    events.append_of_link(conn, type_, told, at=now, link_id=row.link_id)


@dataclass(frozen=True, slots=True)
class Pending:
    """What a person has been asked about a field: which edits, and whether because it flaps."""

    platform: Value
    platform_at: Instant
    external: Value
    external_at: Instant
    flaps: bool


def held(conn: Connection, link_id: int) -> dict[Field, Pending]:
    """The fields of a link that stand still until a person has decided."""
    rows = conn.execute(
        "SELECT field, platform, platform_at, external, external_at, quiet_until FROM conflicts"
        " WHERE link_id = ? AND status = 'pending'",
        (link_id,),
    )
    return {
        Field(row["field"]): Pending(
            value_of(row["platform"]),
            row["platform_at"],
            value_of(row["external"]),
            row["external_at"],
            row["quiet_until"] is not None,
        )
        for row in rows
    }


def quiet(conn: Connection, integration_id: str, *, now: Instant) -> list[tuple[int, Field]]:
    """The links and fields that were held because they flapped, and have been quiet since."""
    rows = conn.execute(
        "SELECT c.link_id, c.field FROM conflicts c JOIN links l ON l.id = c.link_id"
        " WHERE l.integration_id = ? AND c.status = 'pending' AND c.quiet_until <= ?",
        (integration_id, now),
    )
    return [(row["link_id"], Field(row["field"])) for row in rows]


def flapped_until(conn: Connection, link_id: int, field: Field) -> Instant | None:
    """When a field that had been held because it flapped was last let go."""
    row = conn.execute(
        "SELECT MAX(resolved_at) FROM conflicts"
        " WHERE link_id = ? AND field = ? AND quiet_until IS NOT NULL",
        (link_id, field),
    ).fetchone()
    return row[0] if row[0] is None else Instant(row[0])


def close(
    conn: Connection,
    link_id: int,
    field: Field,
    *,
    winner: Side | None,
    because: str,
    by: str,
    now: Instant,
    status: str = "resolved",
) -> None:
    """The pending conflict of the field is over. `winner` None: neither side's value won."""
    row = conn.execute(
        "UPDATE conflicts SET status = ?, winner = ?, because = ?, resolved_by = ?,"
        " resolved_at = ? WHERE link_id = ? AND field = ? AND status = 'pending' RETURNING id",
        (status, winner, because, by, now, link_id, field),
    ).fetchone()
    if row is not None:
        _tell(conn, row["id"], events.Type.DECIDED, now=now)


_SELECT = (
    "SELECT c.*, l.incident_id, g.slug FROM conflicts c JOIN links l ON l.id = c.link_id"
    " JOIN integrations g ON g.id = l.integration_id"
)


def get(conn: Connection, id_: int) -> Conflict:
    """Raises NotFound."""
    row = conn.execute(f"{_SELECT} WHERE c.id = ?", (id_,)).fetchone()
    if row is None:
        raise NotFound(f"there is no conflict {public_id(id_)}", hint="see `im conflict list`")
    return _conflict(row)


def page(
    conn: Connection,
    *,
    limit: int,
    before: int | None = None,
    integration_id: str | None = None,
    incident_id: int | None = None,
    status: Sequence[str] = (),
) -> list[Conflict]:
    """The newest conflicts, older than number `before`, that pass every filter given."""
    where, values = ["c.id < ?"], [2**62 if before is None else before, *status]
    if status:
        where.append(f"c.status IN ({', '.join('?' * len(status))})")
    if integration_id is not None:
        where.append("l.integration_id = ?")
        values.append(integration_id)
    if incident_id is not None:
        where.append("l.incident_id = ?")
        values.append(incident_id)
    rows = conn.execute(
        f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY c.id DESC LIMIT ?", (*values, limit)
    )
    return [_conflict(row) for row in rows]


def of_field(conn: Connection, link_id: int, field: Field) -> list[Conflict]:
    """All conflicts over a field of a link, oldest first."""
    rows = conn.execute(
        f"{_SELECT} WHERE c.link_id = ? AND c.field = ? ORDER BY c.id", (link_id, field)
    )
    return [_conflict(row) for row in rows]


def last(conn: Connection) -> int:
    """The number of the newest conflict; 0 if there is none."""
    return int(conn.execute("SELECT COALESCE(MAX(id), 0) FROM conflicts").fetchone()[0])


def after(conn: Connection, number: int) -> list[Conflict]:
    """The conflicts recorded after that one, oldest first."""
    rows = conn.execute(f"{_SELECT} WHERE c.id > ? ORDER BY c.id", (number,))
    return [_conflict(row) for row in rows]


def pending_ids(conn: Connection) -> set[int]:
    rows = conn.execute("SELECT id FROM conflicts WHERE status = 'pending'")
    return {row["id"] for row in rows}


def count_pending(conn: Connection, integration_id: str) -> int:
    row = conn.execute(
        "SELECT COUNT(*) FROM conflicts c JOIN links l ON l.id = c.link_id"
        " WHERE l.integration_id = ? AND c.status = 'pending'",
        (integration_id,),
    ).fetchone()
    return int(row[0])


def _rule(row: Row) -> Rule | None:
    if row["rule_owner"] is None:
        return None
    return Rule(Side(row["rule_owner"]), row["rule_priority"], bool(row["rule_strict"]))


def _conflict(row: Row) -> Conflict:
    return Conflict(
        id=row["id"],
        integration=row["slug"],
        incident_id=row["incident_id"],
        link_id=row["link_id"],
        field=Field(row["field"]),
        status=row["status"],
        strategy=row["strategy"],
        rule=_rule(row),
        base=known_of(row["base_platform"]),
        platform=Edit(value_of(row["platform"]), row["platform_at"], row["platform_by"]),
        external=Edit(value_of(row["external"]), row["external_at"], row["external_by"]),
        winner=Side(row["winner"]) if row["winner"] else None,
        because=row["because"],
        resolved_by=row["resolved_by"],
        created_at=row["created_at"],
        resolved_at=row["resolved_at"],
    )
