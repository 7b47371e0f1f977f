"""PagerDuty's webhooks, version 3: who sent this, and what does it say? Pure."""

import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import Final

from imsync.connectors.base import Envelope, Event, Note, Snapshot, Sort, Unusable
from imsync.connectors.pagerduty.incidents import snapshot
from imsync.connectors.pagerduty.reading import (
    Object,
    dig,
    moment_at,
    object_at,
    parsed,
    text_at,
    text_if_any,
)
from imsync.core.fields import Field, Instant

SHOWN: Final = (
    Field.TITLE,
    Field.SEVERITY,
    Field.STATUS,
    Field.ASSIGNED_TO,
    Field.ESCALATION_POLICY,
)
"""The fields that an incident in a webhook shows."""

ABOUT: Final[Mapping[str, Sequence[Field]]] = {
    "incident.triggered": SHOWN,
    "incident.acknowledged": (Field.STATUS,),
    "incident.unacknowledged": (Field.STATUS,),
    "incident.resolved": (Field.STATUS,),
    "incident.reopened": (Field.STATUS,),
    "incident.reassigned": (Field.ASSIGNED_TO,),
    "incident.escalated": (Field.ASSIGNED_TO,),
    "incident.delegated": (Field.ESCALATION_POLICY, Field.ASSIGNED_TO),
    "incident.priority_updated": (Field.SEVERITY,),
    "incident.priority_changed": (Field.SEVERITY,),  # as some call the former
    "incident.service_updated": (),
    "incident.incident_type.changed": (),
}
"""Events that show the whole incident, and the fields that they are about: set just then."""

_SORTS: Final = {"incident.triggered": Sort.APPEARED, "incident.escalated": Sort.ESCALATED}
_NOTES: Final = {"incident.annotated": "content", "incident.status_update_published": "message"}


def proves(secrets: Sequence[str], signature: str | None, body: bytes) -> bool:
    """Whether one of the secrets signed these very bytes. In constant time; never raises."""
    given = [
        part.strip()[3:].encode(errors="replace")
        for part in (signature or "").split(",")
        if part.strip().startswith("v1=")
    ]
    proven = False
    for secret in filter(None, secrets):  # with an empty secret, anyone can sign
        ours = hmac.new(secret.encode(errors="replace"), body, sha256).hexdigest().encode()
        for theirs in given:
            proven |= hmac.compare_digest(ours, theirs)
    return proven


def envelope(body: bytes) -> Envelope:
    """Which event this is, and of which incident, as far as it says. Never raises."""
    try:
        event = object_at(parsed(body), "event")
    except Unusable:
        return Envelope()
    return Envelope(
        event_id=dig(event, "id"),
        event_type=dig(event, "event_type"),
        external_id=_incident_id(event),
        key=dig(event, "data", "incident_key"),
    )


def parse(body: bytes, *, offset: int) -> Event:
    """Understand a delivery; `offset` ms is how far PagerDuty's clock is ahead of ours.

    An event type that we do not know asks us to look at its incident, if it names one,
    and otherwise nothing; such an event that tells no time is `at` 0. Raises Unusable for
    what is no event, and for an event that does not hold what its type promises.
    """
    event = object_at(parsed(body), "event")
    type_ = text_at(event, "event_type")
    seen = Event(
        id=dig(event, "id") or "",
        type=type_,
        sort=Sort.NOTHING,
        at=Instant(0),
        external_id=_incident_id(event),
        by=dig(event, "agent", "summary"),
    )
    if type_ in ABOUT:
        at = moment_at(event, "occurred_at", offset=offset)
        stood = _incident(event, ABOUT[type_], at, offset)
        if seen.by is not None:
            stood = replace(stood, set_by=dict.fromkeys(stood.set_at, seen.by))
        sort = _SORTS.get(type_, Sort.OBSERVATION)
        return replace(seen, sort=sort, at=at, external_id=stood.external_id, snapshot=stood)
    if type_ in _NOTES:
        at = moment_at(event, "occurred_at", offset=offset)
        return replace(seen, sort=Sort.NOTE, at=at, note=_note(event, _NOTES[type_]))
    with suppress(Unusable):  # then it tells no time
        seen = replace(seen, at=moment_at(event, "occurred_at", offset=offset))
    if type_ == "pagey.ping":
        return replace(seen, sort=Sort.PROOF)
    if type_.startswith("incident.") and seen.external_id:
        return replace(seen, sort=Sort.LOOK)
    return seen


def _incident(event: Object, about: Sequence[Field], at: Instant, offset: int) -> Snapshot:
    stood = snapshot(object_at(event, "data"), as_of=at, offset=offset)
    return replace(stood, set_at={field: at for field in about if field in stood.fields})


def _note(event: Object, key: str) -> Note:
    data = object_at(event, "data")
    if _incident_id(event) is None:
        raise Unusable("a note on no incident")
    if (text := text_if_any(data, key)) is None:
        raise Unusable(f"{key} is missing")
    return Note(text_at(data, "id"), text)


def _incident_id(event: object) -> str | None:
    """Every type of data names its incident in one of three places."""
    if dig(event, "data", "type") == "incident":
        return dig(event, "data", "id")
    return dig(event, "data", "incident", "id") or dig(
        event, "data", "incident_role_assignments", 0, "incident", "id"
    )
