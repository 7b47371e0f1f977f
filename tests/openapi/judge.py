"""PagerDuty's own OpenAPI as a judge of requests and of answers.

The file is not ours to copy: it is read where it lies, and nothing is judged without it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from tests.openapi.amended import ID, at, read

FACTS = Path(__file__).parents[3] / "shared" / "pagerduty"
ABSENT = "the facts about PagerDuty are not beside this repository"

_VERSION = "application/vnd.pagerduty+json;version=2"
_HEADERS: Mapping[str, object] = {
    "accept": {"const": _VERSION},
    "authorization": {"pattern": "^(Token token=|Bearer )[!-~]+$"},
    "from": {"type": "string", "format": "email"},
    "content-type": {"pattern": "^application/json(; *charset=utf-8)?$"},
}
"""The form of each. Which are needed is the operation's to say, but that Content-Type goes
with a body, as everywhere; the file asks for it of a GET too, which has none."""


class OpenApi:
    """What is wrong with a request or an answer, in words; empty if nothing is."""

    def __init__(self, spec: Any, *, amended: bool = True) -> None:
        self._whole = read(spec, amended=amended)
        self._registry = jsonschema_rs.Registry(
            [(ID, self._whole)], draft=jsonschema_rs.Draft202012
        )
        self._templates = defaultdict[str, list[tuple[re.Pattern[str], str]]](list)
        for path in sorted(self._whole["paths"], key=lambda path: path.count("{")):
            regex = re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) + "$")
            self._templates[_first(path)].append((regex, path))
        self._validators: dict[object, jsonschema_rs.Draft202012Validator] = {}

    def of_answer(self, method: str, path: str, status: int, body: object) -> Sequence[str]:
        """Also when there is no such operation. `body` is None for none."""
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
        return self._judge((method, template, status), schema, body)

    def of_request(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes,
        *,
        from_needed: bool = True,
    ) -> Sequence[str]:
        """Nothing may be in it that is not described: what nobody reads is mistaken.

        `from_needed=False` for the key of a user, who need not be named.
        """
        template, operation = self._operation(method, path)
        if operation is None:
            return [f"there is no {method} {path}"]
        key, found = (method, template), list[str]()
        parameters = [self._resolved(each) for each in operation.get("parameters", [])]
        asked = defaultdict[str, list[object]](list)
        types = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
        for name, value in query:
            asked[name].append(_typed(types.get(name, {}), value))
        found += self._judge((*key, "query"), _query(parameters), asked)
        needed = {one["name"].lower() for one in parameters if one["in"] == "header"}
        needed = {*needed - {"content-type"}, "authorization", *(["content-type"] * bool(body))}
        needed -= set() if from_needed else {"from"}
        given = {name.lower(): value for name, value in headers.items()}
        schema = {"properties": _HEADERS, "required": sorted(needed)}
        found += self._judge((*key, "headers", *sorted(needed)), schema, given)
        if "requestBody" not in operation:
            return [*found, *(["a body where there is none"] * bool(body))]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        try:
            sent = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return [*found, f"no JSON: {error}"]
        return [*found, *self._judge((*key, "body"), _closed(schema), sent)]

    def judge_as(self, name: str, body: object) -> Sequence[str]:
        return self._judge(name, {"$ref": f"{ID}#/components/schemas/{name}"}, body)

    def _judge(self, key: object, schema: Any, body: object) -> Sequence[str]:
        validator = self._validators.get(key)
        if validator is None:
            validator = jsonschema_rs.Draft202012Validator(
                schema, registry=self._registry, validate_formats=True
            )
            self._validators[key] = validator
        return [
            f"{'/'.join(map(str, error.instance_path))}: {error.message[:300]}"
            for error in validator.iter_errors(body)
        ]

    def _operation(self, method: str, path: str) -> tuple[str, Any]:
        known = self._templates[_first(path)]
        template = next((template for regex, template in known if regex.match(path)), "")
        return template, self._whole["paths"].get(template, {}).get(method.lower())

    def _resolved(self, node: Any) -> Any:
        while "$ref" in node:
            _, _, pointer = node["$ref"].partition("#/")
            steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]
            node = at(self._whole, steps)
        return node


@cache
def openapi(*, amended: bool = True) -> OpenApi | None:
    """None where the file is not."""
    path = FACTS / "rest-openapi.json"
    return OpenApi(orjson.loads(path.read_bytes()), amended=amended) if path.exists() else None


def sample(name: str) -> Any:
    return orjson.loads((FACTS / "samples" / name).read_bytes())


def _first(path: str) -> str:
    """The part of a path that none of theirs has a parameter in."""
    return path.split("/")[1] if path.startswith("/") else ""


def _is_error(body: object) -> bool:
    error = body.get("error") if isinstance(body, dict) else None
    return (
        isinstance(error, dict)
        and isinstance(error.get("message"), str)
        and isinstance(error.get("code"), int)
        and isinstance(error.get("errors", []), list)
    )


def _query(parameters: Sequence[Any]) -> Any:
    """The schema of all that may be asked; lists are `name[]`, once for each item."""
    known = [each for each in parameters if each["in"] == "query"]
    return {
        "properties": {each["name"]: _listed(each["schema"]) for each in known},
        "additionalProperties": False,
        "required": [each["name"] for each in known if each.get("required")],
    }


def _listed(schema: Any) -> Any:
    """A list of one for what may be given once. Theirs say so of some `name[]` as well."""
    if schema["type"] == "array":
        return schema
    repeatable = schema.get("uniqueItems", False)
    items = {key: value for key, value in schema.items() if key != "uniqueItems"}
    return {"items": items, "uniqueItems": True, **({} if repeatable else {"maxItems": 1})}


def _typed(schema: Any, value: str) -> object:
    """As what it is meant to be; as text where it cannot be."""
    match schema.get("type"):
        case "integer" if value.isdecimal():
            return int(value)
        case "boolean":
            return {"true": True, "false": False}.get(value, value)
        case _:
            return value


def _closed(schema: Any, *, levels: int = 2) -> Any:
    """The same without anything beside what it names, as deep as what is wrapped."""
    if levels == 0:
        return schema
    if schema.get("type") == "array":
        return {**schema, "items": _closed(schema["items"], levels=levels)}
    inner = {
        name: _closed(each, levels=levels - 1)
        for name, each in schema.get("properties", {}).items()
    }
    closed = {**schema, **({"properties": inner} if inner else {})}
    return {"allOf": [closed], "unevaluatedProperties": False}
