"""Who is on call: schedules, and the levels of escalation policies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imsync.sandbox.account import Account
from imsync.sandbox.rows import Policy, Schedule


@dataclass(frozen=True, slots=True)
class Shift:
    user: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OnCall:
    """One user at one level of one policy: always, or by a schedule for the length of a shift."""

    policy: Policy
    level: int
    user: str
    schedule: Schedule | None = None
    shift: Shift | None = None


def targets(policy: Policy) -> frozenset[str]:
    """The users and schedules of all levels."""
    return frozenset(target for level in policy.levels for target in level)


def shifts(schedule: Schedule, since: int, until: int) -> Iterator[Shift]:
    """The shifts that touch this time, whole."""
    turn = schedule.turn_seconds * 1000
    number = (since - schedule.start) // turn
    while (start := schedule.start + number * turn) <= until:
        yield Shift(schedule.users[number % len(schedule.users)], start, start + turn)
        number += 1


def on_call(account: Account, policy: Policy, since: int, until: int) -> Iterator[OnCall]:
    """Everybody on call for this policy in this time, by level."""
    if account.switches.nobody_on_call:
        return
    for level, targets in enumerate(policy.levels, 1):
        for target in targets:
            schedule = account.records.schedules.get(target)
            if schedule is None:
                yield OnCall(policy, level, target)
            else:
                for shift in shifts(schedule, since, until):
                    yield OnCall(policy, level, shift.user, schedule, shift)


def whom_to_page(account: Account, policy: Policy, level: int, at: int) -> Sequence[str]:
    """The users of one level just now, each once."""
    return list(
        dict.fromkeys(duty.user for duty in on_call(account, policy, at, at) if duty.level == level)
    )
