"""Which daemon is meant, and who asks."""

from collections.abc import Mapping
from pathlib import Path

import asyncclick as click
import pytest

from imsync.cli.remote import Remote
from imsync.cli.session import Session, default_socket
from imsync.cli.wire import UnixSocket


def where(env: Mapping[str, str], **options: str) -> str:
    session = Session()
    for name, value in options.items():
        setattr(session, name, value)
    return session.daemon(env).transport.where


def test_the_socket_is_the_users_own_unless_somebody_says_otherwise() -> None:
    assert default_socket({"XDG_RUNTIME_DIR": "/run/user/7"}) == "/run/user/7/imsync.sock"
    assert default_socket({}, uid=7) == "/tmp/imsync-7/imsync.sock"
    assert default_socket({"XDG_RUNTIME_DIR": ""}, uid=7) == "/tmp/imsync-7/imsync.sock"


def test_options_come_before_the_environment_and_it_before_the_default() -> None:
    both = {"IMSYNC_SOCKET": "/env", "IMSYNC_URL": "http://env", "XDG_RUNTIME_DIR": "/run"}
    assert where({"XDG_RUNTIME_DIR": "/run"}) == "/run/imsync.sock"
    assert where({"IMSYNC_SOCKET": "/env"}) == "/env"
    assert where(both) == "http://env"
    assert where(both, socket="/option") == "/option"
    assert where(both, url="https://option") == "https://option"


def test_a_url_is_shown_without_the_password_in_it() -> None:
    assert where({"IMSYNC_URL": "https://ada:secret@host:1/x"}) == "https://host:1/x"


@pytest.mark.parametrize(
    "options",
    [
        {"socket": "/a", "url": "http://b"},
        {"url": "host:8080"},
        {"url": "http://host", "token": "a\r\nX-Evil: 1"},
        {"by": "ada"},
        {"by": "ada@example.com\r\nX-Evil: 1"},
        {"by": "ada@example.com, bob@example.com"},
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(options: dict[str, str]) -> None:
    with pytest.raises(click.UsageError):
        where({}, **options)


def test_the_environment_says_who_asks_unless_an_option_does() -> None:
    env = {"IMSYNC_AS": "env@example.com"}
    assert Session().daemon(env).by == "env@example.com"
    assert Session(by="ada@example.com").daemon(env).by == "ada@example.com"
    assert isinstance(Session().daemon({}).transport, UnixSocket)


def test_a_token_may_come_from_a_file_which_the_list_of_processes_does_not_show(
    tmp_path: Path,
) -> None:
    file = tmp_path / "token"
    file.write_text("imt_of_the_file\n")
    found = Session(url="http://host", token_file=str(file)).daemon({"IMSYNC_TOKEN": "of_the_env"})
    assert isinstance(found.transport, Remote)
    assert found.transport.token == "imt_of_the_file"
    both = Session(url="http://host", token="x", token_file=str(file))
    with pytest.raises(click.UsageError, match="say it twice"):
        both.daemon({})
    assert "imt_of_the_file" not in repr(found)


@pytest.mark.parametrize(
    ("env", "socket", "shared"),
    [
        ({}, "", True),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "", False),
        ({"IMSYNC_SOCKET": "/run/imsync.sock"}, "", False),
        ({}, "/run/imsync.sock", False),
    ],
)
def test_where_anybody_could_have_been_first_the_folder_must_be_ones_own(
    env: dict[str, str], socket: str, shared: bool
) -> None:
    transport = Session(socket=socket).daemon(env).transport
    assert isinstance(transport, UnixSocket)
    assert transport.must_be_ours is shared
