"""Starting and stopping: what is refused is refused in one line, what is made is private."""

import grp
import os
import resource
import signal
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.world import BIN, World, answered, eventually, free_port


def one_line(said: str) -> str:
    assert "Traceback" not in said
    first, *rest = said.strip().splitlines()
    assert all(line.startswith("hint: ") for line in rest), said
    return first


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_it_makes_is_its_owners_alone(world: World) -> None:
    """Also folders on the way, and a copy; and however careless whoever starts it is."""
    data = world.folder / "of" / "its" / "data"
    world.environment["IMSYNC_DATABASE"] = str(data / "im.db")
    world.start(launcher=("sh", "-c", 'umask 000; exec "$0" "$@"', BIN / "imsyncd"))
    assert world.im("backup", str(data / "copy.db")).returncode == 0
    made = {world.folder / "of", world.folder / "run"}
    made |= {inside for folder in made for inside in folder.rglob("*")}
    assert {"im.sock", "im.db", "im.db-wal", "im.db-shm", "im.db.lock", "im.db.key"} <= {
        one.name for one in made
    }
    for one in made:
        assert mode(one) == (0o700 if one.is_dir() else 0o600), one


def test_a_crash_leaves_no_memory_behind(world: World) -> None:
    world.start()
    assert world.daemon is not None
    assert resource.prlimit(world.daemon.pid, resource.RLIMIT_CORE) == (0, 0)


def test_sigterm_ends_it_in_peace(world: World) -> None:
    world.start("--sandbox")
    world.json("declare", "--sev", "SEV-2", "--title", "In mid-write")
    assert world.stop() == 0
    assert not (world.folder / "run" / "im.sock").exists()
    world.start("--sandbox")
    world.use_inner_sandbox()
    eventually(lambda: len(world.all_there()), 1, "how many stand there")


def test_the_end_of_its_terminal_is_an_end_in_peace_but_for_nohup(world: World) -> None:
    world.start()
    assert world.stop_by(signal.SIGHUP) == 0
    assert not (world.folder / "run" / "im.sock").exists()
    world.start(launcher=("nohup", BIN / "imsyncd"))
    assert world.daemon is not None
    world.daemon.send_signal(signal.SIGHUP)
    assert world.stop() == 0, "SIGHUP would have come first"


def test_another_ctrl_c_does_not_wait_for_anybody(world: World) -> None:
    world.start_pagerduty()
    world.start()
    world.connect()
    world.json("declare", "--sev", "SEV-2", "--title", "In mid-write")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    slow = {"api_slow": 1.0, "api_slow_ms": 20_000}
    answered("PUT", f"{world.sandbox['url']}/_sandbox/faults", slow)
    world.json("incident", "update", "INC-1", "--title", "Slow")
    there = f"{world.sandbox['url']}/_sandbox/as/pagerduty/incidents/{world.external_id()}"
    eventually(lambda: answered("GET", there)["incident"]["title"], "Slow", "the title there")
    assert world.daemon is not None
    world.daemon.send_signal(signal.SIGINT)
    eventually(lambda: "stopping" in world.log.read_text(), True, "whether it stops")
    assert world.stop_by(signal.SIGINT) == -signal.SIGINT


def test_a_second_daemon_is_refused_naming_the_first(world: World) -> None:
    world.start()
    status, said = world.refused(IMSYNC_SOCKET=str(world.folder / "other.sock"))
    assert world.daemon is not None
    assert status == 1
    assert f"process id {world.daemon.pid}" in one_line(said)


def test_a_socket_left_behind_is_replaced_and_a_live_one_is_not(world: World) -> None:
    world.start()
    other = str(world.folder / "other" / "im.db")
    status, said = world.refused(IMSYNC_DATABASE=other)
    assert (status, "another imsyncd listens on" in one_line(said)) == (1, True)
    world.kill()
    assert (world.folder / "run" / "im.sock").exists()
    world.start()
    assert world.im("status").returncode == 0


def test_a_port_that_is_taken(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        status, said = world.refused(IMSYNC_LISTEN=listen)
    assert status == 1
    assert f"cannot listen on {listen}: Address already in use" in one_line(said)


def test_a_bad_setting(world: World) -> None:
    status, said = world.refused(IMSYNC_LISTEN="everywhere")
    assert status == 1
    assert "IMSYNC_LISTEN = 'everywhere'" in one_line(said)
    status, said = world.refused("--check", IMSYNC_LISEN="x")
    assert (status, "IMSYNC_LISEN is not a setting" in one_line(said)) == (1, True)


def test_a_check_says_that_all_is_well_and_makes_nothing(world: World) -> None:
    status, said, _ = world.ran("--check")
    first, second = said.strip().splitlines()
    assert (status, first) == (0, "the settings are good")
    assert second.startswith("they come from no file, IMSYNC_DATABASE, IMSYNC_DRIFT_INTERVAL, ")
    assert list(world.folder.iterdir()) == []
    file = world.folder / "mine.toml"
    file.write_text("max_attempts = 3\n")
    _, said, _ = world.ran("--check", "--config", str(file))
    assert f"they come from {file}, IMSYNC_DATABASE" in said


def test_a_check_names_everything_that_is_wrong_at_once(world: World) -> None:
    file = world.folder / "mine.toml"
    file.write_text('max_attempts = 0\nlisen = "x"\nlog_format = "loud"\n')
    status, said = world.refused("--check", IMSYNC_CONFIG=str(file), IMSYNC_LISEN="x")
    *lines, hint = said.strip().splitlines()
    assert (status, len(lines)) == (1, 4)
    assert all(line.startswith("imsyncd: ") for line in lines)
    assert f"imsyncd: {file}: 'lisen' is not a setting; did you mean listen?" in lines
    assert "imsyncd: IMSYNC_LISEN is not a setting; did you mean IMSYNC_LISTEN?" in lines
    assert any(f"{file}: log_format = 'loud': should be 'text'" in line for line in lines)
    assert any(f"{file}: max_attempts = 0: should be greater" in line for line in lines)
    assert hint.startswith("hint: there are: ")


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("LISTEN", "no-such-host.invalid:80", "cannot listen on no-such-host.invalid:80: "),
        ("LISTEN", "192.0.2.1:0", "will not listen on 192.0.2.1:0, which others can reach"),
        ("SOCKET_GROUP", "no-such-group", "socket_group = 'no-such-group': there is no such"),
        ("SOCKET", "/nowhere/at/all/" + "x" * 120, "the socket"),
        ("DATABASE", "notes.txt", "cannot use the database notes.txt: file is not a database"),
        ("DATABASE", "folder", "cannot use the database folder: "),
        ("DATABASE", "notes.txt/im.db", "cannot use the folder notes.txt"),
        ("DATABASE", "songs.db", "cannot use the database songs.db: it is no database of imsync's"),
        ("DATABASE", "held.db", "cannot use the lock file held.db.lock: Is a directory"),
    ],
)
def test_what_cannot_be_used_costs_one_line(
    world: World, setting: str, value: str, says: str
) -> None:
    (world.folder / "notes.txt").write_text("Buy milk, and a database, for they are not the same.")
    (world.folder / "folder").mkdir()
    (world.folder / "held.db.lock").mkdir()
    with closing(sqlite3.connect(world.folder / "songs.db")) as another:
        another.execute("CREATE TABLE songs (title TEXT)")
    if setting == "SOCKET":
        value = str(world.folder / "run") + value.removeprefix("/nowhere/at/all")
    status, said = world.refused(**{f"IMSYNC_{setting}": value})
    assert (status, says in one_line(said)) == (1, True), said
    assert "hint: " in said or setting in ("DATABASE", "SOCKET_GROUP")


def test_where_others_can_reach_it_listens_once_there_is_a_token(world: World) -> None:
    everywhere = f"0.0.0.0:{free_port()}"
    status, said = world.refused(IMSYNC_LISTEN=everywhere)
    assert (status, "there is no token yet" in one_line(said)) == (1, True)
    world.start()
    token = world.json("token", "create", "--name", "mine")["token"]
    world.stop()
    world.environment["IMSYNC_LISTEN"] = everywhere
    world.start()
    url = world.url.replace("0.0.0.0", "127.0.0.1")
    assert world.im("--url", url, "incident", "list").returncode == 1
    assert world.im("--url", url, "--token", token, "incident", "list").returncode == 0
    assert world.im("incident", "list").returncode == 0


def test_every_address_by_another_name_is_not_this_host_alone(world: World) -> None:
    """`*` is this host's where a name is looked up, and everybody's where it is bound."""
    for everywhere in ("*", "0", "[::]"):
        status, said = world.refused(IMSYNC_LISTEN=f"{everywhere}:{free_port()}")
        assert (status, "there is no token yet" in one_line(said)) == (1, True), everywhere


@pytest.mark.parametrize("setting", ["IMSYNC_DATABASE", "IMSYNC_SOCKET"])
def test_where_everybody_may_change_files_it_makes_none(world: World, setting: str) -> None:
    """They could put a database or a socket of theirs in its place, but not where it is sticky."""
    (world.folder / "open").mkdir()
    (world.folder / "open").chmod(0o777)
    status, said = world.refused(**{setting: str(world.folder / "open" / "im")})
    assert (status, "its mode is 0777" in one_line(said)) == (1, True)
    assert not list((world.folder / "open").iterdir())
    (world.folder / "open").chmod(0o1777)
    world.environment[setting] = str(world.folder / "open" / "im")
    world.start()


def test_a_group_may_use_the_socket_if_it_is_to(world: World) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    world.environment["IMSYNC_SOCKET_GROUP"] = group
    world.start()
    assert mode(world.folder / "run" / "im.sock") == 0o660
    assert mode(world.folder / "run") == 0o710
    assert mode(world.folder / "data") == 0o700


def test_a_sandbox_that_remembers_junk_costs_one_line(world: World) -> None:
    (world.folder / "data").mkdir(mode=0o700)
    (world.folder / "data" / "im.db.sandbox").write_text("junk\n")
    status, said = world.refused("--sandbox")
    assert (status, "the sandbox's state cannot be kept" in one_line(said)) == (1, True)


def test_neither_token_nor_webhook_secret_is_ever_logged(world: World) -> None:
    """Not when all goes well, nor when PagerDuty is gone, fails, or refuses the token."""
    world.start_pagerduty()
    world.start()
    world.connect()
    world.json("declare", "--sev", "SEV-1", "--title", "Checkout down")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    bad = {"api_error": 0.5, "api_malformed": 0.5, "api_lost": 0.5}
    answered("PUT", f"{world.sandbox['url']}/_sandbox/faults", bad)
    world.json("incident", "update", "INC-1", "--title", "Checkout gone")
    world.im("integration", "test", "prod-pd")
    world.kill_pagerduty()
    world.im("integration", "test", "prod-pd")
    eventually(lambda: "no connection to PagerDuty" in world.log.read_text(), True, "the alarm")
    world.start_pagerduty()
    wrong = "u+wrong-but-still-nobodys-business"
    world.json("integration", "configure", "prod-pd", "--token", wrong)
    eventually(lambda: "suspended" in world.log.read_text(), True, "whether it is suspended")
    assert {wrong, world.webhook_secret, world.sandbox["token"]} <= set(world.secrets())
    assert world.stop() == 0
    said = world.log.read_text()
    assert not [secret for secret in world.secrets() if secret in said]


def test_exit_statuses(world: World) -> None:
    assert world.im("incident", "list").returncode == 3, "nobody is there"
    world.start()
    assert world.im("incident", "show", "INC-9").returncode == 4
    assert world.im("declare", "--sev", "SEV-9", "--title", "x").returncode == 2
    assert world.im("declare", "--sev", "SEV-1", "--title", " ").returncode == 1
    configured = world.im(
        "integration", "configure", "--name", "Nowhere PD", "--type", "pagerduty",
        "--base-url", "http://127.0.0.1:9", "--token", "wrong",
    )  # fmt: skip
    assert configured.returncode == 0, configured.stderr
    assert world.im("integration", "test", "nowhere-pd").returncode == 5
    world.json("integration", "configure", "--name", "Tokenless", "--type", "pagerduty")
    assert world.im("integration", "sync-status", "tokenless").returncode == 5
    assert world.im("integration", "delete", "tokenless").returncode == 2, "nobody can be asked"
    for ran in (world.im("incident", "show", "INC-9"), world.im("integration", "get", "none")):
        assert "Traceback" not in ran.stderr
