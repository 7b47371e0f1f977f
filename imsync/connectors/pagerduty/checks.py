"""`im integration test`: is the account reached, and will it do what we need?"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from imsync.connectors.base import Check, Entry, Kind
from imsync.connectors.pagerduty.reading import Object, dig, object_at
from imsync.connectors.pagerduty.requests import segment
from imsync.connectors.pagerduty.rest import Rest, base
from imsync.core.fields import Instant
from imsync.errors import ExternalError, Gone, Refused, Unauthorized

WORRYING: Final = 60_000
"""A clock this far off is put right by calculation, but somebody should know."""

LookUp = Callable[[Kind, str], Awaitable[Sequence[Entry]]]


async def run(road: Rest, look_up: LookUp, *, services: Sequence[str]) -> Sequence[Check]:
    """One after the other; when the first fails, the others could tell nothing."""
    began = road.now()
    try:
        await road.get("/abilities", lambda answer, _: answer)
    except Unauthorized as error:
        return [Check("credentials", ok=False, detail=str(error), hint=error.hint)]
    except Refused as error:
        # Known, but not let near the abilities: what it may do shows in the next ones.
        credentials = Check("credentials", ok=True, detail=f"accepted, with limits: {error}")
    except ExternalError as error:
        hint = error.hint or "is the base URL that of PagerDuty's API?"
        return [Check("reach", ok=False, detail=str(error), hint=hint)]
    else:
        credentials = Check("credentials", ok=True, detail="accepted")
    reach = f"{base(road.base_url).host} answers in {road.now() - began} ms"
    return [
        Check("reach", ok=True, detail=reach),
        credentials,
        _clock(road),
        await _from_user(road, look_up),
        *[await _service(road, service) for service in services],
    ]


def _clock(road: Rest) -> Check:
    if road.offset is None:
        return Check("clock", ok=True, detail="PagerDuty did not tell the time")
    ms = road.offset.ms
    detail = f"PagerDuty's clock is {abs(ms)} ms {'ahead of' if ms >= 0 else 'behind'} ours"
    hint = "" if abs(ms) < WORRYING else "is this host's clock set by NTP?"
    return Check("clock", ok=not hint, detail=detail, hint=hint, vital=False)


async def _from_user(road: Rest, look_up: LookUp) -> Check:
    hint = "set from_email to the address of a user of this account"
    if not road.from_email:
        return Check("from", ok=False, detail="no From address is set", hint=hint)
    try:
        found = await look_up(Kind.USER, road.from_email)
    except ExternalError as error:
        return Check("from", ok=False, detail=str(error), hint=error.hint or hint)
    if found[0].id is None:
        return Check("from", ok=False, detail=f"PagerDuty knows no {road.from_email}", hint=hint)
    return Check("from", ok=True, detail=f"we act as {road.from_email}, user {found[0].id}")


async def _service(road: Rest, service: str) -> Check:
    hint = "give the id of a service of this account"

    def read(answer: Object, _: Instant) -> Check:
        found = object_at(answer, "service")
        name = dig(found, "name") or dig(found, "summary") or service
        if dig(found, "status") == "disabled":
            detail = f"{name} is disabled: it takes no incidents"
            enable = "enable it in PagerDuty"
            return Check("service", ok=False, detail=detail, hint=enable, vital=False)
        return Check("service", ok=True, detail=f"incidents may go to {name}")

    try:
        return await road.get(f"/services/{segment(service)}", read)
    except Gone:
        detail = f"PagerDuty has no service {service}"
        return Check("service", ok=False, detail=detail, hint=hint, vital=False)
    except ExternalError as error:
        said = error.hint or hint
        return Check("service", ok=False, detail=str(error), hint=said, vital=False)
