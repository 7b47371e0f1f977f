"""A full disk, a file that another process holds, a damaged row, an end in mid-write."""

import json
import sqlite3
import sys
from pathlib import Path
from urllib.error import HTTPError, URLError

from tests.system.test_crashes import DOOMED
from tests.system.world import PATIENCE, Json, World, answered, eventually

CRAMPED = Path(__file__).with_name("cramped.py")
LONG = "All that is known of it so far. " * 200


def start(world: World) -> None:
    world.start_pagerduty()
    world.start()
    world.connect()
    world.json("declare", "--sev", "SEV-3", "--title", "Checkout slow")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")


def status(world: World) -> Json:
    return answered("GET", f"{world.url}/api/v1/integrations/prod-pd/sync-status")


def edit(world: World, **values: str) -> None:
    answered("PATCH", f"{world.url}/api/v1/incidents/INC-1", values)


def test_on_a_full_disk_nothing_that_was_said_yes_to_is_lost(world: World) -> None:
    start(world)
    world.stop()
    world.start(launcher=(sys.executable, CRAMPED, "20"))
    kept, refused = "", None
    for n in range(400):
        try:
            edit(world, description=f"{n} {LONG}")
            kept = f"{n} {LONG}"
        except HTTPError as error:
            refused = error.code, json.loads(error.read())["hint"]
            break
        except (URLError, ConnectionError):
            break  # a loop was the first to find it full
    assert refused in (None, (503, "make room on its disk"))
    assert world.daemon is not None
    world.daemon.communicate(timeout=PATIENCE)
    assert world.daemon.returncode == 1
    log = world.log.read_text()
    assert "the database failed: database or disk is full\nhint: make room on its disk" in log
    assert "Traceback" not in log

    world.start()
    assert world.here("description") == kept.strip()
    eventually(lambda: status(world)["pending"], 0, "what is owed")
    (note,) = world.there("GET", f"/incidents/{world.external_id()}/notes")["notes"]
    assert kept.strip() in note["content"]


def test_while_another_process_holds_the_file_everybody_waits(world: World) -> None:
    start(world)
    conn = sqlite3.connect(world.folder / "data" / "im.db", isolation_level=None)
    conn.execute("BEGIN IMMEDIATE")
    world.act(world.external_id(), status="acknowledged")
    assert world.here("status") == "open", "reading goes on"
    conn.execute("ROLLBACK")
    conn.close()
    eventually(lambda: world.here("status"), "mitigated", "the status here")
    assert world.daemon is not None
    assert world.daemon.poll() is None


def test_a_damaged_delivery_stops_only_itself(world: World) -> None:
    world.start_pagerduty()
    world.start(launcher=(sys.executable, DOOMED, "after", "inbox.put"))
    world.connect()
    world.json("declare", "--sev", "SEV-3", "--title", "Checkout slow")
    assert world.daemon is not None
    world.daemon.communicate(timeout=PATIENCE)
    conn = sqlite3.connect(world.folder / "data" / "im.db", isolation_level=None)
    torn = "UPDATE inbox SET body = X'7B226576FFFE00' WHERE state = 'pending' RETURNING id"
    assert len(conn.execute(torn).fetchall()) == 1
    conn.close()

    world.start()
    eventually(lambda: status(world)["dead_letters"], 1, "how many dead letters there are")
    eventually(lambda: bool(world.external_id()), True, "whether it is linked")
    world.act(world.external_id(), status="acknowledged")
    eventually(lambda: world.here("status"), "mitigated", "the status here")
    (letter,) = world.json("integration", "dlq", "prod-pd")["items"]
    assert letter["direction"] == "inbound"
    assert letter["error"]["code"] == "unusable_delivery"


def test_an_end_in_the_middle_of_a_write_waits_for_its_answer(world: World) -> None:
    start(world)
    slow = {"api_slow": 1.0, "api_slow_ms": 1_500}
    answered("PUT", f"{world.sandbox['url']}/_sandbox/faults", slow)
    edit(world, title="Checkout down")
    eventually(lambda: world.all_there()[0]["title"], "Checkout down", "the title there")
    assert world.stop() == 0
    conn = sqlite3.connect(world.folder / "data" / "im.db")
    of_title = "SELECT state FROM writes WHERE field = 'title' ORDER BY id"
    states = [state for (state,) in conn.execute(of_title)]
    conn.close()
    assert states == ["done", "done"], "it was created with one, and was given another"
    answered("PUT", f"{world.sandbox['url']}/_sandbox/faults", {"api_slow": 0.0})
    world.start()
    eventually(lambda: status(world)["pending"], 0, "what is owed")
    entries = world.there("GET", f"/incidents/{world.external_id()}/log_entries")["log_entries"]
    changes = [one for one in entries if one["type"] == "field_value_change_log_entry"]
    assert len(changes) == 1, "written once"
