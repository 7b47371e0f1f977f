"""The note that carries a description: people see what it is, and so do we."""

from hypothesis import given
from hypothesis import strategies as st

from imsync.connectors.pagerduty.notes import (
    LONGEST,
    bounded,
    description_note,
    is_description_note,
)


@given(st.text())
def test_a_description_note_is_known_again(description: str) -> None:
    assert is_description_note(description_note(description))


def test_it_says_what_it_is() -> None:
    assert description_note("Disk\nfull") == "Description (kept in step by imsync)\n\nDisk\nfull"


def test_other_notes_are_not_mistaken_for_one() -> None:
    for text in ("", "Description", "On it", "Re: Description (kept in step by imsync)\n\nDisk"):
        assert not is_description_note(text)


def test_it_is_known_however_its_lines_were_ended() -> None:
    assert is_description_note("Description (kept in step by imsync)\r\n\r\nDisk")


@given(st.integers(LONGEST - 4, LONGEST + 4), st.sampled_from(["x", "é", "\U0001f525"]))
def test_no_note_is_longer_than_a_note_may_be(length: int, letter: str) -> None:
    text = "x" * (length - 40) + letter * 40
    cut = bounded(text)
    assert len(cut.encode()) <= LONGEST
    assert (cut == text) is (len(text.encode()) <= LONGEST)
    assert cut == text or cut.endswith("…")
    assert bounded(cut) == cut
