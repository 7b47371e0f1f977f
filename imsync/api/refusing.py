"""Telling people what does not fit a model: the name, the value, and what would fit."""

from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from imsync.errors import UserError, did_you_mean

_LONGEST: Final = 60


def refusal(error: ValidationError, model: type[BaseModel]) -> UserError:
    """The first thing that is wrong, and a hint where one helps. Tells nothing of credentials."""
    errors = error.errors(include_url=False)
    # A name that is misspelt explains the one that is missing.
    first = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    return UserError(_says(first, model), hint=_takes(first, model))


def _says(first: ErrorDetails, model: type[BaseModel]) -> str:
    parts = [part for part in first["loc"] if isinstance(part, str)]
    name = cut(".".join(parts)) or model.__name__
    match first["type"]:
        case "extra_forbidden":
            return f"{name!r} is not a field that can be set"
        case "missing":
            return f"{name!r} is missing"
        case "enum" | "literal_error":
            takes = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
            return f"{name} {cut(repr(first['input']))} is not one of {takes}"
        case _ if "credentials" in first["loc"]:
            return f"{name}: {first['msg']}"  # and not a word of what was sent
        case _:
            value = cut(str(first["input"]))
            return f"{name}: {first['msg'].removeprefix('Value error, ')} (it is {value!r})"


def cut(text: str) -> str:
    """What somebody has sent, cut to what anybody reads."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _takes(first: ErrorDetails, model: type[BaseModel]) -> str:
    if first["type"] != "extra_forbidden":
        return ""
    inside: type[BaseModel] = model
    for part in first["loc"][:-1]:
        found = inside.model_fields[str(part)].annotation
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            return ""
        inside = found
    known = inside.model_fields
    return f"{did_you_mean(str(first['loc'][-1]), known)} there are: {', '.join(known)}".strip()
