"""When a key is lost for good: what it sealed is forgotten, for a person to give anew."""

import sqlite3
from pathlib import Path

from imsync.core.fields import Instant
from imsync.store import audit, events, schema
from imsync.store.audit import Asking, Change, Told
from imsync.store.keys import Source
from imsync.store.sealed import SINCE, Held, held, stuck, transaction
from imsync.store.sealing import Column, Keyring

SETTING = {Column.TOKEN: "token", Column.SECRET: "webhook_secret"}
"""What each is called where it is set."""

_FORGET = {
    Column.TOKEN: "UPDATE integrations SET token = NULL WHERE id = ? AND token = ?",
    Column.SECRET: "DELETE FROM webhook_secrets WHERE integration_id = ? AND secret = ?",
}


def forget(
    database: Path, source: Source, *, now: Instant, asking: Asking | None = None
) -> list[Held]:
    """Forget what no key opens, in a database that nobody uses; what that was.

    `asking`: who has it done, for the audit trail. Raises DatabaseError where there is none,
    schema.TooNew, keys.BadKey.
    """
    uri = f"{database.absolute().as_uri()}?mode=rw"
    conn = sqlite3.connect(uri, uri=True, isolation_level=None)
    conn.row_factory = sqlite3.Row
    try:
        if schema.version(conn) < SINCE:
            return []  # nothing is sealed in it yet
        schema.upgrade(conn)
        with transaction(conn):
            locked = stuck(held(conn), Keyring(source.read()))
            for one in locked:
                conn.execute(_FORGET[one.column], (one.id, one.text))
                old, setting = one.text, SETTING[one.column]
                events.append_setting(
                    conn, one.id, setting, old, None, at=now, by=None, secret=True
                )
                if asking is not None:
                    changes = {setting: Change("sealed with a key that is lost", None)}
                    audit.append(conn, asking, Told(one.id, one.slug, changes), now=now)
        return locked
    finally:
        conn.close()
