"""The pure half of the PagerDuty connector, gathered for whoever asks for `base.Translation`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from imsync.connectors.base import (
    Change,
    Directory,
    Draft,
    Envelope,
    Event,
    Kind,
    Request,
    Snapshot,
)
from imsync.connectors.pagerduty import mapping, notes, requests, webhooks
from imsync.core.fields import Field, Value
from imsync.core.maps import Custom, NoTranslation, ValueMap


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

    born = mapping.BORN
    customizable: Mapping[str, Field] = mapping.CUSTOMIZABLE

    def maps(self, directory: Directory, custom: Custom) -> Mapping[Field, ValueMap]:
        return mapping.maps(directory, custom)

    def sides(self, name: str, priorities: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        return mapping.sides(name, priorities)

    def broken(self, custom: Custom, priorities: Sequence[str]) -> str | None:
        return mapping.broken(custom, priorities)

    def shown(
        self, name: str, custom: Custom, priorities: Sequence[str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        return mapping.shown(name, custom, priorities)

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

    def blocks(self, field: Field, snapshot: Snapshot, status: Value) -> str | None:
        return mapping.blocks(field, snapshot, status)

    def resets(self, snapshot: Snapshot, status: Value) -> Sequence[Field]:
        return mapping.resets(snapshot, status)

    def to_create(self, draft: Draft, directory: Directory) -> Request:
        return requests.to_create(draft, _priority_id(directory))

    def to_write(
        self, external_id: str, changes: Mapping[Field, Value], directory: Directory
    ) -> Request:
        return requests.to_write(external_id, changes, _priority_id(directory))

    def to_write_many(
        self, changes: Mapping[str, Mapping[Field, Value]], directory: Directory
    ) -> Request:
        return requests.to_write_many(changes, _priority_id(directory))

    def to_note(self, external_id: str, text: str) -> Request:
        return requests.to_note(external_id, text, None)

    def to_describe(self, external_id: str, text: str, note_id: str | None) -> Request:
        return requests.to_note(external_id, notes.description_note(text), note_id)

    def fits(self, change: Change, value: Value) -> bool:
        return mapping.fits(change, value)

    def after(self, change: Change, value: Value) -> Value:
        return mapping.after(change, value)


def _priority_id(directory: Directory) -> Callable[[str], str | None]:
    def id_of(name: str) -> str | None:
        with suppress(NoTranslation):
            return directory.id_of(Kind.PRIORITY, name)
        return None

    return id_of


TRANSLATION: Final = PagerDutyTranslation()
