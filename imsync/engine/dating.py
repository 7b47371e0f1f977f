"""Learning when an edit over there was made, where a conflict turns on it."""

from dataclasses import replace

from imsync.connectors.base import Snapshot
from imsync.core.fields import Instant
from imsync.engine import log_feed
from imsync.engine.account import Account
from imsync.engine.observe import undated
from imsync.store.links import Link


async def date(account: Account, link: Link, snapshot: Snapshot) -> Snapshot:
    """The snapshot, with times from the incident's log if both sides have changed a field.

    It costs a request only then; what the log does not tell of was set when it was seen.
    Raises ExternalError: who was last is not to be guessed.
    """
    wanted = await account.db.read(undated, link.id, snapshot)
    external_id = link.external_id
    if not wanted or external_id is None:
        return snapshot
    since = min(wanted.values())
    changes = await account.ask(lambda: account.connector.log(external_id, since))
    told = await account.db.read(log_feed.dated, snapshot, changes, account.id)
    return replace(told, set_at={**dict.fromkeys(wanted, snapshot.as_of), **told.set_at})


async def date_found(account: Account, link: Link, snapshot: Snapshot) -> Snapshot:
    """The snapshot of what an attempt of ours created, met only later, with all its times.

    What the log does not tell of stands as it was created; what it does tell of is later,
    though within a second its times are one. Raises ExternalError.
    """
    id_, born = snapshot.external_id, snapshot.created_at
    changes = await account.ask(lambda: account.connector.log(id_, link.created_at))
    told = await account.db.read(log_feed.dated, snapshot, changes, account.id)
    if born is None:
        return told
    edited = {field: Instant(max(at, born + 1)) for field, at in told.set_at.items()}
    return replace(told, set_at={**dict.fromkeys(snapshot.fields, born), **edited})
