"""What is kept for how long, table by table, and the forgetting of the rest.

RULES is the whole of it: a table that is not there is never pruned. Incidents, links, bases,
what is owed, conflicts (what lost can be restored from them), notes and dead letters stay
until somebody deletes them. The newest row of a table always stays: its number is what
streams and looks are resumed by, and must not be given out again.
"""

from dataclasses import dataclass
from typing import Final

from imsync.core.fields import Instant
from imsync.store.database import Connection

WINDOW: Final = 500
"""How many rows one unit of work looks at: others wait for the writer meanwhile."""

LEAST: Final = 3 * 86_400
"""The shortest time (s) to keep: PagerDuty sends a delivery again for two days, and it must
still be known by its id then."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which rows of a table (`t`) are needed no more: those older than `:before` that `gone` names.

    Never a test of age alone where something else could still ask for the row.
    """

    table: str
    gone: str


@dataclass(frozen=True, slots=True)
class Pruned:
    read_to: int  # where the next look at this table begins
    rows: int  # how many were forgotten


def _over(incident: str) -> str:
    """The incident has been resolved or closed for that long: nothing of an open one goes."""
    return (
        f"EXISTS (SELECT 1 FROM incident_fields s WHERE s.incident_id = {incident}"
        " AND s.field = 'status' AND s.value IN ('resolved', 'closed') AND s.at < :before)"
    )


RULES: Final = (
    # Applied, or dead and discarded. What a dead letter is about goes when the letter goes.
    Rule(
        "inbox",
        "t.received_at < :before AND t.state <> 'pending'"
        " AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.inbox_id = t.id)",
    ),
    # The newest of every verdict explains what a field is now, and when that was confirmed.
    Rule(
        "journal",
        "t.at < :before AND EXISTS (SELECT 1 FROM journal n WHERE n.link_id = t.link_id"
        " AND n.field = t.field AND n.verdict = t.verdict AND n.id > t.id)",
    ),
    # Only changes that others have followed. Notes are known again by their ids.
    Rule(
        "timeline",
        "t.at < :before AND t.kind = 'changed' AND EXISTS (SELECT 1 FROM timeline n"
        "  WHERE n.incident_id = t.incident_id AND n.field = t.field AND n.id > t.id)"
        f" AND {_over('t.incident_id')}",
    ),
    # From the oldest on, without a hole: whoever resumes a stream is told what is missing.
    Rule(
        "events",
        "t.id < COALESCE("
        "(SELECT e.id FROM events e WHERE e.at >= :before ORDER BY e.id LIMIT 1), t.id + 1)",
    ),
    # Settled, and read past in the log of the other side. The newest says when we last wrote.
    Rule(
        "writes",
        "t.sent_at < :before AND t.state IN ('done', 'failed')"
        " AND EXISTS (SELECT 1 FROM writes n WHERE n.link_id = t.link_id AND n.field = t.field"
        "              AND n.state = 'done' AND n.at > COALESCE(t.at, t.sent_at))"
        " AND EXISTS (SELECT 1 FROM links l JOIN integrations g ON g.id = l.integration_id"
        "              WHERE l.id = t.link_id AND l.state <> 'creating'"
        "                AND g.log_read_to > COALESCE(t.at, t.sent_at)"
        f"               AND {_over('l.incident_id')})",
    ),
)


def prune(
    conn: Connection, rule: Rule, *, after: int, before: Instant, window: int = WINDOW
) -> Pruned | None:
    """Forget what may go of the next `window` rows after number `after`; None at the end."""
    (to,) = conn.execute(
        f"SELECT MAX(id) FROM (SELECT id FROM {rule.table} WHERE id > ? ORDER BY id LIMIT ?)",
        (after, window),
    ).fetchone()
    if to is None:
        return None
    gone = conn.execute(
        f"DELETE FROM {rule.table} AS t WHERE t.id > :after AND t.id <= :to"
        f" AND t.id < (SELECT MAX(id) FROM {rule.table}) AND {rule.gone}",
        {"after": after, "to": to, "before": before},
    )
    return Pruned(to, gone.rowcount)
