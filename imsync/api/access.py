"""Who may speak: the one gate before every route, but for those that are open.

The unix socket is its owner's, and trusted. Over TCP a request shows a token, unless it comes
straight from this host while no token was ever made, so that a fresh one can be tried. What a
proxy hands on shows one whichever way it comes in. What a browser does for another site is
refused whoever asks: loopback is no proof of a person.
"""

import re
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from imsync.api.caller import CALLER, Caller, address_of, asking_of
from imsync.api.context import context_of
from imsync.api.route import Route
from imsync.core.fields import Instant
from imsync.errors import Forbidden, ForeignSite, Unauthenticated, WrongHost, WrongType
from imsync.store import audit, tokens
from imsync.store.audit import Action, Change, Told
from imsync.store.database import Connection
from imsync.store.tokens import Scope

_AUTHORITY: Final = re.compile(
    r"(\[[0-9a-f.]*:[0-9a-f:.]*\]|[a-z0-9._-]*[a-z0-9_-]\.?)(:[0-9]{0,5})?"
)
"""A name or an address, and a port (RFC 3986, as far as a `Host` of ours goes); in lower case."""


def guarded(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The route, served to those who may use it."""

    async def serve(request: web.Request) -> web.StreamResponse:
        if not route.open:
            caller = request[CALLER] = await _admitted(request)
            if not caller.scope.covers(route.needs):
                raise await _forbidden(request, caller, route)
            if route.changes:
                must_be_json(request)
        return await route.serve(request)

    return serve


async def _admitted(request: web.Request) -> Caller:
    """Raises WrongHost, ForeignSite, Unauthenticated."""
    address, forwarded = address_of(request), is_forwarded(request)
    if address == "socket" and not forwarded:
        return Caller("socket", None, Scope.ADMIN, address)
    context = context_of(request)
    must_be_meant(request, public_url=context.public_url)
    must_be_ours(request, public_url=context.public_url)
    straight = is_loopback(address) and not forwarded
    return await context.db.read(
        who, address, shown=_shown(request), straight=straight, now=context.now()
    )


async def _forbidden(request: web.Request, caller: Caller, route: Route) -> Forbidden:
    """The error for a token whose scope does not cover this; the audit trail is told of it."""
    context, needs = context_of(request), route.needs
    told = Told(
        f"{route.method} {route.url}",
        None,
        {"scope": Change(None, caller.scope), "needs": Change(None, needs)},
    )
    asking = await asking_of(request, Action.REFUSED)
    await context.db.run(audit.refused, asking, told, now=context.now())
    return Forbidden(
        f"{caller.actor} may {caller.scope}; this needs the scope {needs}",
        hint=f"`im token create --name NAME --scope {needs}` makes one that may",
    )


def is_loopback(address: str) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (inner or found).is_loopback


def is_forwarded(request: web.Request) -> bool:
    """Whether a proxy says that it speaks for somebody else: `X-Forwarded-For`, `X-Real-IP`, …"""
    names = [name.lower() for name in request.headers]
    return any("forwarded" in name or name.endswith("-ip") or name == "via" for name in names)


def must_be_meant(request: web.Request, *, public_url: str | None) -> None:
    """`Host` is one of our names. A name of another's that leads here is DNS rebinding.

    So is the one in the target, where that is a whole address (RFC 9112 §3.2.2).
    """
    hosts = request.headers.getall("Host", [])
    ours = request.transport.get_extra_info("sockname") if request.transport else None
    known = {"localhost", urlsplit(public_url or "").hostname}
    if isinstance(ours, tuple):
        known.add(str(ours[0]))
    meant = hosts if request.raw_path.startswith("/") else [*hosts, _authority(request.raw_path)]
    for host in meant:
        name = _name_of(host)
        if not (name and (name in known or is_loopback(name))):
            raise _wrong_host(host)
    if len(hosts) != 1:
        raise _wrong_host(", ".join(hosts))


def _wrong_host(host: str) -> WrongHost:
    return WrongHost(
        f"Host {host[:100]!r} is none of this daemon's names",
        hint="use localhost, or the name in its setting `public_url`",
    )


def must_be_ours(request: web.Request, *, public_url: str | None) -> None:
    """A browser may ask on behalf of our own pages only. Other programs do not say for whom."""
    origin = request.headers.get("Origin")
    own = [f"http://{request.headers['Host']}"]
    if public_url is not None:
        public = urlsplit(public_url)
        own.append(f"{public.scheme}://{public.netloc}")
    if origin is not None and origin.lower() not in [one.lower() for one in own]:
        raise ForeignSite(f"{origin[:100]} is another site: its pages may not use this API")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise ForeignSite("another site's page asks for this, and it may not use this API")


def must_be_json(request: web.Request) -> None:
    """A body has to be declared as JSON, which a form on another site's page cannot do."""
    if not request.body_exists:
        return
    given = request.headers.get("Content-Type")
    type_ = request.content_type if given else ""
    if type_ != "application/json" and not type_.endswith("+json"):
        says = f"is {type_}, not application/json" if given else "does not say that it is JSON"
        raise WrongType(f"the body {says}", hint="say so: `-H 'Content-Type: application/json'`")


def _authority(target: str) -> str:
    """Of a whole address: what stands between `//` and the path."""
    return target.partition("//")[2].partition("/")[0]


def _name_of(host: str) -> str:
    """The name in `Host` without its port; empty if there is none."""
    found = _AUTHORITY.fullmatch(host.lower())
    return found[1].strip("[]").removesuffix(".") if found else ""


def _shown(request: web.Request) -> str | None:
    """The token that is shown, if any."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


# Units of work.


def who(
    conn: Connection, address: str, *, shown: str | None, straight: bool, now: Instant
) -> Caller:
    """Who the caller is. `straight`: they come from this host, and through no proxy.

    Raises Unauthenticated.
    """
    if shown is not None:
        token = tokens.bearing(conn, shown, now=now)
        if token is None:
            raise Unauthenticated(
                "the token is none of this daemon's, or it has expired or been revoked",
                hint="`im token list` on its host shows those there are",
            )
        return Caller(f"token {token.name}", token.id, token.scope, address, token.expires_at)
    if straight and not tokens.any_made(conn):
        return Caller("loopback", None, Scope.ADMIN, address)
    raise Unauthenticated(
        "a token is needed: `Authorization: Bearer TOKEN`",
        hint="`im token create --name NAME` on the daemon's host makes one",
    )
