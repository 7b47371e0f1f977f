"""The laws of value maps, and that a map which breaks one is refused with the proof."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imsync.core.fields import Value
from imsync.core.maps import Choice, Line, NoTranslation, Same, ValueMap, broken_law

URGENCY = Choice(
    {"SEV-1": "high", "SEV-2": "high", "SEV-3": "low", "SEV-4": "low"},
    {"high": "SEV-2", "low": "SEV-3"},
)
texts = st.text(max_size=40) | st.text(alphabet=" \n\ta\u00a0é\U0001f525", max_size=12)
titles = texts.filter(str.strip)


def test_a_choice_keeps_the_laws_over_all_it_knows() -> None:
    assert broken_law(URGENCY, URGENCY.there) is None


@given(st.lists(titles, max_size=5), st.integers(1, 8))
def test_a_line_keeps_the_laws_whatever_is_written(values: list[Value], limit: int) -> None:
    assert broken_law(Line(limit), values) is None


@given(st.lists(st.none() | texts, max_size=5))
def test_the_same_keeps_the_laws(values: list[Value]) -> None:
    assert broken_law(Same(), values) is None


@given(st.none() | texts, st.integers(1, 8))
def test_a_line_is_one_line_no_longer_than_allowed(title: Value, limit: int) -> None:
    line = Line(limit).encode(title)
    assert line is not None
    assert len(line) <= limit
    assert line == line.strip()
    assert len(line.splitlines()) <= 1


def test_a_cut_title_does_not_come_back_cut() -> None:
    assert Line(5).decode("It is", given="It is on fire") == "It is on fire"
    assert Line(5).decode("It wa", given="It is on fire") == "It wa"


@pytest.mark.parametrize("blank", [None, "", "  ", "\n\t\u00a0"])
@pytest.mark.parametrize("here", [None, "It is on fire"])
def test_a_blank_line_is_nothing_that_can_stand_here(blank: Value, here: Value) -> None:
    with pytest.raises(NoTranslation, match="blank"):
        Line(5).decode(blank, given=here)


def test_a_lossy_value_says_nothing_against_the_one_that_is_there() -> None:
    assert URGENCY.decode("high", given="SEV-1") == "SEV-1"
    assert URGENCY.decode("high", given="SEV-4") == "SEV-2"
    assert URGENCY.decode("low", given=None) == "SEV-3"


@pytest.mark.parametrize("value", [None, "SEV-5", "high"])
def test_what_has_no_counterpart_is_refused_by_name(value: Value) -> None:
    with pytest.raises(NoTranslation, match=repr(value)):
        URGENCY.encode(value)


@dataclass(frozen=True)
class Forgetful:
    """Writes everything as x, and reads x as one thing whatever was there."""

    def encode(self, value: Value) -> Value:
        return "x"

    def decode(self, value: Value, *, given: Value) -> Value:
        return "b"


BROKEN: list[tuple[ValueMap, list[str]]] = [
    (Forgetful(), ["'a' is written as 'x', which reads back as 'b'"]),
    (Choice({"a": "x", "b": "y"}, {"x": "b", "y": "b"}), ["'x'", "'b'", "'y'"]),
    (Choice({"a": "x", "b": "y"}, {"y": "b"}), ["'x'", "'b'", "is not one of y"]),
    (Choice({"a": "x"}, {"x": "a"}), ["'b'", "it takes a"]),
    (Choice({"a": "x", "b": "y"}, {"x": "z", "y": "b"}), ["'x'", "'b'", "'z'"]),
]


@pytest.mark.parametrize(("broken", "shown"), BROKEN)
def test_a_broken_map_is_refused_with_the_values_that_show_it(
    broken: ValueMap, shown: list[str]
) -> None:
    found = broken_law(broken, ["a", "b"])
    assert found is not None
    assert all(part in found for part in shown), found
