"""Where PagerDuty's own OpenAPI 3.0 is wrong about itself, and how it is read all the same.

Each exception has its reason beside it; there are no others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

ID = "urn:pagerduty"

_INCIDENT = ("components", "schemas", "Incident", "allOf", 1, "properties")
_SERVICE = ("components", "schemas", "Service", "allOf", 1, "properties")
_ENTRY = ("components", "schemas", "LogEntry", "allOf", 1, "properties")
_ONCALL = ("components", "schemas", "Oncall", "properties")

NULL_IN_PRACTICE: Mapping[tuple[str | int, ...], str] = {
    (*_INCIDENT, "resolved_at"): "null until resolved, in every captured incident",
    (*_INCIDENT, "priority"): "null without one, in every captured incident",
    (*_INCIDENT, "incident_key"): "null of incidents with alerts, in REST and in webhooks",
    (*_INCIDENT, "alert_grouping"): "null without alerts, in every captured incident",
    (*_INCIDENT, "conference_bridge"): "null without one",
    (*_INCIDENT, "body", "allOf", 0): "null without one",
    (*_SERVICE, "auto_resolve_timeout"): "its own description: null disables it",
    (*_SERVICE, "acknowledgement_timeout"): "its own description: null disables it",
    (*_ONCALL, "schedule"): "its own description: null for users who are direct targets",
    (*_ONCALL, "start"): "its own description: null for those who are always on call",
    (*_ONCALL, "end"): "its own description: null for those who are always on call",
    (
        "components", "schemas", "ScheduleLayer", "properties", "end",
    ): "null for a layer without an end",
    (
        "components", "schemas", "AcknowledgeLogEntry", "allOf", 1, "properties",
        "acknowledgement_timeout",
    ): "its own description: may be null",
    (
        "components", "schemas", "Channel", "properties", "changeset", "properties",
        "application_fields", "items", "properties", "value",
    ): "how else would a cleared priority be told",
}  # fmt: skip
"""Typed without null, but null in traffic or by its own description."""


def _either(*names: str) -> object:
    return {"anyOf": [{"$ref": f"{ID}#/components/schemas/{name}"} for name in names]}


REPLACED: Mapping[tuple[str | int, ...], tuple[object, str]] = {
    (
        "components", "schemas", "AcknowledgeLogEntry", "allOf", 1, "properties", "type", "enum",
    ): (["acknowledge_log_entry"], "says acknowledgement_log_entry, which its own base excludes"),
    (*_ENTRY, "incident"): (_either("IncidentReference", "Incident"), "include[]=incidents"),
    (*_ENTRY, "service"): (_either("ServiceReference", "Service"), "include[]=services"),
    (*_ONCALL, "escalation_policy"): (
        _either("EscalationPolicyReference", "EscalationPolicy"),
        "include[]=escalation_policies",
    ),
    (*_ONCALL, "user"): (_either("UserReference", "User"), "include[]=users"),
    ("components", "schemas", "IncidentBody"): (
        {"properties": {"details": {"type": ["string", "null"]}}},
        "details are a string in all traffic, and the answer to a creation has no type",
    ),
}  # fmt: skip
"""Contradicts itself or all captured traffic, or forgets what can be included."""

ADDED: Mapping[tuple[str | int, ...], tuple[object, str]] = {
    ("components", "parameters", "include_incident", "schema", "enum"): (
        "body",
        "its own schema of an incident has a body, which nothing else would show",
    ),
}
"""Lists that forget one."""

_FORGOTTEN = {"$ref": f"{ID}#/components/schemas/FieldValueChangeLogEntry"}
"""A schema of theirs that their lists of log entries leave out."""


def read(spec: Any, *, amended: bool = True) -> Any:
    """The whole of it as JSON Schema; `amended=False` takes it at its word."""
    whole = _converted(spec)
    if amended:
        for path, (schema, _) in REPLACED.items():
            at(whole, path[:-1])[path[-1]] = schema
        for path, (item, _) in ADDED.items():
            at(whole, path).append(item)
        for path in NULL_IN_PRACTICE:
            parent = at(whole, path[:-1])
            parent[path[-1]] = {"anyOf": [parent[path[-1]], {"type": "null"}]}
    return whole


def at(node: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def _converted(node: Any, *, names: bool = False) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema; `names` when the keys are names, not keywords.

    `oneOf` becomes `anyOf`: theirs overlap (every reference is also a Tag, every channel
    fits several forms), so that not even their own examples fit exactly one.
    """
    if isinstance(node, list):
        return [_converted(item) for item in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {key: _converted(value) for key, value in node.items()}
    found = {}
    for key, value in node.items():
        if key in ("example", "examples", "x-pd-requires-scope", "discriminator", "default"):
            continue
        if key == "enum":
            found[key] = [*value, None] if node.get("nullable") else value
        elif key == "type" and node.get("nullable"):
            found[key] = [value, "null"]
        elif key == "oneOf":
            found["anyOf"] = _converted(value)
        elif key == "$ref" and value.startswith("#"):
            found[key] = ID + value
        else:
            found[key] = _converted(value, names=key in ("properties", "schemas", "paths"))
    if "LogEntry" in str(found.get("anyOf", "")) and {"$ref": _ANNOTATE} in found["anyOf"]:
        found["anyOf"].append(_FORGOTTEN)
    return found


_ANNOTATE = f"{ID}#/components/schemas/AnnotateLogEntry"
