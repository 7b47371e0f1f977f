"""The audit trail: who changed how imsync works or who may use it, when, and from where.

A line is written in the transaction of its change, so there is neither without the other.
The schema refuses to edit or delete one, and nothing prunes them: there are as many as
people have made changes. Incidents have timelines instead, and what the daemon does by
itself has events.

Of a secret it is kept that it changed, and nothing that was made of it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from sqlite3 import Row
from typing import Any, Final, TypeVar

from imsync.core.fields import Instant
from imsync.store import events, integrations
from imsync.store.database import Connection

T = TypeVar("T")

LONGEST: Final = 1_000
"""Characters of a value that are kept."""

REFUSED_EVERY: Final = 3_600_000
"""Milliseconds between two lines about what one token was refused: it cannot fill the disk."""


class Action(StrEnum):
    """What was done: a noun, and what became of it."""

    CREATED = "integration.created"
    CONFIGURED = "integration.configured"
    DELETED = "integration.deleted"
    CREDENTIALS = "credentials.changed"
    FORGOTTEN = "credentials.forgotten"
    KEY_ROTATED = "key.rotated"
    RULE_SET = "rule.set"
    RULE_DELETED = "rule.deleted"
    MAP_SET = "map.set"
    MAP_DELETED = "map.deleted"
    MAPPING_ADDED = "service_mapping.added"
    MAPPING_REMOVED = "service_mapping.removed"
    INSTALLED = "webhook.installed"
    ROTATED = "webhook.rotated"
    ENABLED = "webhook.enabled"
    UNINSTALLED = "webhook.removed"
    RESOLVED = "conflict.resolved"
    IGNORED = "conflict.ignored"
    RESTORED = "conflict.restored"
    RETRIED = "dead_letter.retried"
    DISCARDED = "dead_letter.discarded"
    LINKED = "link.made"
    UNLINKED = "link.removed"
    SWEEP = "sweep.asked"
    TOKEN_CREATED = "token.created"  # noqa: S105 - what was done, not a token
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    BACKUP_BEGUN = "backup.begun"
    BACKUP_MADE = "backup.made"
    BACKUP_FAILED = "backup.failed"
    BACKUP_RESTORED = "backup.restored"
    REFUSED = "access.refused"


NOUNS: Final = tuple(dict.fromkeys(action.partition(".")[0] for action in Action))


@dataclass(frozen=True, slots=True)
class Asking:
    """What somebody asks for, and all that is known of who it is.

    `action` is one of Action, in a line also one of another imsync. `actor` and `actor_id` are
    what we have found out: the token, or the user at the other end of the socket. `claims`,
    `forwarded` and `request_id` are only what they said.
    """

    action: str
    actor: str
    actor_id: str | None
    claims: str | None
    peer: str
    forwarded: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What a field was and is. `secret`: that it changed is all there is to say."""

    old: Any = None
    new: Any = None
    secret: bool = False


SECRET: Final = Change(secret=True)

Changes = Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Told:
    """What a line says beside who and when: the id of what was changed, its name, and how."""

    subject: str
    name: str | None
    changes: Changes


@dataclass(frozen=True, slots=True)
class Line:
    id: int
    at: Instant
    asking: Asking
    told: Told


# Writing.


def recorded(
    conn: Connection,
    work: Callable[[Connection], T],
    told: Callable[[T], Told],
    *,
    asking: Asking,
    now: Instant,
) -> T:
    """Run a unit of work, add the line that `told` makes of its result, and return that."""
    result = work(conn)
    append(conn, asking, told(result), now=now)
    return result


def configured(
    conn: Connection,
    work: Callable[[Connection], T],
    name: str,
    *,
    asking: Asking,
    now: Instant,
) -> T:
    """Run a unit of work on an integration's settings, and add a line about those it changed.

    They are read from the events that it appended: every function that sets one does so. If
    nothing changed there is no line. Raises NotFound, Clash.
    """
    integration, (_, last) = integrations.named(conn, name), events.span(conn)
    result = work(conn)
    changes: dict[str, Change] = {}
    for data in events.settings_after(conn, last):
        secret = data["old"] is None and data["new"] is None
        changes[data["setting"]] = SECRET if secret else Change(data["old"], data["new"])
    if changes:
        append(conn, asking, Told(integration.id, integration.slug, changes), now=now)
    return result


def append(conn: Connection, asking: Asking, told: Told, *, now: Instant) -> None:
    """Add a line about what changed, leaving out what stayed the same.

    Secrets get a line of their own, so that one can filter for credentials.
    """
    secret = {field: change for field, change in told.changes.items() if change.secret}
    plain = {field: one for field, one in told.changes.items() if one.old != one.new}
    if plain or not secret:
        _append(conn, asking, replace(told, changes=plain), now=now)
    if secret:
        asking = replace(asking, action=Action.CREDENTIALS)
        _append(conn, asking, replace(told, changes=secret), now=now)


def integration_changed(
    conn: Connection,
    asking: Asking | None,
    integration_id: str,
    changes: Changes,
    *,
    now: Instant,
) -> None:
    """Add a line about an integration; none if nobody asked: the daemon sets up its own sandbox."""
    if asking is not None:
        slug = integrations.get(conn, integration_id).slug
        append(conn, asking, Told(integration_id, slug, changes), now=now)


def refused(conn: Connection, asking: Asking, told: Told, *, now: Instant) -> None:
    """Add a line about a token refused for its scope, unless it has one from the last hour."""
    (known,) = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM audit"
        " WHERE action = 'access.refused' AND actor_id IS ? AND at > ?)",
        (asking.actor_id, now - REFUSED_EVERY),
    ).fetchone()
    if not known:
        append(conn, replace(asking, action=Action.REFUSED), told, now=now)


def _append(conn: Connection, asking: Asking, told: Told, *, now: Instant) -> None:
    changes = [
        [field] if change.secret else [field, _bounded(change.old), _bounded(change.new)]
        for field, change in told.changes.items()
    ]
    conn.execute(
        "INSERT INTO audit (at, action, subject, subject_name, changes, actor, actor_id, claims,"
        " peer, forwarded, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            now,
            asking.action,
            told.subject,
            told.name,
            json.dumps(changes),
            asking.actor,
            asking.actor_id,
            asking.claims,
            asking.peer,
            asking.forwarded,
            asking.request_id,
        ),
    )


def _bounded(value: Any) -> Any:
    """The value, or as much of it as is kept."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= LONGEST else text[:LONGEST] + "…"


# Reading.


def public_id(id_: int) -> str:
    return f"aud_{id_}"


def page(
    conn: Connection,
    *,
    limit: int,
    before: int | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    actor: str | None = None,
    actions: Sequence[str] = (),
    subject: str | None = None,
) -> list[Line]:
    """The lines that pass every filter given, the newest first.

    `since` is the first moment, and `until` the first one after. `actor`: by name, id, or
    what they claimed. `actions`: any of these, each one of Action or of NOUNS. `subject`: by
    its id, or its name at the time.
    """
    where, values = ["TRUE"], list[object]()
    for condition, value in (("id < ?", before), ("at >= ?", since), ("at < ?", until)):
        if value is not None:
            where.append(condition)
            values.append(value)
    if actor is not None:
        # With or without what kind it is: `token ci` is also `ci`.
        where.append("(? IN (actor, actor_id, claims, substr(actor, instr(actor, ' ') + 1)))")
        values.append(actor)
    if subject is not None:
        where.append("? IN (subject, subject_name)")
        values.append(subject)
    if actions:
        wanted = [one for one in Action if {one, one.partition(".")[0]} & set(actions)]
        where.append(f"action IN ({', '.join('?' * len(wanted))})")
        values += wanted
    rows = conn.execute(
        f"SELECT * FROM audit WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?",
        (*values, limit),
    )
    return [_line(row) for row in rows]


def _line(row: Row) -> Line:
    return Line(
        id=row["id"],
        at=row["at"],
        asking=Asking(**{field.name: row[field.name] for field in fields(Asking)}),
        told=Told(
            row["subject"],
            row["subject_name"],
            {
                field: Change(*values) if values else SECRET
                for field, *values in json.loads(row["changes"])
            },
        ),
    )
