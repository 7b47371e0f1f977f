"""What people see and what programs read: rendering, escapes, exit statuses."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import asyncclick as click
import pytest
from rich.cells import cell_len
from rich.console import Console

from imsync.cli.output import Output, complain, encode, how_many, interrupted, show
from imsync.cli.table import (
    Block,
    Facts,
    Table,
    ago,
    cell,
    duration,
    facts,
    plain,
    table,
    when,
)
from imsync.cli.terminal import show as show_on_terminal
from imsync.cli.wire import NoAnswer, Unreachable
from imsync.errors import NotFound, UserError
from imsync.harmless import harmless, prose

HOSTILE = [
    ("\x1b[31mred", "\\x1b[31mred"),
    ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ("\x9b31m", "\\x9b31m"),
    ("a\x00b\x7f", "a\\x00b\\x7f"),
    ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
    ("half \ud800", "half \\ud800"),
]


@pytest.mark.parametrize(("value", "shown"), HOSTILE)
def test_nothing_in_a_value_can_steer_the_terminal(value: str, shown: str) -> None:
    assert cell(value) == shown
    assert prose(value) == shown
    assert shown in plain(table([{"title": value}], "title"))
    assert shown in plain(facts({"title": value}, "title"))


@pytest.mark.parametrize(("value", "shown"), HOSTILE)
def test_json_is_safe_to_look_at_and_still_says_the_same(value: str, shown: str) -> None:
    text = encode({"title": value}, ascii_only=False)

    assert json.loads(text) == {"title": value}
    assert text.replace("\n", "").isprintable()


def test_a_cell_is_one_line_and_prose_keeps_its_lines() -> None:
    assert harmless("one\r\ntwo\tthree") == "one two three"
    assert prose("one\r\ntwo\n") == "one\ntwo"


def test_letters_of_all_people_stay_as_they_are() -> None:
    assert cell("Café 東京 👩‍💻") == "Café 東京 👩‍💻"
    assert "東京" in encode("東京", ascii_only=False)
    assert encode("東京", ascii_only=True).isascii()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), ("", "-"), (True, "yes"), (False, "no"), (0, "0"), (2.0, "2"), ([1], "[1]")],
)
def test_every_value_has_a_cell(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_table_is_aligned_and_nothing_is_cut() -> None:
    rows = [["INC-1", "東京", "x"], ["INC-20", "long title " * 20, "y"]]
    first, second, third = plain(Table(["id", "title", "by"], rows)).splitlines()

    assert first.startswith("ID      TITLE")
    assert second.startswith("INC-1   東京  "), "wide letters take two cells"
    assert third == "INC-20  " + "long title " * 20 + "  y", "nothing is cut"


def test_what_a_thing_lacks_is_not_shown_and_what_is_new_does_no_harm() -> None:
    assert facts({"id": "INC-1", "new": 1}, "id", "title") == Facts([("id", "INC-1")])
    assert table([{"id": "INC-1"}, "odd"], "id", "title") == Table(
        ["id", "title"], [["INC-1", "-"]]
    )


def test_a_time_is_told_exactly_and_how_long_ago_it_was() -> None:
    now = datetime(2026, 11, 3, 14, 4, 6, tzinfo=UTC)
    assert when("2026-11-03T12:04:05.123Z", now=now) == "2026-11-03 12:04:05Z (2h 0m ago)"
    assert when(None) == "-"
    assert when("soon") == "soon"


def test_in_a_table_it_is_told_relatively_under_a_name_that_fits() -> None:
    then = (datetime.now(UTC) - timedelta(days=2, hours=3, minutes=30)).isoformat()
    found = table([{"created_at": then}], "created_at")
    assert found == Table(["created"], [["2d 3h ago"]])


@pytest.mark.parametrize(
    ("second", "shown"),
    [
        (-7_776_000, "in 90d 0h"),
        (-3, "0s ago"),
        (59, "59s ago"),
        (60, "1m 0s ago"),
        (7_199, "1h 59m ago"),
        (90_000, "1d 1h ago"),
    ],
)
def test_how_long_ago_is_said_in_the_two_largest_units(second: int, shown: str) -> None:
    then = datetime(2026, 11, 3, tzinfo=UTC)
    now = datetime.fromtimestamp(then.timestamp() + second, UTC)
    assert ago("2026-11-03T00:00:00.000Z", now=now) == shown
    assert ago(None, now=now) == "-"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (61.9, "1m 1s"), (93_784, "1d 2h"), (None, "-")]
)
def test_uptime_is_said_in_two_units(seconds: object, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UserError("no"), 1),
        (NoAnswer("no"), 1),
        (click.UsageError("no"), 2),
        (Unreachable("no"), 3),
        (NotFound("no"), 4),
    ],
)
def test_every_expected_failure_has_its_exit_status(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complain(error) == status
    assert capsys.readouterr() == ("", "error: no\n")


def test_a_reason_comes_with_what_would_help_and_steers_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    complain(UserError("no\x1b[2J", hint="try\nINC-2"))
    assert capsys.readouterr().err == "error: no\\x1b[2J\nhint: try INC-2\n"


def test_messages_stay_out_of_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output({"items": []}, [Table(["id"], [])], note="no incidents", status=5)

    assert show(output, as_json=True) == 5
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"items": []}, "no incidents\n")

    assert show(output, as_json=False) == 5
    assert capsys.readouterr() == ("", "no incidents\n")


def test_a_list_that_goes_on_says_so() -> None:
    assert how_many({"items": [], "next_cursor": None}, "links") == "no links"
    assert how_many({"items": [1], "next_cursor": None}, "links") == ""
    assert how_many({"items": [1], "next_cursor": "x"}, "links").startswith("the first 1 links")


@pytest.mark.parametrize(("environment", "in_colour"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colour_unless_it_is_refused(
    environment: dict[str, str], in_colour: bool
) -> None:
    console = Console(force_terminal=True, width=40, _environ={"TERM": "xterm", **environment})
    rows = [["INC-1", "SEV-1", "[red]long[/] " * 9]]
    blocks: list[Block] = [Table(["id", "severity", "title"], rows), "end"]

    with console.capture() as captured:
        show_on_terminal(blocks, console=console)

    text = captured.get()
    assert ("\x1b[1;31mSEV-1" in text) is in_colour
    assert "[red]long[/]" in text, "no markup in values"
    assert "INC-1" in text
    assert text.endswith("\n\nend\n")


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120, 200])
def test_on_a_terminal_of_any_width_nothing_is_cut_and_nothing_sticks_out(width: int) -> None:
    """A long e-mail once pushed the titles off the terminal, and cut the ids."""
    columns = ["id", "severity", "status", "updated", "assigned to", "title"]
    rows = [["INC-12345", "SEV-1", "mitigated", "59m 59s ago", "ö" * 50, "東" * 60]]
    console = Console(width=width, file=StringIO())
    with console.capture() as captured:
        show_on_terminal(
            [Table(columns, rows), Facts([("assigned to", "ü" * 90)])], console=console
        )
    text = captured.get()
    counts = [text.count(letter) for letter in "ö東ü"]
    assert counts == [50, 60, 90]
    assert max(map(cell_len, text.splitlines())) <= width
    if width >= 80:
        assert "INC-12345" in text
        assert "59m 59s ago" in text


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_table_that_is_cut_has_one_line_a_row_that_uses_the_width(width: int) -> None:
    columns = ["id", "severity", "status", "updated", "assigned to", "title"]
    row = ["INC-12345", "SEV-1", "mitigated", "59m 59s ago", "ada@acme.example", "東" * 300]
    console = Console(width=width, file=StringIO())
    with console.capture() as captured:
        show_on_terminal([Table(columns, [row], cut=True)], console=console)
    head, line = captured.get().splitlines()
    assert max(cell_len(head), cell_len(line.rstrip())) <= width
    assert line.rstrip().endswith("東…")
    assert all(text in line for text in row[:4])
    assert cell_len(line.rstrip()) >= width - 4


def test_in_a_pipe_it_is_cut_too_and_what_fits_is_whole() -> None:
    rows = [["INC-1", "y" * 300, "x" * 300], ["INC-2", "s", "short"]]
    _, long, short = plain(Table(["id", "by", "title"], rows, cut=True)).splitlines()
    assert long == "INC-1  " + "y" * 39 + "…  " + "x" * 79 + "…", "the last one has more room"
    assert short == "INC-2  s" + " " * 41 + "short"
    assert "x" * 300 in plain(Table(["title"], [["x" * 300]]))


def test_an_interrupt_leaves_the_line_of_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted() == 130
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    interrupted()
    assert capsys.readouterr().err == "\n"
