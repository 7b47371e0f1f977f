"""The daemon, and the door that webhooks knock at."""

from typing import NotRequired

from typing_extensions import TypedDict


class Health(TypedDict):
    status: str
    timestamp: str


class Configured(TypedDict):
    slug: str
    name: str
    state: str


class Sandbox(TypedDict):
    """The PagerDuty beside the daemon. `requests`: API calls that it has answered."""

    url: str
    token: str
    from_email: str
    default_service: str
    requests: int


class DaemonStatus(TypedDict):
    """How the daemon is."""

    version: str
    pid: int
    uptime_s: int
    listen: str | None
    socket: str | None
    database: str
    schema: int
    sqlite: str
    integrations: list[Configured]
    pending: int
    dead_letters: int
    conflicts: int
    sandbox: NotRequired[Sandbox]


class Kept(TypedDict):
    """A delivery is kept; `fresh` false: it was before."""

    delivery: str
    fresh: bool


class SignatureProof(TypedDict):
    valid: bool
    reason: NotRequired[str]


class Backup(TypedDict):
    """A copy of the database, on the daemon's host.

    `keys`: the ids of those that its tokens and secrets are sealed with. They are not in it, but
    at `key_place`: a file, or a variable.
    """

    path: str
    bytes: int
    at: str
    keys: list[str]
    key_place: str


class RotatedKey(TypedDict):
    """By its id. Copies of the database that were made before need the `old_key`."""

    key: str
    old_key: str
    key_place: str
    sealed: int
    at: str
