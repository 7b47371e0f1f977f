"""What comes in: bodies, validated by models, refused by name and value."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

import orjson
from aiohttp import web
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    StrictFloat,
    ValidationError,
)

from imsync.api.refusing import refusal
from imsync.api.route import ROUTE
from imsync.core.fields import Severity, Side, Status
from imsync.core.merge import Direction, Strategy
from imsync.errors import UserError
from imsync.store.tokens import Scope

M = TypeVar("M", bound=BaseModel)

LARGEST: Final = 262_144
"""Bytes of a body: people do not type more."""

_DEEPEST: Final = 8

Line = Annotated[str, Field(max_length=1_024)]
Text = Annotated[str, Field(max_length=65_000)]
Email = Annotated[str, Field(max_length=254)]

# What the flows hold to, with better words than a pattern has; the document tells it too.
_SAYS_SOMETHING: Final = {"pattern": r"\S"}
_SLUG: Final = {"pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}
_ADDRESS: Final = {"pattern": r"^([^\s@]+@[^\s@]+)?$"}
_URL: Final = {
    "pattern": r"^(https://[A-Za-z0-9.-]+|http://(localhost|127\.0\.0\.1|\[::1\]))(:[0-9]+)?(/\S*)?$"
}
_NAME: Final = "^[ -~]*[!-~][ -~]*$"
_SECRET: Final = {"pattern": _NAME}


def _never_null(schema: dict[str, Any]) -> None:
    """For a field where None means that it was not given: null itself is refused."""
    (inner,) = [one for one in schema.pop("anyOf") if one != {"type": "null"}]
    del schema["default"]
    schema.update(inner)


def _no_stand_in(value: object) -> object:
    if isinstance(value, str | bool):
        raise ValueError("it should be a number")
    return value


Whole = Annotated[int, BeforeValidator(_no_stand_in)]
Lifetime = Annotated[int, Field(ge=1, le=3_153_600_000), BeforeValidator(_no_stand_in)]
Title = Annotated[str, Field(max_length=8_192, json_schema_extra=_SAYS_SOMETHING)]
FilledLine = Annotated[Line, Field(json_schema_extra=_SAYS_SOMETHING)]
FilledText = Annotated[Text, Field(json_schema_extra=_SAYS_SOMETHING)]
Slug = Annotated[Line, Field(json_schema_extra=_SLUG)]
Url = Annotated[Line, Field(json_schema_extra=_URL)]
Address = Annotated[Email, Field(json_schema_extra=_ADDRESS)]
Secret = Annotated[SecretStr, Field(max_length=1_024, json_schema_extra=_SECRET)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewIncident(_Body):
    title: Title
    severity: Severity = Severity.SEV3
    description: Text | None = None
    status: Status = Status.OPEN
    assigned_to: Email | None = None
    escalation_policy: Line | None = None
    incident_type: Line | None = None
    organization_id: Line | None = None
    integration: Line | None = None


class IncidentChanges(_Body):
    title: Title | None = Field(default=None, json_schema_extra=_never_null)
    severity: Severity | None = Field(default=None, json_schema_extra=_never_null)
    description: Text | None = None
    status: Status | None = Field(default=None, json_schema_extra=_never_null)
    assigned_to: Email | None = None
    escalation_policy: Line | None = None
    incident_type: Line | None = None


class NewNote(_Body):
    text: FilledText


class NewLink(_Body):
    integration: Line
    external_id: FilledLine


class Credentials(_Body):
    token: Secret | None = None
    webhook_secret: Secret | None = None


class _IntegrationSettings(_Body):
    slug: Slug | None = None
    organization_id: Line | None = None
    base_url: Url | None = None
    credentials: Credentials = Credentials()
    sync_direction: Direction = Direction.BIDIRECTIONAL
    conflict_strategy: Strategy = Strategy.LAST_WRITE_WINS
    sync_escalations: StrictBool = False
    sync_notes: StrictBool = True
    rate_limit: Whole = Field(default=900, ge=1, le=100_000)
    backoff_multiplier: StrictFloat = Field(default=2.0, ge=1, le=100)
    from_email: Address | None = None
    default_service: Line | None = None
    enabled: StrictBool = True
    import_open: Literal["all", "mapped", "none"] = "none"


class NewIntegration(_IntegrationSettings):
    name: FilledLine
    integration_type: Literal["pagerduty"]


class IntegrationChanges(_IntegrationSettings):
    name: FilledLine = ""
    integration_type: Literal["pagerduty"] | None = None


class Installation(_Body):
    """How to install a webhook subscription. `public_url` null: the daemon's setting."""

    public_url: Line | None = None
    show_secret: StrictBool = False


class ConflictAnswer(_Body):
    """One of the two: a side's value as it is now, or another one."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["use"]}, {"required": ["value"]}]}
    )

    use: Side | None = Field(default=None, json_schema_extra=_never_null)
    value: Text | None = None


class Loser(_Body):
    """Whose value is to come back, where both sides' lost."""

    use: Side | None = Field(default=None, json_schema_extra=_never_null)


class NewMap(_Body):
    """What differs from the connector's own map: ours -> theirs, and theirs -> ours."""

    out: dict[Line, Line] = Field(default_factory=dict, max_length=100)
    back: dict[Line, Line] = Field(default_factory=dict, max_length=100, alias="in")


class NewServiceMapping(_Body):
    """`pd_service`: its id or its name; only its id where that is `unchecked`."""

    pd_service: FilledLine
    incident_type: FilledLine
    unchecked: StrictBool = False


class DriftAnswer(_Body):
    """`accept`: the next sweep may change very much at once."""

    accept: StrictBool = False


class NewBackup(_Body):
    """`path`: of a file that does not exist yet, on the daemon's host."""

    path: FilledLine


class NewToken(_Body):
    """`expires_in_s`: seconds for which it is good; null for ever."""

    name: Annotated[str, Field(max_length=100, json_schema_extra={"pattern": _NAME})]
    scope: Scope = Scope.WRITE
    expires_in_s: Lifetime | None = None


class NewRule(_Body):
    owner: Side
    priority: Whole = Field(default=0, ge=-1_000_000, le=1_000_000)
    strict: StrictBool = False


IN_TIME: Final = 30.0
"""Seconds in which a body has to arrive: whoever sends half of one holds nothing for ever."""


async def whole(request: web.Request) -> bytes:
    """The whole body. Raises UserError when it does not arrive whole."""
    try:
        async with asyncio.timeout(IN_TIME):
            return await request.read()
    except (web.RequestPayloadError, ConnectionError, TimeoutError):
        raise UserError(
            "the body is cut short, or is not encoded as its headers say",
            hint=f"all of it has to arrive within {IN_TIME:g} s",
        ) from None


async def read(request: web.Request, model: type[M]) -> M:
    """The body as this model, which is what the route is declared to take.

    Raises UserError, naming the field and the value that is wrong.
    """
    assert request[ROUTE].takes is model, f"{request.path} is not declared to take it"
    body = await whole(request)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UserError(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise UserError("the body is not a JSON object")
    if not _is_shallow(given):
        raise UserError(f"the body is nested deeper than {_DEEPEST} levels")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise refusal(error, model) from None


def _is_shallow(value: object) -> bool:
    """Whether it is nested no deeper than any body here; deeper ones cannot even be quoted."""
    inside = [value]
    for _ in range(_DEEPEST + 1):
        if not inside:
            return True
        inside = [
            each
            for one in inside
            if isinstance(one, dict | list)
            for each in (one.values() if isinstance(one, dict) else one)
        ]
    return False


def given(model: BaseModel, *, but: Sequence[str] = ()) -> dict[str, Any]:
    """Only what was given: a PATCH leaves the rest alone."""
    names = model.model_fields_set.difference(but)
    return {name: getattr(model, name) for name in type(model).model_fields if name in names}
