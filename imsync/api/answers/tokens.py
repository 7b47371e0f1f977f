"""API tokens, as they are told of."""

from typing import Literal

from typing_extensions import TypedDict

from imsync.store.tokens import Scope


class Token(TypedDict):
    """Who may speak to the API, and for how long. The token itself is kept nowhere."""

    id: str
    name: str
    scope: Scope
    state: Literal["active", "expired", "revoked"]
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class MadeToken(Token):
    """With the token itself, this once."""

    token: str
