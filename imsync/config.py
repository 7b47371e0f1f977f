"""config.toml and IMSYNC_* -> Settings: each key, its default, its meaning.

`config.example.toml` shows every key; a test keeps the two the same.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field as Key
from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from imsync.errors import UserError

PREFIX: Final = "IMSYNC_"

_OTHERS: Final = frozenset({"IMSYNC_CONFIG", "IMSYNC_URL", "IMSYNC_TOKEN", "IMSYNC_AS"})
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
    database: Path = Key(default_factory=default_database, description="the SQLite database file")
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
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("give a web address, for example https://incidents.example.com")
        return value.rstrip("/") if value else None

    @field_validator("socket", "database")
    @classmethod
    def _may_be_at_home(cls, value: Path) -> Path:
        try:
            return value.expanduser()
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

    Raises BadSetting, naming the key, the value and what would do.
    """
    found = path or _first_of_the_usual(environ)
    values = _read(found) if found else {}
    where = str(found) if found else "the environment"
    known = Settings.model_fields.keys()
    for key in values:
        if key not in known:
            raise BadSetting(f"{where}: {key!r} is no setting", hint=_known_keys())
    for name in environ:
        spelled = name.upper()  # pydantic-settings takes them in any case
        key = spelled.removeprefix(PREFIX).lower()
        if spelled.startswith(PREFIX) and spelled not in _OTHERS and key not in known:
            raise BadSetting(f"{name} is no setting", hint=_known_keys())
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        says = first["msg"].removeprefix("Value error, ")
        variable = f"{PREFIX}{key.upper()}"
        source = variable if variable in environ else f"{where}: {key}"
        raise BadSetting(f"{source} = {first['input']!r}: {says}") from None


def _known_keys() -> str:
    return f"there are: {', '.join(sorted(Settings.model_fields))}"


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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} is not TOML: {error}") from None
