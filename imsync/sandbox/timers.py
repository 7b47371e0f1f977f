"""What happens to an incident by itself: nobody does it, so its events have no agent."""

from imsync.sandbox import changes
from imsync.sandbox.account import Account
from imsync.sandbox.acts import Act


def next_due(account: Account) -> int | None:
    return min((at for row in account.records.incidents for at in row.due.values()), default=None)


def fire(account: Account, now: int) -> bool:
    """Let the one thing happen that has been due longest, if anything is."""
    due = [
        (at, row.number, what, row)
        for row in account.records.incidents
        for what, at in row.due.items()
        if at <= now
    ]
    if not due:
        return False
    _, _, what, row = min(due, key=lambda item: item[:3])
    act = Act(account, None, now)
    with account.records.unit():
        left = {name: at for name, at in row.due.items() if name != what}
        row = act.keep(row, due=left)
        match what:
            case "unacknowledge" if row.status == "acknowledged":
                changes.unacknowledge(act, row)
            case "escalate" if row.status == "triggered":
                changes.escalate(act, row, row.level + 1)
            case "resolve" if row.status != "resolved":
                changes.resolve(act, row)
    return True
