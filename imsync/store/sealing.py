"""Sealing: a secret is stored as text that opens only with its key, and only in its own place.

AES-256-GCM. A sealed text names the key it is sealed with. The place where it belongs is
authenticated along with it: copied to another integration or another column, it does not open,
and neither does one that was altered.
"""

import base64
import binascii
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_PREFIX = "sealed1:"
_KEY, _ID, _NONCE = 32, 8, 12  # bytes


class Column(StrEnum):
    """Where there are secrets."""

    TOKEN = "integrations.token"  # noqa: S105 - the name of a column
    SECRET = "webhook_secrets.secret"  # noqa: S105


class Unreadable(sqlite3.DatabaseError):
    """A secret does not open: its row was altered or copied from elsewhere, or its key is gone."""


@dataclass(frozen=True, slots=True)
class Key:
    """256 random bits, and an id for them that reveals nothing of them."""

    id: str
    text: str = field(repr=False)  # the bits themselves, in base64url
    cipher: AESGCM = field(repr=False, compare=False)

    @classmethod
    def new(cls) -> Self:
        return cls._of(os.urandom(_KEY))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, which does not quote it, for what is not 32 bytes in base64."""
        try:
            bits = _decoded(text.strip().rstrip("=").replace("+", "-").replace("/", "_"))
        except ValueError:
            bits = b""
        if len(bits) != _KEY:
            raise ValueError("it is not 32 bytes in base64url")
        return cls._of(bits)

    @classmethod
    def _of(cls, bits: bytes) -> Self:
        id_ = sha256(bits).digest()[:_ID].hex()
        return cls(id_, base64.urlsafe_b64encode(bits).decode().rstrip("="), AESGCM(bits))


class Keyring:
    """The keys of one database. The first one seals, each of them opens."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.id: key for key in keys}

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @property
    def first(self) -> Key:
        return next(iter(self._keys.values()))

    def put_first(self, key: Key) -> None:
        """Let this one seal from now on. Whatever is being read meanwhile opens as before."""
        self._keys = {key.id: key, **self._keys}

    def of(self, ids: Iterable[str]) -> list[Key]:
        """The first key, and those of these ids besides."""
        wanted = {self.first.id, *ids}
        return [key for key in self._keys.values() if key.id in wanted]

    def seal(self, secret: str, column: Column, id_: str) -> str:
        """`id_`: whose secret it is, as in `open`."""
        key, nonce = self.first, os.urandom(_NONCE)
        sealed = key.cipher.encrypt(nonce, secret.encode(), _place(column, id_))
        bits = bytes.fromhex(key.id) + nonce + sealed
        return _PREFIX + base64.urlsafe_b64encode(bits).decode().rstrip("=")

    def open(self, text: str, column: Column, id_: str) -> str:
        """The secret that was sealed for this place. Raises Unreadable."""
        try:
            bits = _decoded(text.removeprefix(_PREFIX)) if is_sealed(text) else b""
            key = self._keys[bits[:_ID].hex()]
            nonce, sealed = bits[_ID : _ID + _NONCE], bits[_ID + _NONCE :]
            return key.cipher.decrypt(nonce, sealed, _place(column, id_)).decode()
        except (KeyError, ValueError, InvalidTag):
            raise Unreadable(f"the {column} of {id_} cannot be opened") from None


def is_sealed(text: str) -> bool:
    return text.startswith(_PREFIX)


def key_of(sealed: str) -> str:
    """The id of the key that it is sealed with; empty if the text was mangled."""
    try:
        return _decoded(sealed.removeprefix(_PREFIX))[:_ID].hex()
    except ValueError:
        return ""


class Keyed(sqlite3.Connection):
    """A connection with the keys of what is sealed in its database."""

    keyring: Keyring

    def __init__(self, database: str, *args: Any, **named: Any) -> None:
        super().__init__(database, *args, **named)
        if database == ":memory:":  # its key ends with it, as all of it does
            self.keyring = Keyring([Key.new()])


def keyring(conn: sqlite3.Connection) -> Keyring:
    """The keys of what is sealed in the connection's database."""
    assert isinstance(conn, Keyed)  # whoever opens a database makes no other
    return conn.keyring


def give(conn: sqlite3.Connection, ring: Keyring) -> None:
    """Let the connection have these keys."""
    assert isinstance(conn, Keyed)
    conn.keyring = ring


def _place(column: Column, id_: str) -> bytes:
    return f"{_PREFIX}{column} {id_}".encode()


def _decoded(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
