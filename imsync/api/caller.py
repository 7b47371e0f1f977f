"""Who asks, and from where: what has been found out of them, and what they say themselves."""

import asyncio
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from imsync.api.headers import FROM, REQUEST_ID
from imsync.api.route import ROUTE
from imsync.core.fields import Instant
from imsync.store.audit import Action, Asking
from imsync.store.tokens import Scope

_LONGEST: Final = 200
"""Characters of what somebody says that are kept."""

_PEER: Final = struct.Struct("=iII")  # pid, uid, gid
_PEERCRED: Final[int | None] = getattr(socket, "SO_PEERCRED", None)  # None: not on this system


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: by which token, or else which way they came in; and what they may do."""

    actor: str
    id: str | None  # of the token
    scope: Scope
    address: str  # "socket", or the other end's IP
    until: Instant | None = None  # when their token expires, if it ever does

    @property
    def is_at_socket(self) -> bool:
        """Whether the socket is all they show, which is theirs: they are no proxy's client."""
        return self.address == "socket" and self.id is None


CALLER: Final = web.RequestKey("caller", Caller)


def address_of(request: web.Request) -> str:
    """The other end of the connection: its IP, or `socket` for the unix socket."""
    transport = request.transport
    ours = transport.get_extra_info("sockname") if transport else None
    if isinstance(ours, str | bytes):
        return "socket"
    theirs = transport.get_extra_info("peername") if transport else None
    return str(theirs[0]) if isinstance(theirs, tuple) else "unknown"


async def asking_of(request: web.Request, action: Action | None = None) -> Asking:
    """What is asked for and by whom. `action`: if it is not the one that the route audits."""
    action = action or request[ROUTE].audits
    assert action is not None, f"{request.path} is not declared to audit anything"
    caller = request[CALLER]
    actor, id_ = caller.actor, caller.id
    uid = _uid_of(request) if caller.is_at_socket else None
    if uid is not None:
        # A directory of users may be on a network.
        actor, id_ = f"user {await asyncio.to_thread(_user_name, uid)}", f"uid:{uid}"
    return Asking(
        action=action,
        actor=actor,
        actor_id=id_,
        claims=_said(request, FROM.name),
        peer=caller.address,
        # For whom a proxy says that it asks.
        forwarded=_said(request, "X-Forwarded-For", "Forwarded", "X-Real-IP"),
        request_id=_said(request, REQUEST_ID.name),
    )


def of_this_process(action: Action) -> Asking:
    """The same for whoever has started this very program, to act on its database."""
    uid = os.getuid()
    return Asking(
        action=action,
        actor=f"user {_user_name(uid)}",
        actor_id=f"uid:{uid}",
        claims=None,
        peer="file",
        forwarded=None,
        request_id=None,
    )


def spelled(text: str) -> str:
    """Text from outside, cut to a bounded length, with what is not printable spelled out."""
    seen = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode()
        for one in text[: _LONGEST + 1]
    )
    return seen if len(seen) <= _LONGEST else seen[:_LONGEST] + "…"


def _said(request: web.Request, *names: str) -> str | None:
    """The value of the first of these headers that was sent; None if none was."""
    for name in names:
        if found := ", ".join(request.headers.getall(name, [])):
            return spelled(found)
    return None


def _uid_of(request: web.Request) -> int | None:
    """The user at the other end of the unix socket, where the system tells."""
    end = request.transport.get_extra_info("socket") if request.transport else None
    if end is None or _PEERCRED is None:
        return None
    _, uid, _ = _PEER.unpack(end.getsockopt(socket.SOL_SOCKET, _PEERCRED, _PEER.size))
    return int(uid)


def _user_name(uid: int) -> str:
    try:
        return spelled(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)
