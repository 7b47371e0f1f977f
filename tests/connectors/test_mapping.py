"""PagerDuty's values and ours: the laws over the whole domain, and the cases people meet."""

from itertools import chain, combinations, product
from typing import Final

import pytest

from imsync.connectors.base import Change, Kind, Snapshot
from imsync.connectors.pagerduty.mapping import (
    STATUS,
    blocks,
    fits,
    maps,
    resets,
)
from imsync.connectors.pagerduty.severities import Severities
from imsync.core.fields import Field, Instant, Severity, Status, Value
from imsync.core.maps import Custom, NotLookedUp, NoTranslation, Pairs, broken_law

FIVE: Final = ("P1", "P2", "P3", "P4", "P5")
SEVERITIES: Final = [severity.value for severity in Severity]


class Known:
    """A directory with two users, one policy, and whatever priorities."""

    def __init__(self, *priorities: str) -> None:
        self.priorities = priorities
        self.ids: dict[tuple[Kind, str], str | None] = {
            (Kind.USER, "bob@example.com"): "PBOB",
            (Kind.USER, "ann@example.com"): "PANN",
            (Kind.USER, "nobody@example.com"): None,
            (Kind.ESCALATION_POLICY, "default"): "PPOL",
        }

    def id_of(self, kind: Kind, name: str) -> str:
        if (kind, name.lower()) not in self.ids:
            raise NotLookedUp(name)
        if (found := self.ids[kind, name.lower()]) is None:
            raise NoTranslation(name)
        return found

    def name_of(self, kind: Kind, id_: str) -> str:
        for (of, name), known in self.ids.items():
            if (of, known) == (kind, id_):
                return name
        raise NotLookedUp(id_)

    def names(self, kind: Kind) -> tuple[str, ...]:
        return self.priorities if kind is Kind.PRIORITY else ()


@pytest.mark.parametrize(
    "names",
    [
        *chain.from_iterable(combinations(FIVE, many) for many in range(6)),
        ("SEV-1", "SEV-2", "SEV-3", "SEV-4", "SEV-5"),
        ("Sev 1", "Sev 2"),
        ("P1", "SEV-1", "p2"),
        ("Critical", "Major", "Minor"),
        ("P0", "P1", "P2", "P10"),
    ],
)
def test_severities_keep_the_laws_whatever_priorities_there_are(names: tuple[str, ...]) -> None:
    map_ = Severities.of(names)
    assert broken_law(map_, SEVERITIES) is None
    for urgency, name, given in product(("high", "low"), ("", *names), (*SEVERITIES, None)):
        read = map_.decode(f"{urgency} {name}".strip(), given=given)
        assert read in SEVERITIES
        # What was read stands: it reads the same wherever it is read again.
        assert map_.decode(f"{urgency} {name}".strip(), given=read) == read


@pytest.mark.parametrize("alone", ["P1", "low P1", "P2", "high P2"])
def test_a_priority_that_people_have_moved_reads_as_what_it_is_written_for(alone: str) -> None:
    moved = Custom({"priority": Pairs({"SEV-1": "P2", "SEV-2": "P1"}, {})})
    map_ = Severities.of(("P1", "P2", "P3", "P4"), moved)
    read = map_.decode(alone, given="SEV-3")
    assert (map_.encode(read) or "").endswith(alone[-2:])


def test_the_other_maps_keep_the_laws() -> None:
    known = maps(Known(*FIVE))
    users, policies = [None, "bob@example.com", "ann@example.com"], [None, "default"]
    assert broken_law(STATUS, [status.value for status in Status]) is None
    assert broken_law(known[Field.SEVERITY], SEVERITIES) is None
    assert broken_law(known[Field.ASSIGNED_TO], users) is None
    assert broken_law(known[Field.ESCALATION_POLICY], policies) is None
    assert broken_law(known[Field.TITLE], ["x", " x \n y ", "x" * 5_000]) is None
    assert broken_law(known[Field.DESCRIPTION], ["x", " x \n y ", None]) is None
    assert set(known) == set(Field)


@pytest.mark.parametrize(
    ("names", "written"),
    [
        ((), ("high", "high", "low", "low")),
        (FIVE, ("high P1", "high P2", "low P3", "low P4")),
        (("P1", "P3"), ("high P1", "high P1", "low P3", "low P3")),
        (("P1", "P2"), ("high P1", "high P2", "low P2", "low P2")),
        (("P2", "P5"), ("high P2", "high P2", "low P5", "low P5")),
        (("Sev 1", "Sev 3"), ("high Sev 1", "high Sev 1", "low Sev 3", "low Sev 3")),
        (("Critical",), ("high", "high", "low", "low")),
    ],
)
def test_a_severity_is_written_as_the_nearest_priority(
    names: tuple[str, ...], written: tuple[str, ...]
) -> None:
    map_ = Severities.of(names)
    assert tuple(map_.encode(severity) for severity in SEVERITIES) == written


@pytest.mark.parametrize(
    ("external", "given", "read"),
    [
        ("high P1", "SEV-4", "SEV-1"),
        ("low P5", None, "SEV-4"),
        ("low P1", "SEV-3", "SEV-1"),  # they contradict: the priority is the finer
        ("high P4", "SEV-1", "SEV-4"),
        ("high", "SEV-1", "SEV-1"),  # no priority: nothing against what is there
        ("high", "SEV-3", "SEV-2"),
        ("low", None, "SEV-3"),
        ("high Meltdown", "SEV-1", "SEV-1"),  # unknown: by urgency
        ("high Meltdown", "SEV-4", "SEV-2"),
        ("high p1", "SEV-2", "SEV-1"),
        ("P2", "SEV-4", "SEV-2"),  # the log's: a priority alone
    ],
)
def test_a_severity_is_read_by_its_priority(external: str, given: Value, read: str) -> None:
    assert Severities.of(FIVE).decode(external, given=given) == read


def test_a_priority_that_stands_for_two_says_nothing_against_either() -> None:
    map_ = Severities.of(("P1", "P3"))
    assert [map_.decode("low P1", given=given) for given in SEVERITIES] == [
        "SEV-1",
        "SEV-2",
        "SEV-1",
        "SEV-1",
    ]


def test_a_priority_says_which_severity_before_the_account_was_asked_for_them() -> None:
    assert Severities.of(()).decode("high P1", given="SEV-2") == "SEV-1"


@pytest.mark.parametrize("external", [None, "", "urgent", "Meltdown"])
def test_neither_urgency_nor_priority_is_no_severity(external: Value) -> None:
    with pytest.raises(NoTranslation):
        Severities.of(FIVE).decode(external, given="SEV-1")
    with pytest.raises(NoTranslation, match="SEV-1, SEV-2"):
        Severities.of(FIVE).encode(external)


def test_closed_is_ours() -> None:
    assert STATUS.encode("closed") == "resolved"
    assert STATUS.decode("resolved", given="closed") == "closed"
    assert STATUS.decode("resolved", given="open") == "resolved"
    assert STATUS.decode("triggered", given="closed") == "open"


def test_people_are_found_whatever_the_case_and_nobody_is_nobody() -> None:
    users = maps(Known())[Field.ASSIGNED_TO]
    assert users.encode("Bob@Example.com") == "PBOB"
    assert users.decode("PBOB", given="Bob@Example.com") == "Bob@Example.com"
    assert users.decode("PBOB", given="ann@example.com") == "bob@example.com"
    assert users.decode("PBOB", given="who@example.com") == "bob@example.com"
    assert users.encode(None) is users.decode(None, given="bob@example.com") is None


def test_unknown_people_are_named_to_people() -> None:
    users = maps(Known())[Field.ASSIGNED_TO]
    with pytest.raises(NoTranslation, match=r"knows no user 'nobody@example\.com'"):
        users.encode("nobody@example.com")
    with pytest.raises(NotLookedUp, match=r"user 'who@example\.com'"):
        users.encode("who@example.com")
    with pytest.raises(NotLookedUp, match="PWHO"):
        users.decode("PWHO", given="nobody@example.com")
    policies = maps(Known())[Field.ESCALATION_POLICY]
    with pytest.raises(NotLookedUp, match="escalation policy 'Night'"):
        policies.encode("Night")


@pytest.mark.parametrize("open_", [True, False])
def test_only_who_is_on_it_cannot_be_written_to_a_resolved_incident(open_: bool) -> None:
    snapshot = Snapshot("Q1", None, {}, Instant(1), open=open_)
    status = "triggered" if open_ else "resolved"
    blocked = {field for field in Field if blocks(field, snapshot, status)}
    assert blocked == (set() if open_ else {Field.ASSIGNED_TO, Field.ESCALATION_POLICY})


def test_what_is_reopened_in_the_same_request_can_be_assigned() -> None:
    snapshot = Snapshot("Q1", None, {}, Instant(1), open=False)
    assert not [field for field in Field if blocks(field, snapshot, "acknowledged")]
    assert list(resets(snapshot, "acknowledged")) == [Field.ASSIGNED_TO]
    assert not resets(snapshot, "resolved")


@pytest.mark.parametrize(
    ("field", "told", "value", "may_be"),
    [
        (Field.SEVERITY, "high P1", "high P1", True),
        (Field.SEVERITY, "high", "high P1", True),
        (Field.SEVERITY, "P1", "high P1", True),
        (Field.SEVERITY, "Sev 1", "high Sev 1", True),
        (Field.SEVERITY, "low", "high P1", False),
        (Field.SEVERITY, "P1", "high P11", False),
        (Field.SEVERITY, "P1", "high", False),
        (Field.TITLE, "high", "high P1", False),
        (Field.TITLE, "x", "x", True),
        (Field.ASSIGNED_TO, None, None, True),
    ],
)
def test_a_line_of_the_log_fits_a_value_by_its_parts(
    field: Field, told: Value, value: Value, may_be: bool
) -> None:
    assert fits(Change("Q1", field, told, Instant(1)), value) is may_be
