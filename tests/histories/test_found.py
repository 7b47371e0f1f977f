"""Stories that random histories told first, one for each thing that was wrong.

A seed is the same story only for as long as histories draw as they do, so each is told here
by hand, with the number it was found under.
"""

from collections.abc import Callable
from random import Random

from imsync.core.fields import Field, Side
from imsync.core.merge import Rule, Strategy
from imsync.store import outbox
from tests.histories.elsewhere import PRIORITIES, USERS, Row
from tests.histories.here import drive
from tests.histories.history import History
from tests.histories.oracle import check

PCID, PDEE = USERS["cid@acme.example"], USERS["dee@acme.example"]


def world(*strategies: Strategy, max_attempts: int = 50, **account: object) -> History:
    """One account, or one for each strategy; nothing fails but what a story makes fail."""
    h = History(Random(1), max_attempts=max_attempts)
    for strategy in strategies or (Strategy.LAST_WRITE_WINS,):
        h.connect(strategy, **account)
    for crew in h.crews:
        drive(crew.account.load_priorities())
    return h


def at_rest(
    *strategies: Strategy, max_attempts: int = 50, **values: str
) -> tuple[History, int, Row]:
    """An incident that was declared here and stands there."""
    h = world(*strategies, max_attempts=max_attempts)
    number = h.declare(**{"title": "t 1", "severity": "SEV-3", **values})
    h.rest()
    h.clock.at += 60_000
    return h, number, row_of(h)


def row_of(h: History, index: int = 0) -> Row:
    return next(iter(h.there[index].rows.values()))


def until(h: History, happened: Callable[[], bool]) -> None:
    """Outbound goes on, turn by turn, until that has happened."""
    for _ in range(60):
        if happened():
            return
        h.crews[0].go_on("outbound", 1)
    raise AssertionError("it never happens")


def all_is_well(h: History) -> bool:
    found = check(h)
    assert not found, "\n".join([*found, *h.told])
    return True


def here(h: History, number: int, field: Field) -> str | None:
    (row,) = h.db.conn.execute(
        "SELECT value FROM incident_fields WHERE incident_id = ? AND field = ?", (number, field)
    )
    value: str | None = row["value"]
    return value


def test_a_value_is_set_back_while_its_write_is_in_doubt() -> None:
    """6036: nothing was owed then, nobody settled the write, and the link stood still for ever."""
    h, number, row = at_rest()
    h.set(number, Field.TITLE, "t 2")
    h.write_unheard(0)
    h.crash()
    h.set(number, Field.TITLE, "t 1")
    assert all_is_well(h)
    assert row.title == "t 1"


def test_a_field_is_edited_between_the_look_that_let_go_of_it_and_the_write() -> None:
    """5924: it was written without its lease, and nothing of that write was ever confirmed."""
    h, number, row = at_rest()
    h.set(number, Field.TITLE, "t 2")
    h.set(number, Field.SEVERITY, "SEV-1")
    h.edit(0, row, "title", "t 2")
    until(h, lambda: "title" not in outbox.owed(h.db.conn, 1))
    h.set(number, Field.TITLE, "t 3")
    assert all_is_well(h)
    assert row.title == "t 3"


def test_what_a_look_adopts_comes_back_from_another_link() -> None:
    """5073: the field was let go of by the decision that had been made before it came back."""
    h, number, row = at_rest(Strategy.LAST_WRITE_WINS, Strategy.LAST_WRITE_WINS)
    h.set(number, Field.TITLE, "t 2")
    h.set(number, Field.SEVERITY, "SEV-1")
    h.go_on(1, "outbound", 10_000)
    h.clock.at += 2_000
    h.edit(0, row, "title", "t 3")
    h.rule(1, Field.TITLE, Rule(Side.EXTERNAL, strict=True))
    h.go_on(0, "outbound", 10_000)
    assert all_is_well(h)
    assert row.title == "t 2"


def test_an_edit_in_two_parts_is_covered() -> None:
    """2116: of a severity that the log tells in parts, only the last part was on record."""
    h = world(has_priorities=True)
    number = h.declare(title="t 1", severity="SEV-3")
    h.rest()
    row = row_of(h)
    h.set(number, Field.SEVERITY, "SEV-1")
    h.look_only(0)
    h.edit(0, row, "priority", "P4")
    h.edit(0, row, "urgency", "high")
    assert all_is_well(h)
    assert "high P4" in [one.external.value for one in h.conflicts()]


def test_a_part_of_what_we_were_writing_is_set_by_somebody_else() -> None:
    """5531: a write that never left counted as landed, for they had set a part of its value."""
    h = world(has_priorities=True)
    number = h.declare(title="t 1", severity="SEV-2")
    h.rest()
    row = row_of(h)
    h.set(number, Field.SEVERITY, "SEV-4")
    h.look_only(0)
    h.crash()
    h.edit(0, row, "urgency", "low")
    h.edit(0, row, "urgency", "high")
    assert all_is_well(h)
    assert here(h, number, Field.SEVERITY) == "SEV-4"


def test_somebody_else_sets_later_what_a_write_of_ours_would_have_set() -> None:
    """2123: theirs was taken for ours, and what was edited here before it was pushed over it."""
    h, number, row = at_rest()
    h.set(number, Field.STATUS, "resolved")
    h.look_only(0)
    h.crash()
    h.set(number, Field.STATUS, "open")
    h.clock.at += 600_000
    h.edit(0, row, "status", "resolved")
    assert all_is_well(h)
    assert row.status == "resolved"


def test_what_we_have_written_is_set_back_there_before_we_hear_of_it() -> None:
    """1185: an acknowledgement, un-acknowledged there while its answer was lost."""
    h, number, row = at_rest()
    h.set(number, Field.STATUS, "mitigated")
    h.write_unheard(0)
    h.edit(0, row, "status", "triggered")
    h.crash()
    assert all_is_well(h)
    assert here(h, number, Field.STATUS) == "open"


def test_nobody_can_be_asked_for_a_name_when_its_id_is_shown_for_the_last_time() -> None:
    """8796: a resolved incident shows no assignee, so the id was never met, nor read, again."""
    h, number, row = at_rest(assigned_to="ann@acme.example")
    h.edit(0, row, "assignee", PCID)
    h.hear(0, h.there[0].wire.pop())
    h.crews[0].road.trouble = 1.0
    h.crews[0].finish("inbound")
    h.crews[0].road.trouble = 0.0
    h.edit(0, row, "status", "resolved")
    h.rest()
    assert here(h, number, Field.ASSIGNED_TO) == "cid@acme.example"
    assert all_is_well(h)


def test_nobody_can_be_asked_for_a_name_when_an_incident_appears() -> None:
    """1155: that nobody was assigned here then counted as our edit, and won over theirs."""
    h = world()
    h.appear(0, "t 1", assignee=PCID)
    h.hear(0, h.there[0].wire.pop())
    h.crews[0].road.trouble = 1.0
    h.crews[0].finish("inbound")
    h.crews[0].road.trouble = 0.0
    h.rest()
    assert here(h, 1, Field.ASSIGNED_TO) == "cid@acme.example"
    assert all_is_well(h)


def test_a_sweep_meets_an_edited_link_in_the_middle_of_a_write() -> None:
    """592: the log counted as read, and the edit was dated by when it was seen at last."""
    h, number, row = at_rest()
    h.set(number, Field.DESCRIPTION, "d 1")
    until(h, lambda: "sending" in outbox.owed(h.db.conn, 1).values())
    h.edit(0, row, "status", "acknowledged")
    h.clock.at += 1_000
    h.set(number, Field.STATUS, "resolved")
    h.clock.at += 10_000
    h.crews[0].finish("drift")
    h.crash()
    assert all_is_well(h)
    assert row.status == "resolved", "that was the later edit"


def test_what_was_filled_in_when_we_created_it_is_no_later_edit() -> None:
    """467: it was dated by when it was found again, and won over whom people had assigned since."""
    h = world()
    number = h.declare(title="t 1", severity="SEV-3", assigned_to="ghost@nowhere.example")
    h.write_unheard(0)
    h.crash()
    h.clock.at += 60_000
    h.set(number, Field.ASSIGNED_TO, "cid@acme.example")
    assert all_is_well(h)
    assert row_of(h).assignee == PCID


def test_it_was_edited_within_the_second_in_which_we_created_it() -> None:
    """700: by the log's cut times that was how we had created it, and was pushed over."""
    h = world()
    h.clock.at -= h.clock.at % 1_000
    h.declare(title="t 1", severity="SEV-3")
    h.write_unheard(0)
    h.edit(0, row_of(h), "assignee", PCID)
    h.crash()
    h.clock.at += 60_000
    h.set(1, Field.ASSIGNED_TO, "dee@acme.example")
    assert all_is_well(h)
    assert PCID in [one.external.value for one in h.conflicts()]


def test_a_description_is_taken_back_while_its_note_is_in_doubt() -> None:
    """1993: no log tells of notes, and that was taken to say that there was none."""
    h, number, row = at_rest()
    h.set(number, Field.DESCRIPTION, "d 1")
    h.write_unheard(0)
    h.crash()
    h.set(number, Field.DESCRIPTION, None)
    assert all_is_well(h)
    assert len(row.notes) == 1


def test_a_held_field_is_back_at_the_base_when_the_strategy_changes() -> None:
    """4272: it was held for ever, though nobody was to be asked any more."""
    h, number, row = at_rest(Strategy.MANUAL_REVIEW)
    h.set(number, Field.TITLE, "t 2")
    h.edit(0, row, "title", "t 3")
    h.crews[0].finish("drift")
    assert [one.status for one in h.conflicts()] == ["pending"]
    h.set(number, Field.TITLE, "t 3")
    h.change(0, conflict_strategy=Strategy.LAST_WRITE_WINS)
    h.clock.at += 2_000
    h.edit(0, row, "title", "t 1")
    assert all_is_well(h)
    assert here(h, number, Field.TITLE) == "t 1"


def test_a_held_field_is_decided_on_a_later_edit_than_a_person_was_asked_about() -> None:
    """4969: the edit that won, or the one that lost, was on record nowhere."""
    h, number, row = at_rest(Strategy.MANUAL_REVIEW)
    h.set(number, Field.TITLE, "t 2")
    h.edit(0, row, "title", "t 3")
    h.crews[0].finish("drift")
    h.set(number, Field.TITLE, "t 3")
    h.change(0, conflict_strategy=Strategy.LAST_WRITE_WINS)
    h.edit(0, row, "title", "t 4")
    h.clock.at += 2_000
    assert all_is_well(h)
    assert "t 4" in [one.external.value for one in h.conflicts()]


def test_an_old_event_shows_what_has_been_set_again_since() -> None:
    """752: it lent its time to the later edit, which then counted as the earlier one."""
    h, number, row = at_rest()
    h.set(number, Field.TITLE, "t 2")
    h.edit(0, row, "status", "acknowledged")
    old = h.there[0].wire.pop()
    h.go_on(0, "outbound", 10_000)
    h.rest()
    h.edit(0, row, "status", "triggered")
    h.rest()
    h.set(number, Field.STATUS, "resolved")
    h.clock.at += 2_000
    h.edit(0, row, "status", "acknowledged")
    h.hear(0, old)
    h.crews[0].finish("inbound")
    assert all_is_well(h)
    assert row.status == "acknowledged", "that was the later edit"


def test_a_severity_is_written_before_anybody_asked_for_the_priorities() -> None:
    """8996: written without one, it read back as what the old priority had meant."""
    h = History(Random(1))
    h.connect(has_priorities=True)
    row = h.appear(0, "t 1", priority=PRIORITIES[0])
    h.hear(0, h.there[0].wire.pop())
    h.go_on(0, "inbound", 10_000)
    h.set(1, Field.SEVERITY, "SEV-2")
    h.go_on(0, "outbound", 10_000)
    assert all_is_well(h)
    assert row[Field.SEVERITY] == "high P2"


def test_what_is_adopted_from_one_integration_is_older_than_what_another_agreed_on() -> None:
    """2538: it was not owed for as long as its name was not looked up, so nobody looked it up."""
    h, number, row = at_rest(
        Strategy.OWNERSHIP_PRIORITY, Strategy.LAST_WRITE_WINS, assigned_to="ann@acme.example"
    )
    h.rule(0, Field.ASSIGNED_TO, Rule(Side.EXTERNAL, priority=5))
    h.clock.at += 500 - h.clock.at % 1_000
    h.edit(0, row, "assignee", PCID)
    h.edit(1, row_of(h, 1), "assignee", PDEE)
    h.hear(1, h.there[1].wire.pop())
    h.crews[1].finish("inbound")
    assert all_is_well(h)
    assert here(h, number, Field.ASSIGNED_TO) == "cid@acme.example"


def test_what_a_write_in_doubt_may_have_set_is_changed_and_set_back_there() -> None:
    """1788: by its value alone nobody had edited it since, and ours was pushed over it."""
    h, number, row = at_rest()
    h.set(number, Field.TITLE, "t 2")
    h.look_only(0)
    h.crash()
    h.clock.at += 10_000
    h.edit(0, row, "title", "t 2")
    h.set(number, Field.TITLE, "t 3")
    h.clock.at += 10_000
    h.edit(0, row, "title", "t 4")
    h.edit(0, row, "title", "t 2")
    assert all_is_well(h)
    assert here(h, number, Field.TITLE) == "t 2", "that was the last edit"


def test_what_somebody_reopens_comes_with_the_assignee_that_we_were_about_to_set() -> None:
    """2260: the line of that assignee was taken for ours, and with it all that its maker did."""
    h, number, row = at_rest(status="resolved", assigned_to="ann@acme.example")
    h.set(number, Field.STATUS, "mitigated")
    h.look_only(0)
    h.edit(0, row, "status", "triggered")
    h.clock.at += 4_000
    assert all_is_well(h)
    assert "triggered" in [one.external.value for one in h.conflicts()]


def test_somebody_sets_what_we_are_about_to_set_and_then_something_else() -> None:
    """2868: of two lines that could be ours the wrong one hid what its maker did next."""
    h, number, row = at_rest()
    h.set(number, Field.STATUS, "resolved")
    h.look_only(0)
    h.edit(0, row, "status", "resolved")
    h.edit(0, row, "status", "acknowledged")
    assert all_is_well(h)
    assert "acknowledged" in [one.external.value for one in h.conflicts()]


def test_what_was_given_up_on_in_doubt_had_been_carried_out() -> None:
    """2629: nobody asked the log any more, and what was set back since was no edit by its value."""
    h, number, row = at_rest(max_attempts=1)
    h.set(number, Field.TITLE, "t 2")
    h.write_unheard(0)
    h.crews[0].road.trouble = 1.0
    h.go_on(0, "outbound", 10_000)
    h.crews[0].road.trouble = 0.0
    h.clock.at += 10_000
    h.edit(0, row, "title", "t 1")
    assert all_is_well(h)
    assert here(h, number, Field.TITLE) == "t 1", "that was the last edit"


def test_two_lines_may_be_ours_and_each_of_them_covered_another_edit() -> None:
    """8960: what lay before the likelier one was kept, what lay before the other was not."""
    h, number, row = at_rest()
    h.set(number, Field.TITLE, "t 2")
    h.look_only(0)
    for title in ("t 3", "t 2", "t 4"):
        h.edit(0, row, "title", title)
    assert all_is_well(h)
    assert {"t 3", "t 4"} <= {one.external.value for one in h.conflicts()}


def test_somebody_sets_one_field_as_we_were_about_to_and_acknowledges() -> None:
    """14550: the urgency was taken for ours, and the acknowledgement for what it brought along."""
    h = world(has_priorities=False)
    number = h.declare(title="t 1", severity="SEV-2")
    h.rest()
    row = row_of(h)
    h.set(number, Field.SEVERITY, "SEV-3")
    h.set(number, Field.STATUS, "resolved")
    h.look_only(0)
    h.edit(0, row, "urgency", "low")
    h.edit(0, row, "status", "acknowledged")
    assert all_is_well(h)
    assert "acknowledged" in [one.external.value for one in h.conflicts()]
