"""/openapi.json: all of the API as an OpenAPI 3.1 document, made from the routes themselves.

There is no second list to keep true: schemas come from the models that validate what comes
in and from the shapes that go out, errors from what each route can be refused with.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from inspect import getdoc
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from imsync import __version__
from imsync.api import shapes
from imsync.api.answers.events import DATA, Event
from imsync.api.answers.lists import Problem
from imsync.api.errors import OWN, TITLE, status_of
from imsync.api.route import Route

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{model}"
_SAYS: Final = """Incidents kept in step with PagerDuty, both ways.

The same over TCP and over the unix socket. HEAD is answered wherever GET is, OPTIONS
everywhere. An error is a problem (RFC 9457) whose `code` never changes. A query parameter or
a field that is not declared here is refused by name. Times are RFC 3339 in UTC with
milliseconds. New fields may be added to answers: leave alone what you do not know."""


_SECURITY: Final[Json] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "Made by `im token create`. Over the unix socket none is needed, nor"
        " straight from the daemon's host as long as none was ever made.",
    }
}


class Document:
    """The document as it is sent; made when it is first asked for, which takes a moment."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes

    @cached_property
    def text(self) -> bytes:
        return orjson.dumps(document(self._routes))


DOCUMENT: Final = web.AppKey("document", Document)


async def show(request: web.Request) -> web.Response:
    """This document."""
    return shapes.raw(request.app[DOCUMENT].text)


def document(routes: Sequence[Route]) -> Json:
    """The OpenAPI document of these routes."""
    schemas = Schemas(routes)
    paths: dict[str, Json] = defaultdict(dict)
    responses: dict[str, Json] = {}
    for route in routes:
        paths[route.url][route.method.lower()] = _operation(route, schemas, responses)
    return {
        "openapi": "3.1.0",
        "info": {"title": "imsync", "version": __version__, "description": _SAYS},
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": responses,
            "securitySchemes": _SECURITY,
        },
    }


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's
        return False

    def normalize_name(self, name: str) -> str:
        return re.sub(r"\[(\w+)\]", r"Of\1", name)


class Schemas:
    """The schema of everything that comes in or goes out, each by its own name once."""

    def __init__(self, routes: Sequence[Route]) -> None:
        shapes_: set[Any] = {Problem, Event, *DATA.values()}
        models: set[Any] = set()
        for route in routes:
            shapes_ |= {shape for shape in route.answers.values() if shape is not None}
            models |= {model for model in (route.takes, route.asks) if model is not None}
        asked = [(one, "serialization", TypeAdapter(one)) for one in shapes_]
        asked += [(one, "validation", TypeAdapter(one)) for one in models]
        found, defined = TypeAdapter.json_schemas(
            sorted(asked, key=lambda one: str(one[0])),  # type: ignore[arg-type]
            ref_template=_REF,
            schema_generator=_Generator,
        )
        self._found = {one: schema for (one, _), schema in found.items()}
        queries = {route.asks.__name__ for route in routes if route.asks is not None}
        self.components = {
            name: schema
            for name, schema in sorted(defined.get("$defs", {}).items())
            if name not in queries
        }
        for changes in {one.takes.__name__ for one in routes if one.takes and one.partial}:
            for field in self.components[changes]["properties"].values():
                field.pop("default", None)  # what is not given stays as it is
        self._queries = {name: defined["$defs"][name] for name in queries}

    def of(self, model: Any) -> Json:
        return self._found[model]

    def parameters(self, route: Route) -> list[Json]:
        """What the route's query may hold."""
        if route.asks is None:
            return []
        found: list[Json] = []
        for name, schema in self._queries[route.asks.__name__].get("properties", {}).items():
            shown = dict(schema)
            for one in schema.get("anyOf", ()):  # null means that it is not given
                if one != {"type": "null"}:
                    shown = one | {key: schema[key] for key in schema if key == "description"}
            says = shown.pop("description", "")
            found.append({"name": name, "in": "query", "description": says, "schema": shown})
        return found


def _operation(route: Route, schemas: Schemas, responses: dict[str, Json]) -> Json:
    noun = route.handler.__module__.rpartition(".")[2]
    summary, _, more = (getdoc(route.handler) or "").partition("\n\n")
    found: Json = {
        "operationId": f"{noun}_{route.handler.__name__}" + ("" if route.base else "_at_root"),
        "tags": [noun.replace("_", " ")],
        "summary": " ".join(summary.split()),
        "description": more,
        "parameters": [*_names(route), *schemas.parameters(route), *_headers(route)],
        "responses": {**_answers(route, schemas), **_failures(route, responses)},
    }
    if route.open:
        found["security"] = []
    else:
        found["security"] = [{"token": []}]
        found["description"] = f"{more}\n\nNeeds the scope `{route.needs}`.".strip()
    if route.takes is not None:
        body = {"application/json": {"schema": schemas.of(route.takes)}}
        found["requestBody"] = {"required": not route.optional, "content": body}
    elif route.raw:
        found["requestBody"] = {"content": {"application/json": {"schema": {}}}}
    return found


def _names(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "description": of.says, "schema": of.schema}
        for name, of in route.names.items()
    ]


def _headers(route: Route) -> list[Json]:
    return [
        {"name": one.name, "in": "header", "description": one.says, "schema": one.schema}
        for one in route.headers
    ]


def _answers(route: Route, schemas: Schemas) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for status, shape in route.answers.items():
        answer: Json = {"description": TITLE[status]}
        if route.streams:
            answer["content"] = {"text/event-stream": {"schema": _line(schemas.of(Event))}}
        elif shape is not None:
            answer["content"] = {"application/json": {"schema": schemas.of(shape)}}
        if route.tagged:
            answer["headers"] = {"ETag": {"required": True, "schema": {"type": "string"}}}
        found[str(status)] = answer
    if any(header.name == "If-None-Match" for header in route.headers):
        found["304"] = {"description": TITLE[304]}
    return found


def _line(event: Json) -> Json:
    """One event of a stream, as OpenAPI 3.2 has them; a client sees no other ones."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": event}
    properties = {"id": {"type": "string", "pattern": "^[0-9]+$"}, "data": data}
    return {"type": "object", "required": ["id", "data"], "properties": properties}


def _failures(route: Route, responses: dict[str, Json]) -> dict[str, Json]:
    codes: dict[int, set[str]] = defaultdict(set)
    for failure in route.failures:
        codes[status_of(failure)].add(failure.code)
    for code in ("bug", "database_failed", *(["too_large"] if route.takes or route.raw else [])):
        codes[OWN[code]].add(code)
    found: dict[str, Json] = {}
    for status in sorted(codes.keys() - route.answers.keys()):
        named = "-".join([str(status), *sorted(codes[status])])
        responses[named] = _problem(status, sorted(codes[status]))
        found[str(status)] = {"$ref": f"#/components/responses/{named}"}
    return found


def _problem(status: int, codes: list[str]) -> Json:
    one_of: Mapping[str, Any] = {"properties": {"code": {"enum": codes}}}
    schema = {"allOf": [{"$ref": _REF.format(model="Problem")}, one_of]}
    answer: Json = {
        "description": f"{TITLE[status]}: {', '.join(f'`{code}`' for code in codes)}",
        "content": {"application/problem+json": {"schema": schema}},
    }
    heard = {503: "Retry-After"} | ({401: "WWW-Authenticate"} if "unauthenticated" in codes else {})
    if status in heard:
        answer["headers"] = {heard[status]: {"required": True, "schema": {"type": "string"}}}
    return answer
