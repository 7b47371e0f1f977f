"""The OpenAPI document: valid, of every route there is and no other, and served as it is made."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from openapi_spec_validator import OpenAPIV31SpecValidator

from imsync.api import app, route
from imsync.api.answers.events import DATA
from imsync.api.answers.tokens import MadeToken
from imsync.api.bodies import NewNote, NewRule, read
from imsync.store.events import Type

from .asking import Api
from .contract import document

OPERATIONS = [
    (method, path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
each = pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS]
)


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()


async def test_every_route_is_in_it_and_the_reverse(api: Api) -> None:
    served = {
        (one.method.lower(), one.resource.canonical)
        for one in api.routes
        if one.method != "HEAD" and one.resource is not None
    }
    assert served == {(method, path) for method, path, _ in OPERATIONS}


async def test_it_is_served_as_it_is_made(api: Api) -> None:
    assert await api.found("/api/v1/openapi.json") == document()


def test_every_operation_goes_by_one_name() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


@each
def test_every_operation_says_what_it_does(method: str, path: str, operation: Any) -> None:
    assert operation["summary"].endswith((".", "?")), operation["summary"]
    assert len(operation["summary"]) > 10
    for parameter in operation["parameters"]:
        assert parameter["description"] or parameter["in"] == "query", parameter["name"]


@each
def test_every_operation_says_how_it_fails(method: str, path: str, operation: Any) -> None:
    told = operation["responses"]
    assert {"400", "500", "503"} <= set(told)
    assert ("404" in told) or "{" not in path or "webhooks" in path
    assert ({"401", "403", "421"} <= set(told)) is ("webhooks" not in path)
    assert ("415" in told) is (method != "get" and "webhooks" not in path)
    assert ("413" in told) is ("requestBody" in operation)


def test_what_is_sent_once_or_to_one_version_says_so() -> None:
    def heeded(method: str, path: str) -> set[str]:
        parameters = document()["paths"][f"/api/v1{path}"][method]["parameters"]
        return {one["name"] for one in parameters if one["in"] == "header"}

    assert heeded("post", "/incidents") == {"From", "Idempotency-Key"}
    assert heeded("patch", "/incidents/{id}") == {"From", "If-Match"}
    assert heeded("get", "/incidents/{id}") == {"If-None-Match"}
    assert heeded("get", "/events") == {"Last-Event-ID"}
    assert "304" in document()["paths"]["/api/v1/incidents/{id}"]["get"]["responses"]


def test_every_kind_of_event_has_a_shape_in_it() -> None:
    assert set(DATA) == set(Type)
    assert {shape.__name__ for shape in DATA.values()} <= set(document()["components"]["schemas"])


def test_no_secret_is_an_answer() -> None:
    """What is taken as a secret is written only, and no shape that goes out has such a name.

    But for an API token, when it is made.
    """
    schemas = document()["components"]["schemas"]
    for secret in schemas["Credentials"]["properties"].values():
        (text, _) = secret["anyOf"]
        assert text["writeOnly"]
    for one in app.ROUTES:
        for shape in set(one.answers.values()) - {MadeToken}:
            fields = getattr(shape, "__annotations__", {})
            assert not {"credentials", "token", "webhook_secret"} & set(fields)


async def test_a_handler_that_reads_what_is_not_declared_is_a_bug() -> None:
    """So the document cannot say one model, and the server read by another."""

    async def handler(request: web.Request) -> web.Response:
        await read(request, NewRule)
        return web.Response()

    wrong = route.post("/x", handler, {200: None}, takes=NewNote, unaudited="it is none of ours")
    request = make_mocked_request("POST", "/x")
    with pytest.raises(AssertionError, match="is not declared to take it"):
        await wrong.serve(request)
