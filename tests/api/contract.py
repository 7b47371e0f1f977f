"""The OpenAPI document, closed: what it does not name may not be answered either."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator

from imsync.api import app, openapi

Json = dict[str, Any]

BEFORE_ANY_ROUTE = {"no_such_route", "method_not_allowed"}


@cache
def document() -> Json:
    return openapi.document(app.ROUTES)


def close(schema: Any) -> Any:
    """The same schema, but an object has only the properties that it declares."""
    if isinstance(schema, list):
        return [close(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: close(value) for name, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def _components() -> Any:
    return close(document()["components"])


def violations(schema: Json, body: Any) -> list[str]:
    """Where a body differs from a schema of the document."""
    whole = {"allOf": [close(schema)], "components": _components()}
    errors = Draft202012Validator(whole).iter_errors(body)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in errors]


def operation(method: str, path: str) -> Json | None:
    """What the document says of a request: the route that has most of its words."""
    found = []
    for template, methods in document()["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if re.fullmatch(pattern, path.partition("?")[0]):
            found.append((template.count("{"), methods.get(method.lower())))
    return min(found, key=lambda one: one[0])[1] if found else None


def check(method: str, path: str, status: int, headers: Mapping[str, str], text: str) -> None:
    """Fail unless the document says that this may be answered: status, type, headers and shape."""
    if method in ("HEAD", "OPTIONS"):
        return
    type_ = headers.get("Content-Type", "").partition(";")[0]
    if type_ == "application/problem+json" and orjson.loads(text)["code"] in BEFORE_ANY_ROUTE:
        return
    said = operation(method, path)
    assert said is not None, f"{method} {path} is not in the document"
    answer = said["responses"].get(str(status))
    assert answer is not None, f"{method} {path} may not answer {status}: {text[:500]}"
    if "$ref" in answer:
        answer = document()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    for name in answer.get("headers", {}):
        assert name in headers, f"{method} {path} answered {status} without {name}"
    content = answer.get("content")
    if content is None:
        assert text == "", f"{method} {path} answered {status} with a body"
        return
    assert type_ in content, f"{method} {path} answered {status} with {type_}"
    found = violations(content[type_]["schema"], orjson.loads(text))
    assert not found, f"{method} {path} answered {status}: {found}\n{text[:500]}"
