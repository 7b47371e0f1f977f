"""Ten thousand who connect and ask nothing: the daemon stays up, and serves whoever asks."""

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from .world import World, answered, eventually

FLOOD = 10_000
ROOM = 200
"""Files that the test itself has open beside its connections."""

HALF = b"POST /api/v1/incidents HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


@contextmanager
def files(soft: int) -> Iterator[int]:
    """How many files this process, and those that it starts meanwhile, may have open."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    try:
        yield allowed
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def knock(address: tuple[str, int]) -> socket.socket:
    """Connect, and send half a request. What the daemon's queue has no room for is not waited for:
    the system goes on trying."""
    one = socket.socket()
    one.setblocking(False)
    found = one.connect_ex(address)
    assert found in (0, errno.EINPROGRESS), os.strerror(found)
    return one


def memory(pid: int) -> int:
    """The most bytes that a process has ever held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (one for one in lines if one.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_a_flood_of_connections_keeps_nobody_out(world: World) -> None:
    with files(1_024):
        world.start("--sandbox")
    world.use_inner_sandbox()
    assert world.daemon is not None
    pid, proc = world.daemon.pid, Path(f"/proc/{world.daemon.pid}")
    if not proc.exists():
        pytest.skip("this system has no /proc to read a process's memory and files from")
    before = memory(pid)
    host, port = world.url.removeprefix("http://").split(":")
    with files(FLOOD + ROOM) as allowed, ExitStack() as flood:
        for number in range(allowed - ROOM):
            one = flood.enter_context(knock((host, int(port))))
            with suppress(OSError):  # not connected yet, or hung up on already
                one.send(HALF)
            if number % 2_500 == 0:
                assert answered("GET", f"{world.url}/health")["status"] == "healthy"
        answered("POST", f"{world.url}/api/v1/incidents", {"title": "In the middle of it"})
        eventually(lambda: bool(world.external_id()), True, "whether it stands there")
        world.act(world.external_id(), title="Still in the middle of it")
        eventually(lambda: world.here("title"), "Still in the middle of it", "the title here")
        assert len(list((proc / "fd").iterdir())) < 800
        assert memory(pid) - before < 64 * 1024 * 1024
    assert world.stop() == 0
    log = world.log.read_text()
    assert "500 connections are open" in log
    assert "out of system resource" not in log
    assert "Traceback" not in log
