"""A small, believable account to begin with. The same dice make the same ids."""

import random
from collections.abc import Callable
from typing import Final

from imsync.sandbox import ids
from imsync.sandbox.records import Records
from imsync.sandbox.rows import Policy, Priority, Schedule, Service, Token, User

FROM_EMAIL: Final = "imsync@acme.example"
FOUNDED: Final = 1_704_067_200_000  # Monday, 1 January 2024
_WEEK: Final = 7 * 24 * 3600

_PEOPLE: Final = (
    ("imsync", FROM_EMAIL, "Incident sync"),
    ("Alice Martin", "alice@acme.example", "Site Reliability Engineer"),
    ("Bob Chen", "bob@acme.example", "Site Reliability Engineer"),
    ("Carol Diaz", "carol@acme.example", "Payments Engineer"),
    ("Dave Okafor", "dave@acme.example", "Engineering Manager"),
)
_PRIORITIES: Final = (
    ("P1", "The business stands still", "a8171c"),
    ("P2", "Many customers cannot do what they came for", "eb6016"),
    ("P3", "Some customers are held up", "f9b406"),
    ("P4", "A nuisance", "555555"),
    ("P5", "Worth a look", "555555"),
)


def found(records: Records, rng: random.Random) -> None:
    """Fill an empty account: people, schedules, escalation policies, services, priorities."""
    new = _distinct(rng)
    for name, email, job in _PEOPLE:
        records.users.put(User(new(), name, email, job, "user" if email != FROM_EMAIL else "admin"))
    _, alice, bob, carol, dave = (user.id for user in records.users)
    primary = Schedule(new(), "Primary on call", [alice, bob, carol], FOUNDED, _WEEK)
    backup = Schedule(new(), "Secondary on call", [dave, carol], FOUNDED, _WEEK)
    for schedule in (primary, backup):
        records.schedules.put(schedule)
    platform = Policy(new(), "Platform on call", [[primary.id], [backup.id]])
    payments = Policy(new(), "Payments on call", [[carol], [primary.id]])
    management = Policy(new(), "Management", [[dave], [alice, bob]])
    for policy in (platform, payments, management):
        records.policies.put(policy)
    for name, description, policy in (
        ("Checkout", "From the basket to the receipt", platform),
        ("Payments API", "Cards, wallets and refunds", payments),
        ("Search", "Finding things to buy", platform),
    ):
        records.services.put(Service(new(), name, description, policy.id, FOUNDED))
    for place, (name, description, color) in enumerate(_PRIORITIES):
        order = (len(_PRIORITIES) - place) * 100_000_000
        records.priorities.put(Priority(new(), name, description, color, order, FOUNDED))


def issue_tokens(records: Records, rng: random.Random) -> None:
    """Those that are missing of four: one that may do everything, one that may only read, one
    of Alice's own, and an app's."""
    alice = next(user.id for user in records.users if user.email == "alice@acme.example")
    there = {token.name for token in records.tokens}
    for name, prefix, user in (
        ("full", "", None),
        ("read_only", "", None),
        ("user", "u+", alice),
        ("app", "pdus+", None),
    ):
        if name not in there:
            records.tokens.put(Token(ids.token(rng, prefix), name, user))


def _distinct(rng: random.Random) -> Callable[[], str]:
    made = set[str]()

    def new() -> str:
        while (id_ := ids.short(rng)) in made:
            pass
        made.add(id_)
        return id_

    return new
