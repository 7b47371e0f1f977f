"""Learning when an edit over there was made, where a conflict turns on it."""

from imsync.connectors.base import Snapshot
from imsync.engine import log_feed
from imsync.engine.account import Account
from imsync.store.links import Link


async def date(account: Account, link: Link, snapshot: Snapshot) -> Snapshot:
    """The snapshot, with times from the incident's log if both sides have changed a field.

    It costs a request only then. Raises ExternalError: who was last is not to be guessed.
    """
    since = await account.db.read(log_feed.undated, link.id, snapshot)
    external_id = link.external_id
    if since is None or external_id is None:
        return snapshot
    changes = await account.ask(lambda: account.connector.log(external_id, since))
    return await account.db.read(log_feed.dated, snapshot, changes, account.id)
