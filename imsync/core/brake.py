"""The brake: a sweep that would change very much at once is stopped, and a person is asked.

So many incidents do not drift by themselves: another account behind the same address, a
wrong key, or a PagerDuty that answers nonsense would look just like it.
"""

MANY = 500
"""More changed incidents than this are too many, ..."""

FEW = 50
"""... and up to this many never are; in between it is ..."""

SHARE = 0.5
"""... the share of all that were looked at."""


def stops(changed: int, met: int) -> bool:
    """Whether a sweep that would change so many of the incidents that it met is stopped."""
    return changed > MANY or (changed > FEW and changed > SHARE * met)
