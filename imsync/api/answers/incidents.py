"""Incidents, their timelines, and why a field is what it is."""

from typing_extensions import TypedDict

from imsync.core.fields import Severity, Side, Status


class IncidentLink(TypedDict):
    """Where an incident stands: null ids while it is yet to be created there."""

    integration: str
    external_id: str | None
    external_url: str | None
    state: str


class Incident(TypedDict):
    """A platform incident. `version` counts its changes."""

    id: str
    title: str
    description: str | None
    severity: Severity
    status: Status
    assigned_to: str | None
    escalation_policy: str | None
    incident_type: str | None
    organization_id: str | None
    created_at: str
    updated_at: str
    version: int
    links: list[IncidentLink]


class TimelineEntry(TypedDict):
    """One line of an incident's story. `integration`: where it came from; null: it was here."""

    id: int
    at: str
    kind: str
    by: str | None
    text: str | None
    field: str | None
    old: str | None
    new: str | None
    integration: str | None


class Edit(TypedDict):
    """A side's value of a field, who set it, and when."""

    value: str | None
    by: str | None
    at: str


class ReadableEdit(Edit):
    """`value` as the external side has it; `reads_as`: what that means here."""

    reads_as: str | None


class Observation(ReadableEdit):
    """What the external side was seen to hold. `as_of`: when that was last seen to be so."""

    as_of: str


class RuleInForce(TypedDict):
    owner: Side
    priority: int
    strict: bool
    default: bool
    strategy: str
    direction: str


class Loser(Edit):
    """A value that lost, and the conflict that keeps it; `restorable`, or `refused`: why not."""

    side: Side
    conflict: str
    restorable: bool
    refused: str | None


class LinkExplanation(TypedDict):
    """What is known of a field on one link, and what was decided."""

    integration: str | None
    base: str | None
    external: Observation | None
    rule: RuleInForce | None
    state: str
    verdict: str | None
    because: str
    confirmed_at: str | None
    losers: list[Loser]
    story: list[str]


class Explanation(LinkExplanation):
    """Why a field is what it is, by its first link; its other links are `others`."""

    incident: str
    field: str
    value: str | None
    platform: Edit
    others: list[LinkExplanation]
