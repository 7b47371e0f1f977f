"""What an address says: query parameters, validated by models, and the names in paths."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, get_origin

from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from imsync.api.refusing import refusal
from imsync.connectors import TRANSLATIONS
from imsync.core.fields import Field as Synced
from imsync.core.fields import Instant, Severity, Status
from imsync.engine.forecast import PlanChanged
from imsync.errors import Clash, ImsyncError, NotFound, UserError, did_you_mean
from imsync.store.audit import NOUNS, Action

Q = TypeVar("Q", bound="Query")


def _digits(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 16):
        raise ValueError("give a whole number")
    return value


def _flag(value: object) -> object:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("give true or false")
    return value


def _given_out(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 16):
        raise ValueError("it was not given out as a next_cursor")
    return value


def _moment(value: object) -> int:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError("give a time with its zone, as 2026-11-03T12:00:00Z")
    return round(at.timestamp() * 1000)


def _action(value: str) -> str:
    if value not in (*NOUNS, *Action):
        noun = value.partition(".")[0]
        near = [one for one in Action if noun == one.partition(".")[0]] or NOUNS
        meant = f"{did_you_mean(value, near)} there are: {', '.join(near)}".strip()
        raise ValueError(f"nothing is called so; {meant}")
    return value


Number = Annotated[int, BeforeValidator(_digits)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Cursor = Annotated[
    int,
    Field(ge=0, le=10**15 - 1, description="`next_cursor` of the page before"),
    BeforeValidator(_given_out),
]
IntegrationName = Annotated[
    str, Field(min_length=1, description="an integration, by its id, slug or name")
]


Line = Annotated[str, Field(min_length=1)]
Moment = Annotated[
    Instant,
    BeforeValidator(_moment, json_schema_input_type=str),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]
AuditAction = Annotated[
    str, AfterValidator(_action), Field(json_schema_extra={"enum": [*NOUNS, *Action]})
]


class Query(BaseModel):
    """No query parameter at all. `fails`: what the parameters of a model can be refused with."""

    model_config = ConfigDict(extra="forbid")
    fails: ClassVar[tuple[type[ImsyncError], ...]] = ()


class Listing(Query):
    limit: Number = Field(default=50, ge=1, le=500, description="at most so many items")
    cursor: Cursor | None = None


class IncidentQuery(Listing):
    fails = (NotFound, Clash)
    status: list[Status] = Field(default=[], description="any of these")
    severity: list[Severity] = Field(default=[], description="any of these")
    integration: IntegrationName | None = None
    organization_id: str | None = None


class ConflictQuery(Listing):
    fails = (NotFound, Clash)
    status: list[Literal["pending", "resolved", "ignored"]] = Field(
        default=[], description="any of these"
    )
    integration: IntegrationName | None = None
    incident: str | None = Field(default=None, description="an incident's id")


class LinkQuery(Listing):
    fails = (NotFound,)
    incident: Line | None = Field(default=None, description="an incident's id")
    external_id: Line | None = Field(default=None, description="its id there")
    state: list[Literal["creating", "linked", "gone"]] = Field(
        default=[], description="any of these"
    )
    field_state: list[Literal["pending", "held", "blocked"]] = Field(
        default=[], description="with a field that is any of these"
    )


class ExplainQuery(Query):
    fails = (NotFound, Clash)
    integration: IntegrationName | None = None


class EventQuery(Query):
    fails = (NotFound, Clash)
    integration: IntegrationName | None = None
    incident: str | None = Field(default=None, description="an incident's id")


class AuditQuery(Listing):
    since: Moment | None = Field(default=None, description="the first moment (RFC 3339)")
    until: Moment | None = Field(default=None, description="the first moment after (RFC 3339)")
    actor: Line | None = Field(
        default=None, description="who did it, by name or id, or who they said they were"
    )
    action: list[AuditAction] = Field(
        default=[], description="any of these: a whole action, or only its noun"
    )
    subject: Line | None = Field(
        default=None, description="what it was done to, by its id or by its name then"
    )


class OncallQuery(Query):
    """One of the two."""

    fails = (NotFound, Clash)
    schedule_id: Line | None = Field(default=None, description="a schedule, by its id there")
    escalation_policy: Line | None = Field(default=None, description="a policy, by name or id")


class ChangeQuery(Query):
    fails = (PlanChanged,)
    dry_run: Flag = Field(default=False, description="only say what would come of it")
    plan: str | None = Field(
        default=None, description="the id of a dry run: do just that, or nothing"
    )


ASKED: Final = web.RequestKey("asked", Query)


def read_query(request: web.Request, model: type[Q]) -> Q:
    """The query as this model. Raises UserError, naming the parameter and the value."""
    given: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        field = model.model_fields.get(name)
        if field is None:
            there = ", ".join(model.model_fields)
            raise UserError(
                f"{name!r} is not a query parameter here",
                hint=f"there are: {there}" if there else "there are none",
            )
        if get_origin(field.annotation) is list:
            given[name] = [word for value in values for word in value.split(",")]
        elif len(values) > 1:
            raise UserError(f"{name} is given {len(values)} times", hint="give it once")
        else:
            given[name] = values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise refusal(error, model) from None


def asked(request: web.Request, model: type[Q]) -> Q:
    """The query of this request, which its route has had read as this model."""
    found = request[ASKED]
    assert isinstance(found, model), f"{request.path} is not declared to ask {model.__name__}"
    return found


def limit_of(request: web.Request) -> int:
    return asked(request, Listing).limit


def cursor_of(request: web.Request) -> int | None:
    """Where the page before this one ended."""
    return asked(request, Listing).cursor


def field_of(request: web.Request) -> Synced:
    """The field that the path names. Raises NotFound, listing those there are."""
    name = request.match_info["field"]
    if name not in list(Synced):
        hint = f"{did_you_mean(name, Synced)} there are: {', '.join(Synced)}".strip()
        raise NotFound(f"there is no field {name!r}", hint=hint)
    return Synced(name)


@dataclass(frozen=True, slots=True)
class PathName:
    """A name in a path: what it looks like, and what it can be refused with."""

    schema: dict[str, Any]
    says: str
    fails: tuple[type[ImsyncError], ...] = (NotFound,)


def _id(head: str, says: str) -> PathName:
    pattern = f"^{head}[0-9]{{1,15}}$"
    return PathName({"type": "string", "pattern": pattern}, says)


_MAPS: Final = sorted({name for one in TRANSLATIONS.values() for name in one.customizable})

PATHS: Final = {
    "incidents": _id("[Ii][Nn][Cc]-", "an incident, for example `INC-1`"),
    "conflicts": _id("cfl_", "a conflict, for example `cfl_1`"),
    "dead-letters": _id("dlq_", "a dead letter, for example `dlq_1`"),
    "service-mappings": _id("map_", "a service mapping, for example `map_1`"),
    "integrations": PathName(
        {"type": "string", "minLength": 1},
        "an integration, by its id, slug or name: `prod-pd`",
        (NotFound, Clash),
    ),
    "field-ownership": PathName({"enum": [*Synced]}, "a field"),
    "explain": PathName({"enum": [*Synced]}, "a field"),
    "maps": PathName({"enum": _MAPS}, "a map of values"),
    "links": PathName(
        {"type": "string", "minLength": 1},
        "the integration in which it is linked, by its id, slug or name",
        (NotFound, Clash),
    ),
    "tokens": PathName({"type": "string", "minLength": 1}, "a token, by its id or name"),
    "webhooks": PathName({"type": "string", "minLength": 1}, "an integration, by its id alone", ()),
}
"""What stands in a path after each of these words."""
