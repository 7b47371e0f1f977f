"""Integrations: one configured connection each, with its secrets and its field rules."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from sqlite3 import IntegrityError, Row
from typing import Literal

from imsync.core.fields import DEFAULT_OWNER, Field, Instant, Side
from imsync.core.merge import Direction, Rule, Strategy
from imsync.errors import Clash, NotFound, did_you_mean
from imsync.store import events
from imsync.store.database import Connection
from imsync.store.sealing import Column, keyring

_NOBODYS = "0" * 64
"""As long as the secrets that PagerDuty makes."""


@dataclass(frozen=True, slots=True)
class Integration:
    id: str
    slug: str
    name: str
    integration_type: str
    organization_id: str | None
    base_url: str
    token: str | None = field(repr=False)
    from_email: str | None
    default_service: str | None
    sync_direction: Direction
    conflict_strategy: Strategy
    sync_escalations: bool
    sync_notes: bool
    rate_limit: int  # requests a minute
    backoff_multiplier: float
    enabled: bool
    suspended_because: str | None
    clock_offset: int  # ms that the external clock is ahead of ours
    last_delivery_at: Instant | None
    last_sweep_at: Instant | None
    log_read_to: Instant | None
    refused_signatures: int
    refused_before: int  # of these, those before the last good delivery
    drift_healed: int
    created_at: Instant
    updated_at: Instant
    import_open: Literal["all", "mapped", "none"]  # what was open before this integration was
    open_there: int | None  # at the last sweep

    @property
    def refused_since_delivery(self) -> int:
        """Deliveries with a wrong signature since the last good one."""
        return self.refused_signatures - self.refused_before

    @property
    def state(self) -> str:
        if not self.enabled:
            return "disabled"
        if self.token is None:
            return "no token"
        return "suspended" if self.suspended_because else "active"


CHANGEABLE = frozenset(
    {
        "slug", "name", "organization_id", "base_url", "token", "from_email", "default_service",
        "sync_direction", "conflict_strategy", "sync_escalations", "sync_notes", "rate_limit",
        "backoff_multiplier", "enabled", "import_open",
    }
)  # fmt: skip
"""What a person may set; the rest is the daemon's."""


def create(
    conn: Connection,
    id_: str,
    *,
    integration_type: str,
    settings: Mapping[str, object],
    now: Instant,
    by: str | None = None,
) -> None:
    """Keep a new integration. `settings` holds every name of CHANGEABLE. Raises Clash."""
    values = {
        **settings,
        "id": id_,
        "integration_type": integration_type,
        "created_at": now,
        "updated_at": now,
        "token": _sealed(conn, id_, settings["token"]),
    }
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    try:
        conn.execute(f"INSERT INTO integrations ({names}) VALUES ({marks})", values)
    except IntegrityError:
        raise _taken(settings["slug"]) from None
    told = {"by": by, "name": settings["name"]}
    events.append(conn, events.Type.CREATED, told, at=now, integration_id=id_)


def change(
    conn: Connection,
    id_: str,
    settings: Mapping[str, object],
    *,
    now: Instant,
    by: str | None = None,
) -> None:
    """Set some of CHANGEABLE. Raises Clash when the slug is taken."""
    if unknown := settings.keys() - CHANGEABLE:
        raise KeyError(f"not changeable: {', '.join(sorted(unknown))}")
    before = get(conn, id_)
    values = {**settings, "now": now, "id": id_}
    if "token" in settings:
        values["token"] = _sealed(conn, id_, settings["token"])
    sets = "".join(f"{name} = :{name}, " for name in settings)
    try:
        conn.execute(f"UPDATE integrations SET {sets}updated_at = :now WHERE id = :id", values)
    except IntegrityError:
        raise _taken(settings["slug"]) from None
    after = get(conn, id_)
    for name in settings:
        was, now_is, secret = getattr(before, name), getattr(after, name), name == "token"
        events.append_setting(conn, id_, name, was, now_is, at=now, by=by, secret=secret)


def _taken(slug: object) -> Clash:
    return Clash(
        f"an integration with the slug {slug!r} exists already",
        hint=f"change that one with `im integration configure {slug}`, or give this a --slug",
    )


def delete(conn: Connection, id_: str, *, now: Instant, by: str | None = None) -> None:
    told = {"by": by, "name": get(conn, id_).name}
    events.append(conn, events.Type.DELETED, told, at=now, integration_id=id_)
    conn.execute("DELETE FROM integrations WHERE id = ?", (id_,))


def every(conn: Connection) -> list[Integration]:
    rows = conn.execute("SELECT * FROM integrations ORDER BY slug")
    return [_integration(conn, row) for row in rows]


def get(conn: Connection, id_: str) -> Integration:
    """By id alone. Raises NotFound."""
    row = conn.execute("SELECT * FROM integrations WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise NotFound(f"there is no integration {id_!r}", hint="see `im integration list`")
    return _integration(conn, row)


def named(conn: Connection, name: str) -> Integration:
    """By id, slug or name, whatever its case. Raises NotFound or Clash, listing the candidates."""
    everyone = every(conn)
    wanted = name.casefold()
    for ways in (
        [one for one in everyone if name == one.id],
        [one for one in everyone if wanted == one.slug.casefold()],
        [one for one in everyone if wanted == one.name.casefold()],
    ):
        if len(ways) == 1:
            return ways[0]
        if ways:
            slugs = ", ".join(one.slug for one in ways)
            raise Clash(f"{name!r} could be any of: {slugs}", hint="say which by its slug or id")
    slugs = ", ".join(one.slug for one in everyone)
    hint = f"there are: {slugs}" if slugs else "there are none yet: `im integration configure`"
    if meant := did_you_mean(name, [one.slug for one in everyone]):
        hint = f"{meant} {hint}"
    raise NotFound(f"there is no integration {name!r}", hint=hint)


def suspend(conn: Connection, id_: str, because: str | None, *, now: Instant) -> None:
    """Stop asking the other side until a person or a passed test says otherwise (None)."""
    before = get(conn, id_).suspended_because
    conn.execute("UPDATE integrations SET suspended_because = ? WHERE id = ?", (because, id_))
    if because is not None and before is None:
        told = {"because": because}
        events.append(conn, events.Type.SUSPENDED, told, at=now, integration_id=id_)
    elif because is None and before is not None:
        events.append(conn, events.Type.RESUMED, {}, at=now, integration_id=id_)


def note_clock(conn: Connection, id_: str, offset: int) -> None:
    conn.execute("UPDATE integrations SET clock_offset = ? WHERE id = ?", (offset, id_))


def note_delivery(conn: Connection, id_: str, at: Instant) -> None:
    """A good one: what was refused before it is no news any more."""
    conn.execute(
        "UPDATE integrations SET last_delivery_at = ?, refused_before = refused_signatures"
        " WHERE id = ?",
        (at, id_),
    )


def note_refused(
    conn: Connection, counts: Mapping[str, int], *, tell: Mapping[str, int], now: Instant
) -> None:
    """So many deliveries were refused, by integration; `tell` says of which to make an event."""
    for id_, count in counts.items():
        conn.execute(
            "UPDATE integrations SET refused_signatures = refused_signatures + ? WHERE id = ?",
            (count, id_),
        )
    for id_, count in tell.items():
        if conn.execute("SELECT 1 FROM integrations WHERE id = ?", (id_,)).fetchone():
            told = {"deliveries": count}
            events.append(conn, events.Type.REFUSED, told, at=now, integration_id=id_)


def note_sweep(conn: Connection, id_: str, at: Instant, *, open_there: int) -> None:
    conn.execute(
        "UPDATE integrations SET last_sweep_at = ?, open_there = ? WHERE id = ?",
        (at, open_there, id_),
    )


_ON_ITS_WAY = 10_000
"""How long (ms) a line may be on its way into the log, and what we know into the database."""


def note_log_read(conn: Connection, id_: str, to: Instant) -> None:
    """The log has been read up to then, but for what may have been edited under a write of ours.

    While a write is under way or in doubt, or has only just landed, the log is read again
    from where we looked before it: only then can it be told what it covered.
    """
    conn.execute(
        """
        UPDATE integrations SET log_read_to = MIN(:to, COALESCE((
            SELECT MIN(as_of) FROM (
                SELECT w.as_of FROM writes w JOIN links l ON l.id = w.link_id
                 WHERE l.integration_id = :id
                   AND (w.state IN ('sending', 'unknown') OR w.state = 'done' AND w.at > :recent)
                 UNION ALL
                SELECT f.as_of FROM link_fields f JOIN links l ON l.id = f.link_id
                  JOIN outbox o ON o.link_id = f.link_id AND o.what = f.field
                 WHERE l.integration_id = :id AND o.state = 'sending')), :to))
         WHERE id = :id
        """,
        {"id": id_, "to": to, "recent": to - _ON_ITS_WAY},
    )


def note_healed(conn: Connection, id_: str, count: int, *, now: Instant) -> None:
    """So many links had drifted, and were decided anew."""
    if count:
        told = {"incidents": count}
        events.append(conn, events.Type.HEALED, told, at=now, integration_id=id_)
    conn.execute(
        "UPDATE integrations SET drift_healed = drift_healed + ? WHERE id = ?", (count, id_)
    )


def secrets(conn: Connection, id_: str) -> list[str]:
    """The signing secrets in force, newest first."""
    rows = conn.execute(
        "SELECT secret FROM webhook_secrets WHERE integration_id = ? ORDER BY created_at DESC",
        (id_,),
    )
    ring = keyring(conn)
    return [ring.open(row["secret"], Column.SECRET, id_) for row in rows]


def signers(conn: Connection, id_: str) -> tuple[str | None, list[str]]:
    """The type of an integration, by its id alone, and its signing secrets, newest first.

    None where there is no such integration. Strangers ask this: where there is nothing to open,
    something is sealed for nobody, which takes as long.
    """
    rows = conn.execute(
        "SELECT i.integration_type, s.secret FROM integrations i"
        " LEFT JOIN webhook_secrets s ON s.integration_id = i.id"
        " WHERE i.id = ? ORDER BY s.created_at DESC",
        (id_,),
    ).fetchall()
    ring = keyring(conn)
    found = [ring.open(one["secret"], Column.SECRET, id_) for one in rows if one["secret"]]
    if not found:
        ring.seal(_NOBODYS, Column.SECRET, id_)
    return (rows[0]["integration_type"] if rows else None), found


def set_secret(
    conn: Connection, id_: str, secret: str, *, now: Instant, by: str | None = None
) -> None:
    """Let this be the one secret in force: somebody has given it by hand."""
    before = secrets(conn, id_)
    events.append_setting(conn, id_, "webhook_secret", before, [secret], at=now, by=by, secret=True)
    conn.execute("DELETE FROM webhook_secrets WHERE integration_id = ?", (id_,))
    conn.execute(
        "INSERT INTO webhook_secrets (integration_id, secret, created_at) VALUES (?, ?, ?)",
        (id_, keyring(conn).seal(secret, Column.SECRET, id_), now),
    )


def add_secret(
    conn: Connection, id_: str, secret: str, *, subscription_id: str, now: Instant
) -> None:
    """Let this secret of that subscription be in force too."""
    conn.execute(
        "INSERT INTO webhook_secrets (integration_id, secret, created_at, subscription_id)"
        " VALUES (?, ?, ?, ?)",
        (id_, keyring(conn).seal(secret, Column.SECRET, id_), now, subscription_id),
    )


def secret_owners(conn: Connection, id_: str) -> set[str | None]:
    """The subscriptions whose secrets are in force; None for one that was given by hand."""
    rows = conn.execute(
        "SELECT subscription_id FROM webhook_secrets WHERE integration_id = ?", (id_,)
    )
    return {row["subscription_id"] for row in rows}


def expire_secrets(conn: Connection, id_: str, *, but: str, at: Instant) -> None:
    """Let every secret go then, but that of one subscription."""
    conn.execute(
        "UPDATE webhook_secrets SET expires_at = ? WHERE integration_id = ?"
        " AND expires_at IS NULL AND (subscription_id IS NULL OR subscription_id <> ?)",
        (at, id_, but),
    )


def drop_expired_secrets(conn: Connection, id_: str, *, now: Instant) -> None:
    conn.execute(
        "DELETE FROM webhook_secrets WHERE integration_id = ? AND expires_at <= ?", (id_, now)
    )


def rules(conn: Connection, id_: str) -> dict[Field, Rule]:
    """Every field's rule: what was set, else its default owner."""
    return {field: Rule(owner) for field, owner in DEFAULT_OWNER.items()} | set_rules(conn, id_)


def set_rules(conn: Connection, id_: str) -> dict[Field, Rule]:
    """The rules that were set, without the defaults."""
    rows = conn.execute("SELECT * FROM field_rules WHERE integration_id = ?", (id_,))
    return {
        Field(row["field"]): Rule(Side(row["owner"]), row["priority"], bool(row["strict"]))
        for row in rows
    }


def set_rule(
    conn: Connection,
    id_: str,
    field: Field,
    rule: Rule,
    *,
    now: Instant,
    by: str | None = None,
) -> None:
    before = rules(conn, id_)[field]
    conn.execute(
        "INSERT INTO field_rules (integration_id, field, owner, priority, strict)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (integration_id, field) DO UPDATE"
        " SET owner = excluded.owner, priority = excluded.priority, strict = excluded.strict",
        (id_, field, rule.owner, rule.priority, int(rule.strict)),
    )
    _tell_rule(conn, id_, field, before, now=now, by=by)


def delete_rule(
    conn: Connection, id_: str, field: Field, *, now: Instant, by: str | None = None
) -> None:
    """Let the default owner have the field again."""
    before = rules(conn, id_)[field]
    conn.execute("DELETE FROM field_rules WHERE integration_id = ? AND field = ?", (id_, field))
    _tell_rule(conn, id_, field, before, now=now, by=by)


def _tell_rule(
    conn: Connection, id_: str, field: Field, before: Rule, *, now: Instant, by: str | None
) -> None:
    old, new = asdict(before), asdict(rules(conn, id_)[field])
    events.append_setting(conn, id_, f"field-ownership/{field}", old, new, at=now, by=by)


def strict_rules(conn: Connection, field: Field) -> dict[str, Rule]:
    """Per integration (its slug): the strict rule that was set for the field."""
    rows = conn.execute(
        "SELECT g.slug, r.* FROM field_rules r JOIN integrations g ON g.id = r.integration_id"
        " WHERE r.field = ? AND r.strict = 1 ORDER BY g.slug",
        (field,),
    )
    return {row["slug"]: Rule(Side(row["owner"]), row["priority"], True) for row in rows}


def _sealed(conn: Connection, id_: str, token: object) -> str | None:
    return None if token is None else keyring(conn).seal(str(token), Column.TOKEN, id_)


def _integration(conn: Connection, row: Row) -> Integration:
    values = {name: row[name] for name in Integration.__slots__}
    if values["token"] is not None:
        values["token"] = keyring(conn).open(values["token"], Column.TOKEN, values["id"])
    values["sync_direction"] = Direction(row["sync_direction"])
    values["conflict_strategy"] = Strategy(row["conflict_strategy"])
    for name in ("sync_escalations", "sync_notes", "enabled"):
        values[name] = bool(row[name])
    return Integration(**values)
