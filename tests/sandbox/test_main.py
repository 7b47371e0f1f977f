"""`pagerduty-sandbox`, as a process of its own."""

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
import trustme
from aiohttp import ClientSession

from imsync import __version__

KEYS = [
    *("url", "token", "from_email", "default_service", "users", "services"),
    *("escalation_policies", "schedules", "priorities"),
]


async def begin(*args: str | Path) -> Process:
    code = "from imsync.sandbox.main import main; main()"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *map(str, args), stdout=PIPE, stderr=PIPE
    )


async def line(process: Process) -> str:
    assert process.stdout
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode()


async def ended(*args: str | Path) -> tuple[int, str]:
    """What became of a run that ends by itself: its exit status, what it said."""
    process = await begin(*args)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode is not None
    return process.returncode, (err or out).decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_says_where_it_is_serves_and_ends(
    number: signal.Signals, session: ClientSession
) -> None:
    process = await begin("--listen", "127.0.0.1:0", "--seed", "7", "--format", "json")
    about = json.loads(await line(process))
    assert list(about) == KEYS
    headers = {"Authorization": f"Token token={about['token']}"}
    async with session.get(f"{about['url']}/users", headers=headers) as answer:
        assert len((await answer.json())["users"]) == 5
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_its_limits_are_given(session: ClientSession) -> None:
    flags = ("--rate-limit", "96", "--limit", "get_oncalls=7", "--limit", "put_incidents=9")
    process = await begin("--listen", "127.0.0.1:0", "--format", "json", *flags)
    about = json.loads(await line(process))
    async with session.get(f"{about['url']}/_sandbox/limits") as answer:
        assert await answer.json() == {
            "everything": 96,
            "put_incidents": 9,
            "post_incidents": 24,
            "get_oncalls": 7,
        }
    process.terminate()
    await asyncio.wait_for(process.communicate(), 20)


async def test_goes_on_from_its_state_after_a_kill(session: ClientSession, tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    made = []
    for _ in range(2):
        process = await begin("--listen", "127.0.0.1:0", "--format", "json", "--state", state)
        about = json.loads(await line(process))
        headers = {
            "Authorization": f"Token token={about['token']}",
            "From": about["from_email"],
        }
        service = {"id": about["default_service"], "type": "service_reference"}
        body = {"incident": {"type": "incident", "title": "x", "service": service}}
        url = f"{about['url']}/incidents"
        async with session.post(url, json=body, headers=headers) as answer:
            made.append((await answer.json())["incident"]["incident_number"])
        process.kill()
        await process.communicate()
    assert made == [1, 2]


async def test_tells_people(tmp_path: Path) -> None:
    process = await begin("--listen", "127.0.0.1:0")
    assert (await line(process)).startswith("A PagerDuty sandbox listens on http://127.0.0.1:")
    process.terminate()
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert b"alice@acme.example" in out
    assert process.returncode == 0


async def test_serves_tls(session: ClientSession, tmp_path: Path) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    tls = ("--tls-cert", cert, "--tls-key", key)
    process = await begin("--listen", "127.0.0.1:0", "--format", "json", *tls)
    about = json.loads(await line(process))
    assert about["url"].startswith("https://")
    async with session.get(about["url"] + "/", ssl=False) as answer:
        assert answer.status == 200
    process.terminate()
    await asyncio.wait_for(process.communicate(), 20)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--listen", "8090"], "HOST:PORT"),
        (["--listen", "127.0.0.1:70000"], "HOST:PORT"),
        (["--seed", "x"], "--seed"),
        (["--format", "xml"], "--format"),
        (["--rate-limit", "0"], "--rate-limit"),
        (["--limit", "put_incidents"], "everything, put_incidents, post_incidents, get_oncalls"),
        (["--limit", "put=1"], "'put=1' is not NAME=N"),
        (["--limit", "get_oncalls=0"], "1 or more"),
        (["--time-scale", "0"], "--time-scale"),
        (["--tls-cert", __file__], "--tls-cert and --tls-key go together"),
        (["--tls-cert", __file__, "--tls-key", __file__], "do not load"),
        (["--nope"], "--nope"),
        (["extra"], "extra"),
    ],
)
async def test_bad_flags_are_one_line_and_status_2(args: list[str], says: str) -> None:
    status, said = await ended(*args)
    assert status == 2
    assert says in said
    assert said.startswith("pagerduty-sandbox: ")
    assert said.count("\n") == 1


async def test_what_cannot_be_had_is_one_line_and_status_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, said = await ended("--listen", address)
    assert (status, said.count("\n")) == (1, 1)
    assert f"Cannot listen on {address}" in said
    state = tmp_path / "state"
    state.write_bytes(b"hello\n")
    status, said = await ended("--state", state)
    assert (status, said.count("\n")) == (1, 1)
    assert "line 1" in said


async def test_its_version() -> None:
    assert await ended("--version") == (0, f"pagerduty-sandbox {__version__}\n")
