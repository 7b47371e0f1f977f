"""The pure half of the PagerDuty connector, gathered for whoever asks for `base.Translation`."""

from collections.abc import Mapping, Sequence
from typing import Final

from imsync.connectors.base import Change, Directory, Envelope, Event, Snapshot
from imsync.connectors.pagerduty import mapping, notes, webhooks
from imsync.core.fields import Field, Value
from imsync.core.maps import ValueMap


class PagerDutyTranslation:
    """What PagerDuty's values and deliveries mean."""

    name = "pagerduty"
    short = "pd"
    title = "PagerDuty"
    default_url = "https://api.pagerduty.com"
    observed: Mapping[Field, str] = {
        Field.TITLE: "poll",  # no documented webhook tells of its edits
        Field.DESCRIPTION: "own writes",
        Field.SEVERITY: "webhook",  # of the priority; an edit of urgency alone is polled
        Field.STATUS: "webhook",
        Field.ASSIGNED_TO: "webhook",
        Field.ESCALATION_POLICY: "webhook",
    }

    def maps(self, directory: Directory) -> Mapping[Field, ValueMap]:
        return mapping.maps(directory)

    def proves(self, secrets: Sequence[str], signature: str | None, body: bytes) -> bool:
        return webhooks.proves(secrets, signature, body)

    def envelope(self, body: bytes) -> Envelope:
        return webhooks.envelope(body)

    def parse(self, body: bytes, *, offset: int) -> Event:
        return webhooks.parse(body, offset=offset)

    def description_note(self, description: str) -> str:
        return notes.description_note(description)

    def is_description_note(self, text: str) -> bool:
        return notes.is_description_note(text)

    def blocks(self, field: Field, snapshot: Snapshot) -> str | None:
        return mapping.blocks(field, snapshot)

    def fits(self, change: Change, value: Value) -> bool:
        return mapping.fits(change, value)

    def after(self, change: Change, value: Value) -> Value:
        return mapping.after(change, value)


TRANSLATION: Final = PagerDutyTranslation()
