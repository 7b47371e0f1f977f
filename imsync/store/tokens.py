"""API tokens: who may speak to the daemon over TCP. Only their hashes are kept."""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from sqlite3 import IntegrityError, Row

from imsync.core.fields import Instant
from imsync.errors import Clash, NotFound, did_you_mean
from imsync.store.database import Connection

_PREFIX = "imt_"


class Scope(StrEnum):
    """What a token is good for; each covers those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def covers(self, needed: "Scope") -> bool:
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is known afterwards: by everything but itself."""

    id: str
    name: str
    scope: Scope
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None

    def state(self, now: Instant) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


def new_secret() -> str:
    """A token that nobody can guess: 256 bits. Its prefix lets scanners find lost ones."""
    return _PREFIX + secrets.token_urlsafe(32)


def create(
    conn: Connection,
    id_: str,
    secret: str,
    *,
    name: str,
    scope: Scope,
    expires_at: Instant | None,
    now: Instant,
) -> Token:
    """Keep a new token. Raises Clash when one that is not revoked has this name."""
    try:
        row = conn.execute(
            "INSERT INTO tokens (id, name, hash, scope, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
            (id_, name, _hash(secret), scope, now, expires_at),
        ).fetchone()
    except IntegrityError:
        raise Clash(
            f"a token with the name {name!r} exists already",
            hint="give this one another name, or revoke that one with `im token revoke`",
        ) from None
    return _token(row)


def every(conn: Connection) -> list[Token]:
    """All there ever were, the newest first."""
    return [_token(row) for row in conn.execute("SELECT * FROM tokens ORDER BY created_at DESC")]


def revoke(conn: Connection, name: str, *, now: Instant) -> Token:
    """Let a token, by its id or name, be good for nothing from now on. Raises NotFound."""
    left = [one for one in every(conn) if one.revoked_at is None]
    found = next((one for one in left if name in (one.id, one.name)), None)
    if found is None:
        names = [one.name for one in left]
        there = f"there are: {', '.join(names)}" if names else "there are none"
        hint = f"{did_you_mean(name, names)} {there}".strip()
        raise NotFound(f"there is no token {name!r} to revoke", hint=hint)
    row = conn.execute(
        "UPDATE tokens SET revoked_at = ? WHERE id = ? RETURNING *", (now, found.id)
    ).fetchone()
    return _token(row)


def bearing(conn: Connection, secret: str, *, now: Instant) -> Token | None:
    """The token that this is, if it is good now."""
    row = conn.execute("SELECT * FROM tokens WHERE hash = ?", (_hash(secret),)).fetchone()
    found = None if row is None else _token(row)
    return found if found is not None and found.state(now) == "active" else None


def any_made(conn: Connection) -> bool:
    """Whether there ever was a token. One that is revoked or expired opens nothing again."""
    return bool(conn.execute("SELECT EXISTS (SELECT 1 FROM tokens)").fetchone()[0])


def any_good(conn: Connection, *, now: Instant) -> bool:
    """Whether somebody could show a token now."""
    return any(one.state(now) == "active" for one in every(conn))


def _hash(secret: str) -> str:
    """Neither salted nor slow: what has 256 bits of chance is guessed by nobody."""
    return sha256(secret.encode(errors="surrogatepass")).hexdigest()  # what is shown may be no text


def _token(row: Row) -> Token:
    values = {name: row[name] for name in Token.__slots__}
    return Token(**{**values, "scope": Scope(row["scope"])})
