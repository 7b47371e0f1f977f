"""Conflicts: as they are, as they are told, and as they are foreseen."""

from typing_extensions import TypedDict

from imsync.api.answers.incidents import Edit, ReadableEdit
from imsync.core.fields import Side


class Rule(TypedDict):
    """Who owned the field when the conflict was recorded, and how firmly."""

    owner: Side
    priority: int
    strict: bool


class _Conflict(TypedDict):
    integration: str
    incident: str
    field: str
    status: str
    strategy: str
    rule: Rule | None
    base: str | None
    platform: Edit
    winner: Side | None
    because: str
    resolved_by: str | None
    created_at: str
    resolved_at: str | None


class Conflict(_Conflict):
    """What both sides changed, differently. `winner` null: neither side's value won, or not yet."""

    id: str
    external: Edit


class ToldConflict(_Conflict):
    """A conflict with its story, a sentence each. `restorable`: whose value can be brought back."""

    id: str
    external: ReadableEdit
    restorable: list[Side]
    story: list[str]


class ForeseenConflict(_Conflict):
    """A conflict that a change leads to. In a dry run it is none yet, and has no id."""

    id: str | None
    external: Edit
