"""Where deliveries are to be sent, and whether an address is one of ours. Pure."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from imsync.errors import UserError

_PATH: Final = "/api/v1/webhooks/"


def address(root: str, integration_id: str) -> str:
    """Where an integration's deliveries go, below the address of the daemon."""
    return f"{root}{_PATH}{integration_id}"


def leads_to(url: str, integration_id: str) -> bool:
    """Whether that is an integration's address, whatever the host is called.

    Nobody can guess an integration's id: what ends in it leads here, or did once.
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    return path.casefold().endswith(f"{_PATH}{integration_id}".casefold())


def root_of(given: str | None, setting: str | None, *, listen: str | None, base_url: str) -> str:
    """The address at which the other side reaches this daemon, without a slash at its end.

    A sandbox on this host reaches us where we listen. Raises UserError where there is no
    address, or where deliveries could not arrive there, or not unread.
    """
    root = given if given is not None else setting
    nearby = _is_loopback(urlsplit(base_url).hostname or "")
    if root is None and nearby and listen is not None:
        return f"http://{listen}"
    if root is None:
        raise UserError(
            "nobody has said how PagerDuty reaches this daemon",
            hint="say --public-url https://…, or set `public_url` for the daemon",
        )
    if "@" in root:
        raise UserError(
            "public_url holds an @: deliveries are sent with neither a name nor a password",
            hint="for example https://incidents.example.com",
        )
    try:
        parts = urlsplit(root)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    plain = parts.query == parts.fragment == "" and root.isprintable()
    if parts.scheme not in ("https", "http") or not host or not plain or " " in root:
        raise UserError(
            f"public_url {root!r} is not an address that deliveries can be sent to",
            hint="for example https://incidents.example.com",
        )
    if parts.scheme == "http" and not _is_loopback(host):
        raise UserError(
            f"public_url {root!r} would send incidents in the clear",
            hint="use https; http is for a sandbox on this host alone",
        )
    if _is_loopback(host) and not nearby:
        raise UserError(
            f"public_url {root!r} is this host itself, which PagerDuty does not reach",
            hint="give the address of the reverse proxy, for example https://incidents.example.com",
        )
    return root.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"
