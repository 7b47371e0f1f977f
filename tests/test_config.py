"""Settings: each key documented, the environment over the file, every mistake named."""

import re
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import PydanticUndefined

from imsync.config import BadSetting, Settings, load

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"


def test_the_example_holds_every_key_with_its_default_and_a_line_of_meaning() -> None:
    lines = EXAMPLE.read_text().splitlines()
    shown = {
        match[1]: at
        for at, line in enumerate(lines)
        if (match := re.match(r"(?:# )?(\w+) = ", line))
    }
    assert shown.keys() == Settings.model_fields.keys()
    set_there = tomllib.loads("\n".join(lines))
    for name, at in shown.items():
        field = Settings.model_fields[name]
        assert field.description
        assert field.description in lines[at - 1], f"{name}: the example says something else"
        if field.default is PydanticUndefined or field.default is None:
            assert lines[at].startswith("# "), f"{name} has no fixed default to show"
        else:
            assert set_there[name] == field.default


def test_the_example_is_good_as_it_is() -> None:
    assert load(EXAMPLE, {}).listen == "127.0.0.1:8080"


def test_the_environment_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text('listen = "127.0.0.1:1"\nmax_attempts = 3\n')
    monkeypatch.setenv("IMSYNC_MAX_ATTEMPTS", "4")
    settings = load(file, {"IMSYNC_MAX_ATTEMPTS": "4"})
    assert (settings.host_and_port, settings.max_attempts) == (("127.0.0.1", 1), 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('lisen = "127.0.0.1:1"', ["lisen", "is not a setting"]),
        ('listen = "8080"', ["listen", "'8080'", "host:port"]),
        ("max_attempts = 0", ["max_attempts", "0", "greater than or equal to 1"]),
        ('log_level = "loud"', ["log_level", "'loud'", "debug"]),
        ('public_url = "incidents.example.com"', ["public_url", "https://"]),
        ('public_url = "https://"', ["public_url", "web address"]),
        ('public_url = "https://[::1"', ["public_url", "web address"]),
        ("listen = 8080", ["listen", "8080"]),
        ("drift_interval = nan", ["drift_interval", "nan", "less than or equal to 86400"]),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, says: list[str]) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(BadSetting) as caught:
        load(file, {})
    for words in [str(file), *says]:
        assert words in str(caught.value)


def test_a_misspelt_variable_is_named_with_what_there_is() -> None:
    with pytest.raises(BadSetting, match="IMSYNC_LISEN is not a setting") as caught:
        load(EXAMPLE, {"IMSYNC_LISEN": "x"})
    assert "listen" in caught.value.hint


def test_every_mistake_is_named_at_once_and_the_nearest_key(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('lisen = "x"\nxyzzy = 1\nmax_attempts = 0\ndrift_interval = "often"\n')
    with pytest.raises(BadSetting) as caught:
        load(file, {"IMSYNC_DATABSE": "x", "imsync_log_lvl": "info", "IMSYNC_XYZZY": "1"})
    lines = str(caught.value).splitlines()
    assert lines[:5] == [
        f"{file}: 'lisen' is not a setting; did you mean listen?",
        f"{file}: 'xyzzy' is not a setting",
        "IMSYNC_DATABSE is not a setting; did you mean IMSYNC_DATABASE?",
        "imsync_log_lvl is not a setting; did you mean IMSYNC_LOG_LEVEL?",
        "IMSYNC_XYZZY is not a setting",
    ]
    assert [line.partition(": should be")[0] for line in lines[5:]] == [
        f"{file}: drift_interval = 'often'",
        f"{file}: max_attempts = 0",
    ]


def test_a_bad_value_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMSYNC_DRIFT_INTERVAL", "often")
    with pytest.raises(BadSetting, match="IMSYNC_DRIFT_INTERVAL = 'often'"):
        load(EXAMPLE, {"IMSYNC_DRIFT_INTERVAL": "often"})


def test_a_variable_is_misspelt_in_any_case() -> None:
    with pytest.raises(BadSetting, match="imsync_lisen is not a setting"):
        load(EXAMPLE, {"imsync_lisen": "x"})


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    for path, environ in (
        (tmp_path / name, dict[str, str]()),
        (None, {"IMSYNC_CONFIG": str(tmp_path / name)}),
    ):
        with pytest.raises(BadSetting, match="cannot read") as caught:
            load(path, environ)
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    "text", [b"listen = ", b'listen = "\xff"', b"\x00", b"[listen", b"x = 1\nx = 2"]
)
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text)
    with pytest.raises(BadSetting, match="is not TOML") as caught:
        load(file, {})
    assert str(file) in str(caught.value)


def test_the_first_of_the_usual_files_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert load(None, environ).max_attempts == 12
    (tmp_path / "config" / "imsync").mkdir(parents=True)
    (tmp_path / "config" / "imsync" / "config.toml").write_text("max_attempts = 2")
    assert load(None, environ).max_attempts == 2
    (tmp_path / "config.toml").write_text("max_attempts = 3")
    assert load(None, environ).max_attempts == 3
    (tmp_path / "named.toml").write_text("max_attempts = 4")
    assert load(None, environ | {"IMSYNC_CONFIG": "named.toml"}).max_attempts == 4


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "config.toml"
    file.write_text('database = "~/imsync.db"\nsocket = "~/im.sock"')
    settings = load(file, {})
    assert (settings.database, settings.socket) == (tmp_path / "imsync.db", tmp_path / "im.sock")
    file.write_text('database = "~nobody-of-that-name/imsync.db"')
    with pytest.raises(BadSetting, match=r"database = '~nobody-of-that-name/imsync.db'"):
        load(file, {})


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("[::1]:8080", "::1", 8080),
        ("localhost:0", "localhost", 0),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
    ],
)
def test_listen_is_a_host_and_a_port(tmp_path: Path, listen: str, host: str, port: int) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'listen = "{listen}"')
    assert load(file, {}).host_and_port == (host, port)


@pytest.mark.parametrize("listen", ["", "8080", ":8080", "localhost:", "localhost:x", "h:65536"])
def test_what_is_no_host_and_port_is_told_what_would_do(tmp_path: Path, listen: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'listen = "{listen}"')
    with pytest.raises(BadSetting, match=r"for example 127.0.0.1:8080"):
        load(file, {})


def test_what_is_meant_for_im_is_no_mistake() -> None:
    load(EXAMPLE, {"IMSYNC_URL": "x", "IMSYNC_AS": "a@b", "IMSYNC_TOKEN": "t"})


def outcome(file: Path, environ: dict[str, str]) -> Settings | BadSetting:
    try:
        return load(file, environ)
    except BadSetting as error:
        return error


LITERALS = (
    *("0", "-1", "1e9", "nan", "inf", "true", '""', '"x"', '"a:99999"', '":1"', '"[::1]:0"', "[]"),
    *('"http://"', '"https://x/"', '"~nobody/x"', '"\\u0000"', "1979-05-27", "{}", "9" * 30),
    "[" * 400 + "]" * 400,
)
KEYS = [*Settings.model_fields, "nonsense", '"a b"', "listen.x"]


@given(
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(LITERALS)), max_size=4).map(
        lambda pairs: "\n".join(f"{key} = {value}" for key, value in pairs).encode()
    )
    | st.binary(max_size=60)
)
@example(b"listen = " + b"[" * 100_000)
def test_a_file_of_any_kind_is_settings_or_names_what_is_wrong(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "config.toml")
        file.write_bytes(content)
        found = outcome(file, {})
    if isinstance(found, Settings):
        assert 0 <= found.host_and_port[1] <= 65_535
    else:
        assert str(file) in str(found)


@given(st.dictionaries(st.sampled_from([*Settings.model_fields, "LISTN"]), st.text(max_size=20)))
def test_variables_of_any_kind_are_settings_or_named(given: dict[str, str]) -> None:
    environ = {f"IMSYNC_{key.upper()}": value for key, value in given.items() if "\0" not in value}
    environ = {key: value.encode(errors="replace").decode() for key, value in environ.items()}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        found = outcome(EXAMPLE, environ)
    assert isinstance(found, Settings) or "IMSYNC_" in str(found)
