"""On whose behalf a write is made: whoever made the edit, where they are known there.

PagerDuty takes the From header for the acting user: who acknowledges, who is shown in the
log. People it does not know are stood in for by the integration's own user.
"""

from imsync.connectors.base import Kind
from imsync.core.fields import Field
from imsync.core.maps import NoTranslation
from imsync.store.database import Connection
from imsync.store.directory import Directory
from imsync.store.integrations import Integration
from imsync.store.writes import Write


def actor(conn: Connection, integration: Integration, by: str | None) -> str | None:
    """The e-mail to act as; None for the integration's own user."""
    if not may_act(integration, by):
        return None
    try:
        Directory(conn, integration.id).id_of(Kind.USER, by or "")
    except NoTranslation:
        return None
    return by


def may_act(integration: Integration, by: str | None) -> bool:
    """Whether it is worth asking if they are known there: an e-mail, and not our own user's."""
    ours = integration.from_email or ""
    return by is not None and "@" in by and by.casefold() != ours.casefold()


def remark(integration: Integration, write: Write, actor: str | None) -> str:
    """What people should know of a write that has arrived, made for `actor`; mostly nothing."""
    told, by = cut(write), write.edit.by
    if actor is None and may_act(integration, by):
        ours = integration.from_email or "the token's own user"
        told += f" It was written as {ours}, for there is nobody called {by} there."
    return told.strip()


def cut(write: Write) -> str:
    """How much of a long title was written, if not all of it; nothing otherwise."""
    ours = " ".join((write.edit.value or "").split())
    if write.field is not Field.TITLE or len(write.value or "") >= len(ours):
        return ""
    return f"It was cut there to {len(write.value or ''):,} of its {len(ours):,} characters."
