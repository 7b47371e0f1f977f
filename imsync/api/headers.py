"""What headers say: who makes an edit, of which version, and what was seen before."""

from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

from aiohttp import web

from imsync.errors import ImsyncError, Stale, UserError


@dataclass(frozen=True, slots=True)
class Header:
    """A request header that a route heeds, and what it can be refused with."""

    name: str
    says: str
    schema: dict[str, Any]
    fails: tuple[type[ImsyncError], ...] = ()


FROM: Final = Header(
    "From",
    "who makes the edit: an e-mail (RFC 9110 §10.1.2)",
    {"type": "string", "format": "email", "maxLength": 254},
)
REQUEST_ID: Final = Header(
    "X-Request-Id",
    "what the request is called elsewhere, a proxy's logs say; the audit trail keeps it",
    {"type": "string"},
)
BY: Final = (FROM, REQUEST_ID)
"""What the audit trail keeps of what somebody says of themselves."""

IF_MATCH: Final = Header(
    "If-Match",
    "make the edit only to the version with this ETag (RFC 9110 §13.1.1)",
    {"type": "string", "pattern": '^(\\*|(W/)?"[0-9]{1,15}(-[0-9a-f]{1,8})?")$'},
    (Stale,),
)
IF_NONE_MATCH: Final = Header(
    "If-None-Match",
    "answer 304 when it is still what this ETag stands for (RFC 9110 §13.1.2)",
    {"type": "string"},
)
IDEMPOTENCY_KEY: Final = Header(
    "Idempotency-Key",
    "asking again with the same key declares nothing twice",
    {"type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$", "minLength": 1, "maxLength": 255},
)
LAST_EVENT_ID: Final = Header(
    "Last-Event-ID",
    "go on after this event; empty is as good as none",
    {"type": "string", "pattern": "^[0-9]{0,15}$"},
)
SIGNATURE: Final = Header(
    "X-PagerDuty-Signature",
    "`v1=` and the HMAC-SHA256 of the body, by a secret of the subscription; several by commas",
    {"type": "string"},
)
DELIVERY: Final = Header("X-Webhook-Id", "what a repeat is known by", {"type": "string"})


def actor_of(request: web.Request) -> str | None:
    """Who makes the edit, by `From`. Raises UserError."""
    value = request.headers.get(FROM.name)
    if value is None:
        return None
    if "@" not in value or len(value) > 254 or not value.isprintable():
        raise UserError(f"From {value[:60]!r} is not an e-mail address")
    return value.strip()


def etag(version: int, rest: str) -> str:
    """The ETag of a thing at this version, whose `rest` changes without making another one."""
    return f'"{version}-{crc32(rest.encode()):x}"'


def version_of(request: web.Request) -> int | None:
    """The version that `If-Match` asks for; None for any. Raises UserError.

    An edit clashes with another edit, not with what else an ETag tells of.
    """
    value = request.headers.get(IF_MATCH.name)
    if value is None or value.strip() == "*":
        return None
    tag = value.strip().removeprefix("W/").strip('"').partition("-")[0]
    if not (tag.isascii() and tag.isdigit() and len(tag) < 16):
        raise UserError(f"If-Match {value[:60]!r} is no ETag of ours", hint="use the ETag of GET")
    return int(tag)


def has_seen(request: web.Request, tag: str) -> bool:
    """Whether `If-None-Match` names this ETag, so that it need not be sent again."""
    values = request.headers.getall(IF_NONE_MATCH.name, [])
    seen = [one.strip().removeprefix("W/") for value in values for one in value.split(",")]
    return tag in seen or "*" in seen


def key_of(request: web.Request) -> str | None:
    """The `Idempotency-Key`, if there is one. Raises UserError."""
    key = request.headers.get(IDEMPOTENCY_KEY.name)
    if key is not None and not (0 < len(key) <= 255 and key.isprintable()):
        raise UserError("an Idempotency-Key has 1 to 255 printable characters")
    return key


def last_of(request: web.Request) -> int | None:
    """The number of the last event that the client has seen. Raises UserError."""
    value = request.headers.get(LAST_EVENT_ID.name, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise UserError(
            f"Last-Event-ID {value[:60]!r} is not the id of one of our events",
            hint="send the last `id:` that was read, or none to begin with what comes next",
        )
    return int(value)
