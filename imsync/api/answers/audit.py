"""The audit trail, as it is told."""

from typing import Any

from typing_extensions import TypedDict


class AuditChange(TypedDict):
    """What a field was and is. Of a `secret` it is told that it changed, and both are null."""

    field: str
    old: Any
    new: Any
    secret: bool


class AuditLine(TypedDict):
    """Who did what to which thing, from where.

    `actor` and `actor_id` are what imsync has found out. `claims` (`From`), `forwarded` (the
    proxy's) and `request_id` are only what was said. `peer` is `socket`, an
    address, or `file` where the daemon was away.
    """

    id: str
    at: str
    action: str
    subject: str
    subject_name: str | None
    changes: list[AuditChange]
    actor: str
    actor_id: str | None
    claims: str | None
    peer: str
    forwarded: str | None
    request_id: str | None
