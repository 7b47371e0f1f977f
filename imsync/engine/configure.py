"""Making, changing and deleting integrations, as people ask for it."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from imsync.connectors import TRANSLATIONS
from imsync.core.fields import Instant
from imsync.core.merge import Direction, Strategy
from imsync.engine import opening
from imsync.engine.account import resume
from imsync.engine.rules import decide_anew
from imsync.errors import UserError
from imsync.store import directory, integrations, oncall, subscriptions
from imsync.store.database import Connection
from imsync.store.integrations import Integration

_SHORT = {"production": "prod", "staging": "staging", "development": "dev"}
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

DEFAULTS: Mapping[str, object] = {
    "organization_id": None,
    "token": None,
    "from_email": None,
    "default_service": None,
    "sync_direction": Direction.BIDIRECTIONAL,
    "conflict_strategy": Strategy.LAST_WRITE_WINS,
    "sync_escalations": False,
    "sync_notes": True,
    "rate_limit": 900,  # of PagerDuty's 960 a minute: others may use the same token
    "backoff_multiplier": 2.0,
    "enabled": True,
    "import_open": "none",
}


def create(
    conn: Connection,
    id_: str,
    given: Mapping[str, Any],
    *,
    integration_type: str,
    webhook_secret: str | None,
    now: Instant,
    by: str | None = None,
) -> Integration:
    """A new integration from what was given and the defaults. Raises UserError, Clash."""
    if integration_type not in TRANSLATIONS:
        known = ", ".join(TRANSLATIONS)
        raise UserError(f"integration_type {integration_type!r} is not one of {known}")
    translation = TRANSLATIONS[integration_type]
    name = str(given.get("name") or "").strip()
    if not name:
        raise UserError("an integration needs a name", hint='for example "Production PagerDuty"')
    settings = {
        **DEFAULTS,
        "base_url": translation.default_url,
        "slug": slug_of(name),
        **given,
        "name": name,
    }
    _check(settings)
    integrations.create(
        conn, id_, integration_type=integration_type, settings=settings, now=now, by=by
    )
    if webhook_secret:
        integrations.set_secret(conn, id_, webhook_secret, now=now, by=by)
    return integrations.get(conn, id_)


def change(
    conn: Connection,
    name: str,
    given: Mapping[str, Any],
    *,
    webhook_secret: str | None,
    now: Instant,
    by: str | None = None,
) -> Integration:
    """Set only what is given. Raises UserError, NotFound, Clash."""
    integration = integrations.named(conn, name)
    _check(given)
    if "name" in given and not str(given["name"]).strip():
        raise UserError("an integration needs a name")
    integrations.change(conn, integration.id, given, now=now, by=by)
    if webhook_secret:
        integrations.set_secret(conn, integration.id, webhook_secret, now=now, by=by)
        subscriptions.forget(conn, integration.id)  # whose secret this is shows at the next look
    if given.keys() & {"base_url", "token"}:
        # Another account, perhaps: its names are other names.
        directory.clear(conn, integration.id)
        oncall.clear(conn, integration.id)
    if given.keys() & {"base_url", "token", "from_email"}:
        resume(conn, integration.id, now=now)  # it may let us in now
    changed = integrations.get(conn, integration.id)
    opening.adjust(conn, changed, now=now)
    if given.keys() & {"sync_direction", "conflict_strategy"}:
        decide_anew(conn, integration.id, now=now)
    return changed


def delete(conn: Connection, name: str, *, now: Instant, by: str | None = None) -> str:
    """Forget an integration and its links; incidents stay on both sides. Its id."""
    id_ = integrations.named(conn, name).id
    integrations.delete(conn, id_, now=now, by=by)
    return id_


def slug_of(name: str) -> str:
    """A short name to type: "Production PagerDuty" -> "prod-pd"."""
    text = name.casefold()
    for translation in TRANSLATIONS.values():
        text = text.replace(translation.title.casefold(), f" {translation.short} ")
    words = re.findall(r"[a-z0-9]+", text)
    slug = "-".join(_SHORT.get(word, word) for word in words)[:63].strip("-")
    if not slug:
        raise UserError(f"no slug can be made of the name {name!r}", hint="give it a --slug")
    return slug


def _check(settings: Mapping[str, Any]) -> None:
    slug, url = settings.get("slug"), settings.get("base_url")
    if slug is not None and not _SLUG.fullmatch(slug):
        raise UserError(
            f"the slug {slug!r} is not made of lower-case letters, digits and dashes",
            hint="for example prod-pd",
        )
    if url is not None:
        _check_url(url)
    if (email := settings.get("from_email")) and not _EMAIL.fullmatch(email):
        raise UserError(
            f"from_email {email!r} is not an e-mail address", hint="that of a user of the account"
        )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("https", "http") or not host:
        raise UserError(
            f"base_url {url!r} is not a web address", hint="for example https://api.pagerduty.com"
        )
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise UserError(
            f"base_url {url!r} would send the token in the clear",
            hint="use https; http is for a sandbox on this host alone",
        )
