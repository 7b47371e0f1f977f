"""Reading another's clock through whole seconds and an unknown delay."""

from hypothesis import example, given
from hypothesis import strategies as st

from imsync.core.fields import Instant
from imsync.core.offset import Offset

START = 1_700_000_000_000
offsets = st.integers(-100_000_000, 100_000_000)
exchanges = st.lists(
    st.tuples(st.integers(0, 600_000), st.integers(0, 5_000), st.integers(0, 5_000)),
    min_size=1,
    max_size=20,
)
"""Pause, way there, way back, in milliseconds."""


def heard(offset: int, sent: int, there: int, back: int) -> Offset:
    """What one answer tells, from a clock that is really `offset` ahead."""
    date = (sent + there + offset) // 1_000 * 1_000
    return Offset.measured(
        date=Instant(date), sent=Instant(sent), received=Instant(sent + there + back)
    )


@given(offsets, exchanges)
def test_the_true_offset_is_always_inside(offset: int, answers: list[tuple[int, int, int]]) -> None:
    at, known = START, None
    for pause, there, back in answers:
        at += pause
        newer = heard(offset, at, there, back)
        known = known.narrowed(newer) if known else newer
        assert known.low <= offset <= known.high
        assert abs(known.ms - offset) <= known.high - known.low + 1
        at += there + back


@given(offsets, st.floats(-20e-6, 20e-6), exchanges)
def test_nor_does_it_leave_when_the_clocks_part(
    offset: int, parting: float, answers: list[tuple[int, int, int]]
) -> None:
    at, known = START, None
    for pause, there, back in answers:
        at += pause
        newer = heard(offset + int((at + there - START) * parting), at, there, back)
        known = known.narrowed(newer) if known else newer
        at += there + back
        assert known.low - 2 <= offset + (at - START) * parting <= known.high + 2


@given(offsets, exchanges)
def test_more_answers_never_tell_less(offset: int, answers: list[tuple[int, int, int]]) -> None:
    at, known = START, None
    for pause, there, back in answers:
        at += pause
        newer = heard(offset, at, there, back)
        known = known.narrowed(newer) if known else newer
        assert known.high - known.low <= newer.high - newer.low
        at += there + back


def test_narrows_to_a_fraction_of_a_second_within_a_few_requests() -> None:
    at, known = START, heard(4_321, START, 20, 20)
    for _ in range(20):
        at += 370  # so that the seconds are cut at ever other places
        known = known.narrowed(heard(4_321, at, 20, 20))
    assert known.high - known.low < 200
    assert abs(known.ms - 4_321) < 200


@given(offsets, offsets)
@example(370, 310)  # so near that the old range meets the new ones for most of a round
def test_a_clock_that_was_set_is_found_out(before: int, after: int) -> None:
    at, known = START, heard(before, START, 20, 20)
    for _ in range(60):
        at += 370
        known = known.narrowed(heard(before, at, 20, 20))
    for _ in range(160):
        at += 370
        known = known.narrowed(heard(after, at, 20, 20))
    assert abs(known.ms - after) < 200


def test_nearly_right_is_left_alone() -> None:
    """Within what is known, no correction is the likeliest one."""
    assert heard(300, START, 20, 20).ms == 0
