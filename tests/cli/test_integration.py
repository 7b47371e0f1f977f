"""`im integration configure|delete|dlq`: what is created, changed, asked about and thrown away."""

import io
import json
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .conftest import FakeDaemon, Im

PROD = {"id": "int_1", "slug": "prod-pd", "name": "Production PagerDuty", "state": "active"}
LETTERS = {"items": [{"id": "dlq_1", "error": {"message": "too long"}}, {"id": "dlq_2"}]}
Capture = pytest.CaptureFixture[str]


async def configure(im: Im, *args: str) -> int:
    return await im("integration", "configure", *args)


async def test_the_line_in_the_description_creates(daemon: FakeDaemon, im: Im) -> None:
    daemon.answers_with("POST /integrations", PROD, status=201)
    line = (
        "--name|Production PagerDuty|--type|pagerduty|--org|acme-corp|--base-url|"
        "https://api.pagerduty.com|--direction|bidirectional|--token|your_pagerduty_api_token"
    )
    assert await configure(im, *line.split("|")) == 0
    assert daemon.heard[0].body == {
        "name": "Production PagerDuty",
        "integration_type": "pagerduty",
        "organization_id": "acme-corp",
        "base_url": "https://api.pagerduty.com",
        "sync_direction": "bidirectional",
        "credentials": {"token": "your_pagerduty_api_token"},
    }


@pytest.mark.parametrize(
    ("args", "body"),
    [
        (["--conflict-strategy", "last-write-wins"], {"conflict_strategy": "last-write-wins"}),
        (["--sync-escalations", "true"], {"sync_escalations": True}),
        (["--sync-notes", "false", "--enabled", "false"], {"sync_notes": False, "enabled": False}),
        (
            ["--rate-limit", "100", "--backoff-multiplier", "2"],
            {"rate_limit": 100, "backoff_multiplier": 2.0},
        ),
        (
            ["--from-email", "", "--default-service", "P1"],
            {"from_email": None, "default_service": "P1"},
        ),
        (["--webhook-secret", ""], {"credentials": {"webhook_secret": None}}),
    ],
)
async def test_a_change_says_only_what_was_given(
    daemon: FakeDaemon, im: Im, args: list[str], body: dict[str, Any]
) -> None:
    daemon.answers_with("PATCH /integrations/prod-pd", PROD)
    assert await configure(im, "prod-pd", *args) == 0
    assert daemon.heard[0].body == body


@pytest.mark.parametrize(
    ("called", "created"),
    [
        ("prod-pd", {"slug": "prod-pd"}),
        ("Production", {}),  # its name, so the slug can be made from it
    ],
)
async def test_what_is_not_known_yet_is_created_under_what_it_was_called(
    daemon: FakeDaemon, im: Im, called: str, created: dict[str, str]
) -> None:
    daemon.refuses(f"PATCH /integrations/{called}", 404, detail="none")
    daemon.answers_with("POST /integrations", PROD, status=201)
    assert await configure(im, called, "--name", "Production") == 0
    assert daemon.heard[1].body == {
        "name": "Production",
        "integration_type": "pagerduty",
        **created,
    }


@pytest.mark.parametrize(
    "args",
    [
        ["prd-pd", "--enabled", "true"],  # without a name nothing can be created
        ["int_404", "--name", "Production"],  # nobody can choose an id
        ["prod-pd", "--name", "Production", "--slug", "other"],  # it would not answer to prod-pd
    ],
)
async def test_a_name_that_is_not_known_is_no_reason_to_create_another(
    daemon: FakeDaemon, im: Im, capsys: Capture, args: list[str]
) -> None:
    daemon.refuses(f"PATCH /integrations/{args[0]}", 404, detail="none", hint="prod-pd")
    assert await configure(im, *args) == 4
    assert "hint: prod-pd" in capsys.readouterr().err
    assert len(daemon.heard) == 1


async def test_secrets_come_from_files_or_standard_input(
    daemon: FakeDaemon, im: Im, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.answers_with("PATCH /integrations/prod-pd", PROD)
    secret = folder / "secret"
    secret.write_text("whsec \n")
    monkeypatch.setattr("sys.stdin", io.StringIO("u+token\n"))

    assert (
        await configure(im, "prod-pd", "--token-file", "-", "--webhook-secret-file", str(secret))
        == 0
    )
    assert daemon.heard[0].body == {"credentials": {"token": "u+token", "webhook_secret": "whsec"}}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "Name the INTEGRATION"),
        (["--enabled", "true"], "Name the INTEGRATION"),
        (["prod-pd"], "Nothing to change"),
        (["prod-pd", "--token", "a", "--token-file", "b"], "say it twice"),
        (["prod-pd", "--token-file", "-", "--webhook-secret-file", "-"], "Only one secret"),
        (["prod-pd", "--token-file", "/dev/null"], "is empty"),
        (["prod-pd", "--token-file", "/nowhere"], "No such file"),
        (["prod-pd", "--token-file", "/"], "directory"),
        (["prod-pd", "--rate-limit", "0"], "0"),
        (["prod-pd", "--enabled", "perhaps"], "'perhaps'"),
    ],
)
async def test_what_makes_no_sense_is_told(
    daemon: FakeDaemon, im: Im, capsys: Capture, args: list[str], said: str
) -> None:
    assert await configure(im, *args) == 2
    assert said in capsys.readouterr().err
    assert daemon.heard == []


@contextmanager
def somebody_at_the_terminal(monkeypatch: pytest.MonkeyPatch, *, types: str) -> Iterator[None]:
    ours, theirs = pty.openpty()
    os.write(ours, types.encode())
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield
    os.close(ours)


@pytest.mark.parametrize("answer", ["y", "Yes"])
async def test_deleting_asks_and_goes_on_when_told(
    daemon: FakeDaemon, im: Im, monkeypatch: pytest.MonkeyPatch, capsys: Capture, answer: str
) -> None:
    daemon.answers_with("GET /integrations/prod-pd", PROD)
    daemon.answers_with("DELETE /integrations/int_1", None, status=204)
    with somebody_at_the_terminal(monkeypatch, types=f"{answer}\n"):
        assert await im("integration", "delete", "prod-pd") == 0
    out, err = capsys.readouterr()
    assert out == "deleted prod-pd\n"
    assert "'prod-pd'" in err
    assert daemon.asked() == ["GET /integrations/prod-pd", "DELETE /integrations/int_1"]


@pytest.mark.parametrize("answer", ["", "n", "yess"])
async def test_deleting_does_nothing_unless_told(
    daemon: FakeDaemon, im: Im, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    daemon.answers_with("GET /integrations/prod-pd", PROD)
    with somebody_at_the_terminal(monkeypatch, types=f"{answer}\n"):
        assert await im("integration", "delete", "prod-pd") == 1
    assert daemon.asked() == ["GET /integrations/prod-pd"]


async def test_nobody_is_asked_whether_to_delete_what_there_is_not(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.refuses("GET /integrations/prdo-pd", 404, detail="there is no integration 'prdo-pd'")
    assert await im("integration", "delete", "prdo-pd") == 4
    assert "Delete" not in capsys.readouterr().err


async def test_without_a_terminal_deleting_needs_yes(
    daemon: FakeDaemon, im: Im, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    daemon.answers_with("GET /integrations/prod-pd", PROD)
    assert await im("integration", "delete", "prod-pd") == 2
    assert "say --yes" in capsys.readouterr().err
    assert daemon.asked() == ["GET /integrations/prod-pd"]

    daemon.answers_with("DELETE /integrations/int_1", None, status=204)
    assert await im("integration", "delete", "prod-pd", "--yes", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["deleted"] is True


async def test_dead_letters_are_listed_with_their_reason(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with("GET /integrations/prod-pd/dead-letters", LETTERS)
    assert await im("integration", "dlq", "prod-pd") == 0
    assert await im("integration", "dlq", "prod-pd", "--show", "dlq_1", "--format", "json") == 0
    out = capsys.readouterr().out
    assert "too long" in out.splitlines()[1]
    assert json.loads(out[out.index("{") :]) == LETTERS["items"][0]
    assert await im("integration", "dlq", "prod-pd", "--show", "dlq_1") == 0
    shown = capsys.readouterr().out.split("\n")
    assert "error  too long" in shown
    assert shown[-2].startswith("code"), "and nothing of a body that there is not"


@pytest.mark.parametrize(("which", "ids"), [("dlq_2", ["dlq_2"]), ("all", ["dlq_1", "dlq_2"])])
async def test_dead_letters_are_retried_and_discarded_by_id_or_all(
    daemon: FakeDaemon, im: Im, which: str, ids: list[str]
) -> None:
    daemon.answers_with("GET /integrations/prod-pd/dead-letters", LETTERS)
    for each in ids:
        daemon.answers_with(f"POST /dead-letters/{each}/retry", {"id": each})
        daemon.answers_with(f"DELETE /dead-letters/{each}", None, status=204)

    assert await im("integration", "dlq", "prod-pd", "--retry", which) == 0
    assert await im("integration", "dlq", "prod-pd", "--discard", which, "--yes") == 0

    listed = "GET /integrations/prod-pd/dead-letters"
    retried = [f"POST /dead-letters/{each}/retry" for each in reversed(ids)]  # oldest first
    discarded = [f"DELETE /dead-letters/{each}" for each in ids]
    assert daemon.asked() == [listed, *retried, listed, *discarded]


async def test_of_all_that_there_were_somebody_else_may_have_dealt_with_one(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with("GET /integrations/prod-pd/dead-letters", LETTERS)
    daemon.refuses("POST /dead-letters/dlq_2/retry", 404, detail="there is no dead letter dlq_2")
    daemon.refuses("DELETE /dead-letters/dlq_1", 404, detail="there is no dead letter dlq_1")
    daemon.answers_with("POST /dead-letters/dlq_1/retry", {"id": "dlq_1"})
    daemon.answers_with("DELETE /dead-letters/dlq_2", None, status=204)
    assert await im("integration", "dlq", "prod-pd", "--retry", "all") == 0
    assert capsys.readouterr().out == "dlq_1 will be tried again\n"
    assert await im("integration", "dlq", "prod-pd", "--discard", "all", "--yes") == 0
    assert capsys.readouterr().out == "discarded dlq_2\n"
    assert await im("integration", "dlq", "prod-pd", "--retry", "dlq_2") == 4


async def test_one_dead_letter_is_shown_at_a_time(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    assert await im("integration", "dlq", "prod-pd", "--show", "all") == 2
    assert "--show takes one id" in capsys.readouterr().err


async def test_a_dead_letter_of_another_integration_is_left_alone(
    daemon: FakeDaemon, im: Im, capsys: Capture
) -> None:
    daemon.answers_with("GET /integrations/prod-pd/dead-letters", LETTERS)
    assert await im("integration", "dlq", "prod-pd", "--discard", "dlq_9", "--yes") == 4
    assert "dlq_9" in capsys.readouterr().err
    assert await im("integration", "dlq", "prod-pd", "--show", "a", "--retry", "b") == 2
    assert len(daemon.heard) == 1
