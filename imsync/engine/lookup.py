"""What a person named over there, found by its name or its id; or what there is, to choose from."""

import logging
from collections.abc import Sequence
from typing import Final

from imsync.connectors.base import Entry, Kind
from imsync.core.fields import in_words
from imsync.engine import account as accounts
from imsync.engine.account import Account
from imsync.errors import ExternalError, Gone, NotFound, did_you_mean

log = logging.getLogger(__name__)

_MOST: Final = 12
"""So many names are told to somebody who asked for one that there is not."""


async def find(account: Account, kind: Kind, wanted: str) -> str:
    """The id of what has that name, else that id. Its name is kept.

    Raises NotFound, listing what there is, and ExternalError.
    """
    found = await search(account, kind, wanted)
    await account.db.run(accounts.keep, account.id, found, now=account.now())
    return id_of(found)


async def search(account: Account, kind: Kind, wanted: str) -> Sequence[Entry]:
    """The same, and nothing is kept: for an account that may not be configured yet."""
    account.must_answer_soon()
    found = await account.ask(lambda: account.connector.look_up(kind, wanted))
    if all(entry.id is None for entry in found):
        found = [await by_id(account, kind, wanted)]
    return found


def id_of(found: Sequence[Entry]) -> str:
    return next(entry.id for entry in found if entry.id is not None)


async def by_id(account: Account, kind: Kind, id_: str) -> Entry:
    """What has that id. Raises NotFound, listing what there is, and ExternalError."""
    try:
        return await account.ask(lambda: account.connector.look_up_id(kind, id_))
    except Gone:
        raise await _no_such(account, kind, id_) from None


async def _no_such(account: Account, kind: Kind, wanted: str) -> NotFound:
    try:
        there = await account.ask(lambda: account.connector.list_names(kind))
    except ExternalError as error:
        log.warning("%s: cannot list what there is: %s", account.integration.slug, error)
        there = ()
    some = ", ".join(f"{entry.id} ({entry.name})" for entry in there[:_MOST])
    more = ", …" if len(there) > _MOST else ""
    title = account.translation.title
    hint = f"there are: {some}{more}" if some else f"look for its id in {title}"
    if meant := did_you_mean(wanted, [name for one in there for name in (one.id or "", one.name)]):
        hint = f"{meant} {hint}"
    return NotFound(f"{title} has no {in_words(kind)} {wanted!r}", hint=hint)
