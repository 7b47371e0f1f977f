"""What goes first, when to try again, when to give up."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from imsync.core.fields import Field, Instant, Severity
from imsync.core.schedule import FIRST_WAIT, LONGEST_WAIT, RetryPolicy, handicap

NOW = Instant(1_000_000)

policies = st.builds(
    RetryPolicy, multiplier=st.floats(1, 1_000), max_attempts=st.integers(1, 100_000)
)
chances = st.floats(0, 1)
waits = st.integers(0, 10_000_000)


@given(policies, st.integers(1, 100_000), waits, chances)
def test_never_before_it_was_asked_to_and_never_much_later(
    policy: RetryPolicy, attempt: int, retry_after: int, chance: float
) -> None:
    until = policy.next_try(attempt=attempt, now=NOW, retry_after=retry_after, chance=chance)
    assert (until is None) is (attempt >= policy.max_attempts)
    if until is not None:
        assert NOW + retry_after <= until <= NOW + retry_after + LONGEST_WAIT


@given(policies)
def test_gives_up_after_so_many_attempts_and_not_before(policy: RetryPolicy) -> None:
    last = policy.max_attempts
    assert policy.next_try(attempt=last, now=NOW, retry_after=0, chance=0.5) is None
    if last > 1:
        assert policy.next_try(attempt=last - 1, now=NOW, retry_after=0, chance=0.5) is not None


@given(policies, st.integers(1, 200))
def test_waits_grow_from_the_first_to_the_longest(policy: RetryPolicy, attempt: int) -> None:
    patient = RetryPolicy(policy.multiplier, max_attempts=1_000)
    longest = [
        (patient.next_try(attempt=nth, now=NOW, retry_after=0, chance=1) or NOW) - NOW
        for nth in (1, attempt, attempt + 1)
    ]
    assert longest[0] == FIRST_WAIT
    assert longest[1] <= longest[2] <= LONGEST_WAIT


def test_those_who_failed_together_do_not_come_back_together() -> None:
    policy = RetryPolicy()
    tries = [
        policy.next_try(attempt=5, now=NOW, retry_after=0, chance=nth / 10) for nth in range(10)
    ]
    assert len(set(tries)) == 10


def test_severe_incidents_and_pressing_fields_overtake() -> None:
    for field in (*Field, None):
        waits = [handicap(severity, field) for severity in Severity]
        assert waits == sorted(waits)
        assert len(set(waits)) == len(waits)
    for severity in (*Severity, None):
        assert handicap(severity, Field.STATUS) < handicap(severity, Field.TITLE)
        assert handicap(severity, None) == handicap(severity, Field.STATUS)


def test_nothing_starves() -> None:
    """Whatever has waited for twenty seconds goes before anything that has just come."""
    longest = max(handicap(severity, field) for severity, field in product(Severity, Field))
    assert longest <= 20_000
    waiting, newcomer = 0 + longest, 20_000 + handicap(Severity.SEV1, None)
    assert waiting <= newcomer
