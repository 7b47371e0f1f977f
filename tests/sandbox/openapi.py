"""PagerDuty's own OpenAPI 3.0 as a judge of requests and answers, and where it is wrong.

The file is not ours to copy: it is read where it lies, and nothing is judged without it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FACTS = Path(__file__).parents[3] / "shared" / "pagerduty"
ABSENT = "the facts about PagerDuty are not beside this repository"
_ID = "urn:pagerduty"

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
    return {"anyOf": [{"$ref": f"{_ID}#/components/schemas/{name}"} for name in names]}


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

_IGNORED = ("Accept", "Content-Type", "Authorization")
"""A parameter in "header" that is called so shall be ignored (OpenAPI 3.0, Parameter Object)."""

LOG_ENTRY = {"$ref": f"{_ID}#/components/schemas/FieldValueChangeLogEntry"}
"""A schema of theirs that their lists of log entries leave out."""


@dataclass(frozen=True)
class Request:
    """What somebody asked PagerDuty: the query as it was typed, the body as JSON (None: none)."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: object = None


class OpenApi:
    """Judges requests and answers. `amended=False` takes the file at its word."""

    def __init__(self, spec: Any, *, amended: bool = True) -> None:
        whole = _converted(spec)
        if amended:
            for path, (schema, _) in REPLACED.items():
                _at(whole, path[:-1])[path[-1]] = schema
            for path in NULL_IN_PRACTICE:
                parent = _at(whole, path[:-1])
                parent[path[-1]] = {"anyOf": [parent[path[-1]], {"type": "null"}]}
        self._whole = whole
        self._validators: dict[tuple[str, ...], Draft202012Validator] = {}
        resource = Resource.from_contents(whole, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_ID, resource)
        self._templates = [
            (re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) + "$"), path)
            for path in sorted(whole["paths"], key=lambda path: path.count("{"))
        ]

    def request_complaints(self, asked: Request) -> Sequence[str]:
        """What is wrong with this request: its path, parameters, headers or body."""
        template, operation = self._operation(asked.method, asked.path)
        if operation is None:
            return [f"there is no {asked.method} {asked.path}"]
        place = (template, asked.method)
        both = [*self._whole["paths"][template].get("parameters", []), *operation["parameters"]]
        parameters = {one["name"]: one for one in map(self._resolved, both)}
        found = list(self._query_complaints(place, parameters, asked.query))
        found += [
            f"there is no header {one['name']}"
            for one in parameters.values()
            if one["in"] == "header"
            and one.get("required")
            and one["name"] not in _IGNORED
            and one["name"] not in asked.headers
        ]
        if asked.body is None:
            return [*found, *(["there is no body"] if "requestBody" in operation else [])]
        if "requestBody" not in operation:
            return [*found, "a body where there is none"]
        schema = self._resolved(operation["requestBody"])["content"]["application/json"]["schema"]
        return [*found, *self._judged((*place, "body"), schema, asked.body)]

    def _query_complaints(
        self,
        place: tuple[str, ...],
        parameters: Mapping[str, Any],
        query: Iterable[tuple[str, str]],
    ) -> Iterator[str]:
        given: dict[str, list[str]] = {}
        for name, value in query:
            given.setdefault(name, []).append(value)
        for name, values in given.items():
            known = parameters.get(name)
            if known is None or known["in"] != "query":
                yield f"there is no parameter {name}"
                continue
            schema = known["schema"]
            typed = values if schema.get("type") == "array" else _typed(schema, values[0])
            yield from (f"{name}: {one}" for one in self._judged((*place, name), schema, typed))
        for name, known in parameters.items():
            if known["in"] == "query" and known.get("required") and name not in given:
                yield f"parameter {name} is missing"

    def _operation(self, method: str, path: str) -> tuple[str, Any]:
        template = next((known for regex, known in self._templates if regex.match(path)), "")
        return template, self._whole["paths"].get(template, {}).get(method.lower())

    def complaints(self, method: str, path: str, status: int, body: object) -> Sequence[str]:
        """What is wrong with this answer; also when there is no such operation."""
        template, operation = self._operation(method, path)
        if operation is None:
            return [f"there is no {method} {path}"]
        response = operation["responses"].get(str(status))
        if response is None and status >= 400:
            # Not all errors are listed with each operation; but all have one form.
            return [] if _is_error(body) else [f"{status} is not in the form of an error"]
        if response is None:
            return [f"{status} is not an answer to {method} {template}"]
        response = self._resolved(response)
        if "content" not in response:
            return [] if body is None or status >= 400 else ["a body where there is none"]
        schema = response["content"]["application/json"]["schema"]
        return self._judged((template, method, str(status)), schema, body)

    def judge(self, schema: object, body: object) -> Sequence[str]:
        return _judged(Draft202012Validator(schema, registry=self._registry), body)

    def _judged(self, place: tuple[str, ...], schema: object, body: object) -> Sequence[str]:
        """The same, with a validator that is made once for each place in the file."""
        if place not in self._validators:
            self._validators[place] = Draft202012Validator(schema, registry=self._registry)
        return _judged(self._validators[place], body)

    def judge_as(self, name: str, body: object) -> Sequence[str]:
        return self.judge({"$ref": f"{_ID}#/components/schemas/{name}"}, body)

    def judge_log_entry(self, body: object) -> Sequence[str]:
        return self.judge(LOG_ENTRY, body)

    def _resolved(self, node: Any) -> Any:
        while "$ref" in node:
            _, _, pointer = node["$ref"].partition("#/")
            steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]
            node = _at(self._whole, steps)
        return node


@cache
def openapi(*, amended: bool = True) -> OpenApi | None:
    """None where the file is not."""
    path = FACTS / "rest-openapi.json"
    return OpenApi(orjson.loads(path.read_bytes()), amended=amended) if path.exists() else None


def sample(name: str) -> Any:
    return orjson.loads((FACTS / "samples" / name).read_bytes())


def _judged(validator: Draft202012Validator, body: object) -> Sequence[str]:
    return [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        for error in validator.iter_errors(body)
    ]


def _typed(schema: Mapping[str, Any], value: str) -> object:
    """A query's text as the type that its parameter has; as it is where it does not look so."""
    if schema.get("type") == "integer" and value.lstrip("-").isdigit():
        return int(value)
    if schema.get("type") == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def _at(node: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def _is_error(body: object) -> bool:
    error = body.get("error") if isinstance(body, dict) else None
    return (
        isinstance(error, dict)
        and isinstance(error.get("message"), str)
        and isinstance(error.get("code"), int)
        and isinstance(error.get("errors", []), list)
    )


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
            found[key] = _ID + value
        else:
            found[key] = _converted(value, names=key in ("properties", "schemas", "paths"))
    if "LogEntry" in str(found.get("anyOf", "")) and {"$ref": _ANNOTATE} in found["anyOf"]:
        found["anyOf"].append(LOG_ENTRY)
    return found


_ANNOTATE = f"{_ID}#/components/schemas/AnnotateLogEntry"
