"""Starting and stopping: what is refused is refused in one line, what is made is private."""

import socket
import stat
from pathlib import Path

from tests.system.world import World, eventually


def one_line(said: str) -> str:
    assert "Traceback" not in said
    first, *rest = said.strip().splitlines()
    assert all(line.startswith("hint: ") for line in rest), said
    return first


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_it_makes_is_its_owners_alone(world: World) -> None:
    world.start()
    assert mode(world.folder / "run" / "im.sock") == 0o600
    assert mode(world.folder / "data") == 0o700
    assert mode(world.folder / "data" / "im.db") == 0o600


def test_sigterm_ends_it_in_peace(world: World) -> None:
    world.start("--sandbox")
    world.json("declare", "--sev", "SEV-2", "--title", "In mid-write")
    assert world.stop() == 0
    assert not (world.folder / "run" / "im.sock").exists()
    world.start("--sandbox")
    world.use_inner_sandbox()
    eventually(lambda: len(world.all_there()), 1, "how many stand there")


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
    assert (status, "IMSYNC_LISEN is no setting" in one_line(said)) == (1, True)


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
    for ran in (world.im("incident", "show", "INC-9"), world.im("integration", "get", "none")):
        assert "Traceback" not in ran.stderr
