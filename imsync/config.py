"""config.toml and IMSYNC_* -> Settings: each key, its default, its meaning.

`config.example.toml` shows every key; a test keeps the two the same.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field as Key
from pydantic import ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from imsync.errors import UserError, did_you_mean

PREFIX: Final = "IMSYNC_"

_SECRET: Final = frozenset({"IMSYNC_KEY"})
"""Read by store/keys.py: what is a secret is in no settings, which are shown and quoted."""

_OTHERS: Final = _SECRET | {"IMSYNC_CONFIG", "IMSYNC_URL", "IMSYNC_TOKEN", "IMSYNC_AS"}
"""IMSYNC_* variables that are not settings of the daemon: where they are, and `im`'s own."""


class BadSetting(UserError):
    """A setting that cannot be: the message names the key and the value."""

    code = "bad_setting"


def default_socket() -> Path:
    """Where `im` looks too: the user's runtime folder, or a private one of ours."""
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime, "imsync.sock")
    # The daemon makes this folder private and refuses one that is somebody else's.
    return Path(f"/tmp/imsync-{os.getuid()}/imsync.sock")  # noqa: S108


def default_database() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "imsync", "imsync.db")


class Settings(BaseSettings):
    """Everything that can be set about a daemon. Every key is also an IMSYNC_ variable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid")

    listen: str = Key("127.0.0.1:8080", description="host:port of the HTTP API and the webhooks")
    socket: Path = Key(
        default_factory=default_socket, description="the unix socket that `im` speaks to"
    )
    socket_group: str | None = Key(
        None, description="a group whose members may use the unix socket too"
    )
    database: Path = Key(default_factory=default_database, description="the SQLite database file")
    key_file: Path | None = Key(
        None,
        description="the file of the key that seals tokens and secrets (the database's, + .key)",
    )
    public_url: str | None = Key(
        None, description="how PagerDuty reaches this daemon, through the reverse proxy"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Key(
        "info", description="how much is logged"
    )
    log_format: Literal["text", "json"] = Key(
        "text", description="text for people, json for machines"
    )
    drift_interval: float = Key(
        60, ge=1, le=86_400, description="seconds between looks at who edited what there"
    )
    sweep_interval: float = Key(
        300, ge=1, le=86_400, description="seconds between looks at everything that is open there"
    )
    rate_limit_share: float = Key(
        0.5, gt=0, le=1, description="how much of an integration's rate limit may go into looking"
    )
    max_attempts: int = Key(
        12, ge=1, le=100, description="tries before a write or a delivery becomes a dead letter"
    )
    retention: int = Key(
        90 * 86_400,
        ge=3 * 86_400,
        le=3_650 * 86_400,
        description="seconds that history is kept which nothing needs any more",
    )

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65_535:
            raise ValueError("give host:port, for example 127.0.0.1:8080")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_a_web_address(cls, value: str | None) -> str | None:
        if not value:
            return None
        try:
            host = urlsplit(value).hostname
        except ValueError:
            host = None
        if not host or not value.startswith(("https://", "http://")):
            raise ValueError("give a web address, for example https://incidents.example.com")
        return value.rstrip("/")

    @field_validator("socket", "database", "key_file")
    @classmethod
    def _may_be_at_home(cls, value: Path | None) -> Path | None:
        try:
            return value and value.expanduser()
        except RuntimeError:
            raise ValueError("nobody has that home folder; give the whole path") from None

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over the file."""
        return env_settings, init_settings


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of this file (or of the first of the usual places) and the environment.

    Raises BadSetting: a line for everything that is wrong, with the key, the value and what
    would do.
    """
    found = file_of(path, environ)
    values = _read(found) if found else {}
    problems = [
        f"{found}: {key!r} is not a setting{_meant(key, Settings.model_fields)}"
        for key in values
        if key not in Settings.model_fields
    ]
    problems += [
        f"{name} is not a setting{_meant(name[len(PREFIX) :], _variables(), prefix=PREFIX)}"
        for name in environ
        if name.upper().startswith(PREFIX) and name.upper() not in _variables()
    ]
    hint = f"there are: {', '.join(sorted(Settings.model_fields))}" if problems else ""
    settings = None
    try:
        settings = Settings(**{k: v for k, v in values.items() if k in Settings.model_fields})
    except ValidationError as error:
        told = {name.upper(): name for name in environ}
        problems += [_says(one, found, told) for one in error.errors(include_url=False)]
    if settings is None or problems:
        raise BadSetting("\n".join(problems), hint=hint)
    return settings


def _says(error: ErrorDetails, file: Path | None, told: Mapping[str, str]) -> str:
    """What is wrong with one value, and where it came from: the environment goes first."""
    key = str(error["loc"][0])
    variable = told.get(f"{PREFIX}{key}".upper())
    says = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{variable or f'{file}: {key}'} = {error['input']!r}: {says}"


def _meant(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Compared without the prefix, which would make all of them alike."""
    meant = did_you_mean(name, [one.removeprefix(prefix) for one in known])
    return f"; {meant.replace('mean ', f'mean {prefix}')}" if meant else ""


def _variables() -> set[str]:
    return {f"{PREFIX}{key}".upper() for key in Settings.model_fields} | _OTHERS


def file_of(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that the settings are read from: this one, or the first of the usual places."""
    return path or _first_of_the_usual(environ)


def variables_of(environ: Mapping[str, str]) -> list[str]:
    """The variables that set something, as they are spelled there."""
    return sorted(name for name in environ if name.upper() in _variables() - _OTHERS | _SECRET)


def _first_of_the_usual(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get(f"{PREFIX}CONFIG"):
        return Path(named)
    config_home = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    usual = Path("config.toml"), config_home / "imsync/config.toml", Path("/etc/imsync/config.toml")
    return next((one for one in usual if one.is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise BadSetting(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSetting(f"{path} is not TOML: {error}") from None
