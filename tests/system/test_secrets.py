"""A real daemon's secrets: in nothing that it writes, in no list of processes, under a key."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imsync.store.keys import KeyFile, beside
from imsync.store.sealing import Key
from tests.system.test_daemon import one_line
from tests.system.world import BIN, PATIENCE, World, eventually

DOOMED = Path(__file__).with_name("doomed.py")


def database(world: World) -> Path:
    return world.folder / "data" / "im.db"


def key_file(world: World) -> KeyFile:
    return KeyFile(beside(database(world)))


def piped(world: World, secret: str, *words: str) -> None:
    """Give `im` a secret on its standard input, while everybody looks at the list of processes."""
    running = subprocess.Popen(
        [BIN / "im", *words],
        env=world.environment,
        cwd=world.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: " ".join(words) in processes(), True, "whether it is there, and waits")
    assert secret not in processes()
    _, said = running.communicate(secret, timeout=PATIENCE)
    assert running.returncode == 0, said


def processes() -> str:
    """What `ps` shows of each: how it was started."""
    return "\n".join(shown(Path("/proc")))


def shown(proc: Path) -> Iterator[str]:
    for folder in proc.glob("[0-9]*"):
        try:
            yield (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile


def connected(world: World) -> None:
    """As people are told to do it: nothing secret on a command line."""
    piped(
        world, world.sandbox["token"], "integration", "configure", "--name", "Production PagerDuty",
        "--type", "pagerduty", "--base-url", world.sandbox["url"],
        "--from-email", world.sandbox["from_email"],
        "--default-service", world.sandbox["default_service"], "--token-file", "-",
    )  # fmt: skip


def is_let_in(world: World) -> bool:
    """Whether PagerDuty takes the token that the daemon reads in its database."""
    ran = world.im("integration", "test", "prod-pd", "--format", "json")
    checks = {one["name"]: one["ok"] for one in json.loads(ran.stdout)["checks"]}
    return bool(checks["credentials"])


def toured(world: World) -> set[str]:
    """Everything that a secret is given, made or used for; the secrets."""
    connected(world)
    secrets = {world.sandbox["token"], "signing-secret-given-by-hand"}
    piped(
        world, "signing-secret-given-by-hand",
        "integration", "configure", "prod-pd", "--webhook-secret-file", "-",
    )  # fmt: skip
    hook = ("prod-pd", "--public-url", world.url, "--show-secret")
    for how in ("install", "rotate"):
        secrets.add(world.json("integration", "webhook", how, *hook)["secret"])
    assert world.json("integration", "webhook", "ping", "prod-pd")["arrived"]
    secrets.add(world.json("token", "create", "--name", "ci")["token"])
    world.json("declare", "--sev", "SEV-1", "--title", "Checkout down")
    eventually(lambda: len(world.json("incident", "show", "INC-1")["links"]), 1, "the links")
    eventually(lambda: len(world.all_there()), 1, "what stands there")
    world.act(world.all_there()[0]["id"], title="Checkout gone")
    eventually(
        lambda: world.json("incident", "show", "INC-1")["title"], "Checkout gone", "the title"
    )
    secrets |= {key.text for key in key_file(world).read()}
    world.json("key", "rotate")
    secrets |= {key.text for key in key_file(world).read()}
    for wrong in ("u+wrong-but-nobodys-business", world.sandbox["token"]):
        secrets.add(wrong)
        piped(world, wrong, "integration", "configure", "prod-pd", "--token-file", "-")
        world.im("integration", "test", "prod-pd")
    world.json("backup", str(world.folder / "copy.db"))
    return secrets


def test_no_byte_of_what_it_writes_and_no_list_of_processes_tells_a_secret(world: World) -> None:
    world.start_pagerduty()
    world.start()
    secrets = toured(world)
    assert len(secrets) == 8
    told = processes()
    written = files(world)
    assert {"im.db", "im.db-wal", "im.db-shm", "copy.db", "imsyncd.log"} <= written.keys()
    assert b"prod-pd" in written["im.db"] + written["im.db-wal"]
    assert b"prod-pd" in written["copy.db"]
    assert world.stop() == 0
    for secret in secrets:
        assert secret not in told
        for name, bits in (*written.items(), *files(world).items()):
            assert secret.encode() not in bits, name


def files(world: World) -> dict[str, bytes]:
    """What the daemon has written, but for the key; not what the PagerDuty beside it has."""
    others = ("pagerduty", "im.db.key")
    found = [one for one in world.folder.rglob("*") if one.is_file() and one.name not in others]
    return {one.name: one.read_bytes() for one in found}


def test_a_copy_is_of_use_with_its_key_and_of_none_without(world: World) -> None:
    """As docs/operating.md says: stop, put back, start; and what to do when the key is lost."""
    world.start_pagerduty()
    world.start()
    connected(world)
    ran = world.im("backup", str(world.folder / "copy.db"))
    (key,) = key_file(world).read()
    for words in (key.id, "is not in it", str(key_file(world).path)):
        assert words in ran.stdout + ran.stderr
    assert world.stop() == 0
    kept = key_file(world).path.rename(world.folder / "kept.key")
    for name in ("im.db", "im.db-wal", "im.db-shm"):
        (world.folder / "data" / name).unlink(missing_ok=True)
    (world.folder / "copy.db").rename(database(world))

    status, said = world.refused()
    for words in ("prod-pd", key.id, str(key_file(world).path), "is not there"):
        assert words in one_line(said)
    assert (status, "imsyncd --forget-secrets" in said) == (1, True)
    assert not (world.folder / "run" / "im.sock").exists(), "it has not listened"
    assert not key_file(world).path.exists(), "and made no other key"

    kept.rename(key_file(world).path)
    world.start()
    assert is_let_in(world)
    assert world.stop() == 0


def test_what_a_lost_key_sealed_is_forgotten_in_so_many_words(world: World) -> None:
    world.start_pagerduty()
    world.start()
    connected(world)
    assert world.stop() == 0
    status, said, _ = world.ran("--forget-secrets")
    assert (status, said.strip()) == (
        0, "nothing is forgotten: every token and signing secret can be read"
    )  # fmt: skip
    world.start()
    assert "process id" in world.refused("--forget-secrets")[1], "not while a daemon is at work"
    world.kill()
    key_file(world).path.unlink()
    assert world.refused()[0] == 1
    status, said, _ = world.ran("--forget-secrets")
    assert (status, said.strip()) == (
        0,
        "forgot a token of prod-pd: `im integration configure prod-pd --token-file FILE`"
        " gives it one",
    )
    world.start()
    assert world.json("integration", "get", "prod-pd")["state"] == "no token"
    (line,) = world.json("audit", "--action", "credentials.forgotten")["items"]
    assert (line["subject_name"], line["actor_id"], line["peer"]) == (
        "prod-pd", f"uid:{os.getuid()}", "file"
    )  # fmt: skip
    piped(
        world, world.sandbox["token"], "integration", "configure", "prod-pd", "--token-file", "-"
    )  # fmt: skip
    assert is_let_in(world)


def test_the_key_may_be_in_the_environment(world: World) -> None:
    old, new = Key.new(), Key.new()
    world.environment["IMSYNC_KEY"] = old.text
    world.start_pagerduty()
    world.start()
    connected(world)
    ran = world.im("key", "rotate")
    assert ran.returncode == 1
    assert "IMSYNC_KEY=NEW,OLD" in ran.stderr
    assert world.stop() == 0
    assert not key_file(world).path.exists()
    world.environment["IMSYNC_KEY"] = f"{new.text},{old.text}"
    world.start()
    (line,) = world.json("audit", "--action", "key.rotated")["items"]
    assert (line["subject"], line["changes"][0]["old"]) == (new.id, old.id)
    assert (line["actor_id"], line["peer"]) == (f"uid:{os.getuid()}", "file")
    assert world.stop() == 0
    world.start()
    assert len(world.json("audit", "--action", "key.rotated")["items"]) == 1
    assert world.stop() == 0
    world.environment["IMSYNC_KEY"] = new.text
    status, said, _ = world.ran("--check")
    assert (status, "IMSYNC_KEY" in said) == (0, True)
    world.start()
    assert is_let_in(world)
    assert world.stop() == 0
    said += world.log.read_text() + "".join(map(repr, files(world).values()))
    assert not [key for key in (old, new) if key.text in said]


def test_a_key_that_cannot_be_used_costs_one_line_and_is_not_quoted(world: World) -> None:
    database(world).parent.mkdir(mode=0o700)
    key_file(world).write([Key.new()])
    key_file(world).path.chmod(0o640)
    half = Key.new().text[:30]
    for flags in ((), ("--check",)):
        status, said = world.refused(*flags)
        assert (status, "is not its owner's alone: its mode is 0640" in one_line(said)) == (1, True)
        status, said = world.refused(*flags, IMSYNC_KEY=half)
        assert (status, "IMSYNC_KEY: key 1 cannot be one" in one_line(said)) == (1, True)
        assert half not in said
    assert not database(world).exists()


def test_the_key_file_may_be_elsewhere(world: World) -> None:
    (world.folder / "vault").mkdir()
    elsewhere = world.folder / "vault" / "imsync.key"
    world.environment["IMSYNC_KEY_FILE"] = str(elsewhere)
    world.start()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600
    assert not key_file(world).path.exists()
    rotated = world.json("key", "rotate")
    assert rotated["key_place"] == str(elsewhere)
    assert [key.id for key in KeyFile(elsewhere).read()] == [rotated["key"]]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_the_key_is_changed_it_reads_everything(world: World, when: str) -> None:
    world.start_pagerduty()
    world.start(launcher=(sys.executable, DOOMED, when, "sealed.rotate"))
    connected(world)
    (old,) = key_file(world).read()
    assert "hung up before it had answered" in world.im("key", "rotate").stderr
    assert world.daemon is not None
    world.daemon.communicate(timeout=PATIENCE)
    new, *rest = key_file(world).read()
    assert rest == [old]
    world.start()
    assert is_let_in(world)
    assert key_file(world).read() == [new]
    assert json.loads(world.im("key", "rotate", "--format", "json").stdout)["old_key"] == new.id
