"""The log of every incident: what was changed, by whom and when."""

from collections.abc import Collection, Iterator
from typing import Final

from imsync.sandbox import ids, views
from imsync.sandbox.account import Account
from imsync.sandbox.rows import Entry, Incident, Json

AUTO: Final[Json] = {"type": "auto"}

OVERVIEW: Final = frozenset(
    f"{kind}_log_entry"
    for kind in (
        "trigger",
        "acknowledge",
        "unacknowledge",
        "resolve",
        "assign",
        "delegate",
        "escalate",
        "annotate",
        "snooze",
    )
)
"""What `is_overview` shows."""


def write(
    account: Account,
    incident: Incident,
    kind: str,
    *,
    by: str | None,
    summary: str,
    at: int,
    channel: Json,
    **more: object,
) -> Entry:
    """Add an entry. What nobody did, the service did."""
    log = account.records.log
    return log.put(
        Entry(
            id=account.fresh(ids.entry, log),
            kind=f"{kind}_log_entry",
            at=at,
            incident=incident.id,
            service=incident.service,
            agent=by or incident.service,
            summary=summary,
            channel=channel,
            more=more,
        )
    )


def changeset(name: str, value: str | None, old_value: str | None, field_id: str) -> Json:
    """What the channel of an entry says of one edited field: from what and to what."""
    return {
        "changeset": {
            "application_fields": [
                {
                    "id": field_id,
                    "name": name,
                    "value": value,
                    "namespace": "incidents",
                    "old_value": old_value,
                }
            ]
        },
    }


def rest(account: Account, row: Entry, include: Collection[str] = ()) -> Json:
    incident = account.records.incidents[row.incident]
    to_text = ids.to_milliseconds if account.switches.log_entry_milliseconds else ids.to_seconds
    hidden = account.switches.channels_when_included and "channels" not in include
    service = account.records.services[row.service]
    return {
        **_reference(row),
        "type": row.kind,
        "created_at": to_text(row.at),
        "agent": views.agent_reference(account, row.agent),
        "channel": {"type": row.channel["type"]} if hidden else row.channel,
        "service": (
            views.service(account, service)
            if "services" in include
            else views.service_reference(account, row.service)
        ),
        "incident": views.incident_reference(incident),
        "teams": [],
        "contexts": [],
        **row.more,
    }


def first(account: Account, incident: Incident, *, whole: bool) -> Json:
    row = account.records.log[incident.first_entry]
    return rest(account, row, ("channels",)) if whole else _reference(row)


def newest_first(
    account: Account, since: int, until: int, incident: str | None = None
) -> Iterator[Entry]:
    """The entries from `since` until before `until`. They were written in order of time."""
    for row in reversed(account.records.log):
        if row.at < since:
            return
        if row.at < until and incident in (None, row.incident):
            yield row


def _reference(row: Entry) -> Json:
    return {
        "id": row.id,
        "type": f"{row.kind}_reference",
        "summary": row.summary,
        "self": f"{views.API}/log_entries/{row.id}",
        "html_url": f"{views.WEB}/incidents/{row.incident}/log_entries/{row.id}",
    }
