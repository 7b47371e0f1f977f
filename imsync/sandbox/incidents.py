"""The incidents of the account: finding them, and what is done to them beside editing."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from imsync.sandbox import asking, changes, edits, events, ids, incident_views, refusals, views
from imsync.sandbox.account import Account
from imsync.sandbox.acts import Act
from imsync.sandbox.asking import Ask
from imsync.sandbox.refusals import Refusal, invalid
from imsync.sandbox.rows import Incident, Json, Note
from imsync.sandbox.updating import find

_STATUSES: Final = ("triggered", "acknowledged", "resolved")
_MONTH: Final = 30 * 24 * 3_600_000
_LONGEST_SPAN: Final = 184 * 24 * 3_600_000
_SORTS: Final = ("incident_number", "created_at", "resolved_at", "urgency")
_WEEK_S: Final = 604_800
_MOST_NOTES: Final = 2_000
_LONGEST_NOTE: Final = 65_535


def index(account: Account, ask: Ask) -> Json:
    rows = list(_matching(account, ask))
    for key, descending in reversed(_order(ask)):
        rows.sort(key=partial(_sort_key, key), reverse=descending)
    show = partial(incident_views.rest, account, include=ask.included() - {"body"})
    return ask.page("incidents", rows, show)


def _matching(account: Account, ask: Ask) -> Iterator[Incident]:
    since, until = _dates(ask)
    statuses, urgencies = ask.many("statuses"), ask.many("urgencies")
    services, users = ask.many("service_ids"), ask.many("user_ids")
    teams, priorities = ask.many("team_ids"), ask.many("priority_ids")
    if any(status not in _STATUSES for status in statuses):
        raise invalid("Status must be a list of triggered, acknowledged, or resolved.")
    key = ask.query.get("incident_key")
    for row in account.records.incidents:
        if (
            since <= row.created_at <= until
            and (not statuses or row.status in statuses)
            # An empty key is not no key: it finds everything that is open.
            and (key is None or (key in (row.key, row.alert_key) if key else _is_open(row)))
            and (not services or row.service in services)
            and (not users or not row.assignees.keys().isdisjoint(users))
            and (not urgencies or row.urgency in urgencies)
            and (not priorities or row.priority in priorities)
            and not teams  # nobody has one
        ):
            yield row


def _is_open(row: Incident) -> bool:
    return row.status != "resolved"


def _dates(ask: Ask) -> tuple[int, int]:
    """Created when: without `date_range=all`, in the last month unless told otherwise."""
    if ask.query.get("date_range") == "all":
        return asking.ALWAYS
    _, until = ask.span(default=(0, ask.at))
    since, _ = ask.span(default=(until - _MONTH, 0))
    if until - since > _LONGEST_SPAN:
        raise invalid("The date range must be six months at most.")
    return since, until


def _order(ask: Ask) -> list[tuple[str, bool]]:
    found = []
    for part in ask.query.get("sort_by", "created_at:asc").split(","):
        key, _, direction = part.partition(":")
        if key not in _SORTS or direction not in ("", "asc", "desc"):
            raise invalid(f"sort_by must be one or two of {', '.join(_SORTS)}, :asc or :desc.")
        found.append((key, direction == "desc"))
    if len(found) > 2:
        raise invalid("sort_by takes two fields at most.")
    return found


def _sort_key(key: str, row: Incident) -> tuple[int, int]:
    match key:
        case "resolved_at":
            return row.resolved_at or 0, row.number
        case "urgency":
            return int(row.urgency == "low"), 0
        case "created_at":
            return row.created_at, row.number
        case _:
            return row.number, 0


def show(account: Account, ask: Ask) -> Json:
    row = find(account, ask.path["id"])
    return {"incident": incident_views.rest(account, row, ask.included())}


def snooze(account: Account, ask: Ask) -> Json:
    row = find(account, ask.path["id"])
    body = ask.body if isinstance(ask.body, dict) else {}
    duration = body.get("duration")
    if type(duration) is not int or not 1 <= duration <= _WEEK_S:
        raise Refusal(400, 1013, "Snooze Duration Invalid")
    if row.status != "acknowledged":
        raise Refusal(400, 1012, "Incident Not Acknowledged")
    row = edits.snooze(Act.of(account, ask), row, duration)
    return {"incident": incident_views.rest(account, row)}


def merge(account: Account, ask: Ask) -> Json:
    """Resolve the sources into this one, which must be open."""
    target = find(account, ask.path["id"])
    resolved = refusals.already_resolved(account.switches.already_status)
    if target.status == "resolved":
        raise resolved
    body = ask.body if isinstance(ask.body, dict) else {}
    sources = asking.objects_at(body, "source_incidents")
    if not sources:
        raise invalid("source_incidents must be a list of at least one.")
    act = Act.of(account, ask)
    for source in sources:
        row = account.records.incidents.get(asking.id_of(source, "source_incident"))
        if row is None:
            raise Refusal(400, 5001, "Incident Not Found")
        if row.id == target.id:
            raise invalid("An incident cannot be merged into itself.")
        if row.merged_into:
            raise Refusal(400, 1019, "Incident Already Merged")
        if row.status == "resolved":
            raise resolved
        changes.resolve(act, row, into=target.id)
    return {"incident": views.incident_reference(target)}


def publish_status(account: Account, ask: Ask) -> Json:
    row = find(account, ask.path["id"])
    body = ask.body if isinstance(ask.body, dict) else {}
    message = asking.text_at(body, "message")
    if not message:
        raise invalid("Message cannot be empty.")
    if ask.by is None:
        raise invalid("A status update needs somebody who sends it.")
    id_ = ids.short(account.rng)
    act = Act.of(account, ask)
    events.of_status_update(account, row, id_, message, by=act.agent)
    shown = {
        "id": id_,
        "message": message,
        "created_at": ids.to_seconds(ask.at),
        "sender": views.user_reference(account, ask.by),
    }
    for key in ("subject", "html_message"):
        if text := asking.text_at(body, key):
            shown[key] = text
    return {"status_update": shown}


def edit_channel(account: Account, ask: Ask) -> None:
    """Change the details that an incident was made with. No event tells of this."""
    entry = asking.there(account.records.log.get(ask.path["id"]), refusals.not_found)
    wanted = ask.wrapped("channel")
    kind, details = asking.text_at(wanted, "type"), asking.text_at(wanted, "details")
    editable = ("web_trigger", "mobile", *(["api"] if account.switches.edit_api_channel else []))
    if kind not in editable or kind != entry.channel["type"]:
        raise invalid(f"channel.type must be that of the entry, and one of {', '.join(editable)}.")
    if details is None:
        raise invalid("channel.details must be a string.")
    account.records.log.put(replace(entry, channel={**entry.channel, "details": details}))
    row = account.records.incidents[entry.incident]
    if entry.id == row.first_entry:
        Act.of(account, ask).keep(row, details=details)


# Notes.


def notes(account: Account, ask: Ask) -> Json:
    """All of them, newest first: notes know no pages."""
    row = find(account, ask.path["id"])
    found = [note for note in account.records.notes if note.incident == row.id]
    return {"notes": [views.note(account, note) for note in reversed(found)]}


def annotate(account: Account, ask: Ask) -> Json:
    row = find(account, ask.path["id"])
    content = _content(ask)
    if sum(note.incident == row.id for note in account.records.notes) >= _MOST_NOTES:
        raise invalid(f"An incident has at most {_MOST_NOTES} notes.")
    return {"note": views.note(account, Act.of(account, ask).note(row, content))}


def edit_note(account: Account, ask: Ask) -> Json:
    """No event tells of this."""
    note = _note(account, ask)
    edited = Note(note.id, note.incident, note.user, _content(ask), note.created_at, ask.at)
    return {"note": views.note(account, account.records.notes.put(edited))}


def delete_note(account: Account, ask: Ask) -> None:
    account.records.notes.drop(_note(account, ask).id)


def _note(account: Account, ask: Ask) -> Note:
    row = find(account, ask.path["id"])
    note = asking.there(account.records.notes.get(ask.path["note_id"]), refusals.not_found)
    if note.incident != row.id:
        raise refusals.not_found()
    return note


def _content(ask: Ask) -> str:
    content = asking.text_at(ask.wrapped("note"), "content", longest=_LONGEST_NOTE)
    if not (content or "").strip():
        raise invalid("Content cannot be empty.")
    return content or ""
