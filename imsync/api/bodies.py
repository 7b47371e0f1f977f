"""What comes in: bodies and queries, validated by models, refused by name and value."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from imsync.core.fields import Field as Synced
from imsync.core.fields import Severity, Side, Status
from imsync.core.merge import Direction, Strategy
from imsync.errors import NotFound, UserError, did_you_mean

M = TypeVar("M", bound=BaseModel)

LARGEST: Final = 262_144
"""Bytes of a body: PagerDuty drops webhooks beyond that, and people do not type more."""

Line = Annotated[str, Field(max_length=1_024)]
Text = Annotated[str, Field(max_length=65_000)]
Email = Annotated[str, Field(max_length=254)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewIncident(_Body):
    title: Line
    severity: Severity = Severity.SEV3
    description: Text | None = None
    status: Status = Status.OPEN
    assigned_to: Email | None = None
    escalation_policy: Line | None = None
    incident_type: Line | None = None
    organization_id: Line | None = None
    integration: Line | None = None


class IncidentChanges(_Body):
    title: Line | None = None
    severity: Severity | None = None
    description: Text | None = None
    status: Status | None = None
    assigned_to: Email | None = None
    escalation_policy: Line | None = None
    incident_type: Line | None = None


class NewNote(_Body):
    text: Text


class NewLink(_Body):
    integration: Line
    external_id: Line


class Credentials(_Body):
    token: SecretStr | None = None
    webhook_secret: SecretStr | None = None


class _IntegrationSettings(_Body):
    slug: Line | None = None
    organization_id: Line | None = None
    base_url: Line | None = None
    credentials: Credentials = Credentials()
    sync_direction: Direction = Direction.BIDIRECTIONAL
    conflict_strategy: Strategy = Strategy.LAST_WRITE_WINS
    sync_escalations: bool = False
    sync_notes: bool = True
    rate_limit: int = Field(default=900, ge=1, le=100_000)
    backoff_multiplier: float = Field(default=2.0, ge=1, le=100)
    from_email: Email | None = None
    default_service: Line | None = None
    enabled: bool = True
    import_open: Literal["all", "mapped", "none"] = "none"


class NewIntegration(_IntegrationSettings):
    name: Line
    integration_type: Literal["pagerduty"]


class IntegrationChanges(_IntegrationSettings):
    name: Line = ""
    integration_type: Literal["pagerduty"] | None = None


class Installation(_Body):
    """How to install a webhook subscription. `public_url` null: the daemon's setting."""

    public_url: Line | None = None
    show_secret: bool = False


class ConflictAnswer(_Body):
    """One of the two: a side's value as it is now, or another one."""

    use: Side | None = None
    value: Text | None = None


class NewMap(_Body):
    """What differs from the connector's own map: ours -> theirs, and theirs -> ours."""

    out: dict[Line, Line] = Field(default_factory=dict, max_length=100)
    back: dict[Line, Line] = Field(default_factory=dict, max_length=100, alias="in")


class NewServiceMapping(_Body):
    pd_service: Line
    incident_type: Line


class DriftAnswer(_Body):
    """`accept`: the next sweep may change very much at once."""

    accept: bool = False


class NewRule(_Body):
    owner: Side
    priority: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    strict: bool = False


async def read(request: web.Request, model: type[M]) -> M:
    """The body as this model. Raises UserError, naming the field and the value that is wrong."""
    body = await request.read()
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UserError(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise UserError("the body is not a JSON object")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # A name that is misspelt explains the one that is missing.
        first = min(errors, key=lambda one: one["type"] != "extra_forbidden")
        raise UserError(_says(first, model), hint=_takes(first, model)) from None


def given(model: BaseModel, *, but: Sequence[str] = ()) -> dict[str, Any]:
    """Only what was given: a PATCH leaves the rest alone."""
    return {name: getattr(model, name) for name in model.model_fields_set if name not in but}


def _says(first: ErrorDetails, model: type[BaseModel]) -> str:
    name = ".".join(str(part) for part in first["loc"]) or model.__name__
    match first["type"]:
        case "extra_forbidden":
            return f"{name!r} is none of the fields that can be set"
        case "missing":
            return f"{name!r} is missing"
        case "enum" | "literal_error":
            takes = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
            return f"{name} {first['input']!r} is not one of {takes}"
        case _ if "credentials" in first["loc"]:
            return f"{name}: {first['msg']}"  # and not a word of what was sent
        case _:
            value = str(first["input"])
            return f"{name}: {first['msg']} (it is {value[:60]!r})"


def _takes(first: ErrorDetails, model: type[BaseModel]) -> str:
    if first["type"] != "extra_forbidden":
        return ""
    inside = Credentials if first["loc"][0] == "credentials" else model
    known = inside.model_fields
    return f"{did_you_mean(str(first['loc'][-1]), known)} there are: {', '.join(known)}".strip()


def limit_of(request: web.Request) -> int:
    """`limit`, 1 to 500; 50 when it is not given. Raises UserError."""
    value = request.query.get("limit", "50")
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= 500):
        raise UserError(f"limit {value!r} is not a number from 1 to 500")
    return int(value)


def cursor_of(request: web.Request) -> int | None:
    """Where the page before this one ended. Raises UserError."""
    value = request.query.get("cursor")
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise UserError(f"cursor {value!r} is none that was given out", hint="use next_cursor")
    return int(value)


def words_of(request: web.Request, name: str, choices: Sequence[str]) -> list[str]:
    """A filter, given several times or with commas between. Raises UserError."""
    words = [word for one in request.query.getall(name, []) for word in one.split(",")]
    for word in words:
        if word not in choices:
            raise UserError(f"{name} {word!r} is not one of {', '.join(choices)}")
    return words


def field_of(request: web.Request) -> Synced:
    """The field that the path names. Raises NotFound, listing those there are."""
    name = request.match_info["field"]
    if name not in list(Synced):
        hint = f"{did_you_mean(name, Synced)} there are: {', '.join(Synced)}".strip()
        raise NotFound(f"there is no field {name!r}", hint=hint)
    return Synced(name)


def flag_of(request: web.Request, name: str) -> bool:
    """A query parameter that is true or false; false when it is not given. Raises UserError."""
    value = request.query.get(name, "false")
    if value not in ("true", "false"):
        raise UserError(f"{name} {value!r} is neither true nor false")
    return value == "true"


def actor_of(request: web.Request) -> str | None:
    """Who makes the edit: the From header, an e-mail (RFC 9110 §10.1.2). Raises UserError."""
    value = request.headers.get("From")
    if value is None:
        return None
    if "@" not in value or len(value) > 254 or not value.isprintable():
        raise UserError(f"From {value[:60]!r} is no e-mail address")
    return value.strip()


def version_of(request: web.Request) -> int | None:
    """The version that If-Match asks for (RFC 9110 §13.1.1); None for any. Raises UserError."""
    value = request.headers.get("If-Match")
    if value is None or value.strip() == "*":
        return None
    tag = value.strip().removeprefix("W/").strip('"')
    if not (tag.isascii() and tag.isdigit() and len(tag) < 16):
        raise UserError(f"If-Match {value[:60]!r} is no ETag of ours", hint="use the ETag of GET")
    return int(tag)
