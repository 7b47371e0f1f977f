"""Everything of the account that is only looked up: people, services, duty, the log."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, TypeVar

from imsync.sandbox import duty, ids, incident_views, log, views
from imsync.sandbox.account import Account
from imsync.sandbox.asking import Ask, there
from imsync.sandbox.duty import OnCall
from imsync.sandbox.records import Row, Table
from imsync.sandbox.refusals import Refusal, invalid, not_found
from imsync.sandbox.rows import Entry, Json, Policy, Schedule, Service

T = TypeVar("T")
R = TypeVar("R", bound=Row)

ABILITIES: Final = ("sso", "teams", "urgencies", "coordinated_responding", "event_rules")
_UNPAID: Final = ("advanced_reports", "preview_incident_alert_split")
_DAY: Final = 24 * 3_600_000


# Users.


def users(account: Account, ask: Ask) -> Json:
    """`query` finds any part of a name or an e-mail address."""
    found = _search(account.records.users, ask, lambda row: f"{row.name}\n{row.email}")
    return ask.page("users", found, views.user)


def user(account: Account, ask: Ask) -> Json:
    return {"user": views.user(_one(account.records.users, ask))}


def me(_: Account, ask: Ask) -> Json:
    """Whose key this is; a key of the account is nobody's."""
    if ask.owner is None:
        raise invalid("This endpoint needs a key of a user, not one of the account.")
    return {"user": views.user(ask.owner)}


# Services, escalation policies, schedules.


def services(account: Account, ask: Ask) -> Json:
    rows: Iterable[Service] = _search(account.records.services, ask, lambda row: row.name)
    if name := ask.query.get("name"):
        rows = [row for row in rows if row.name == name]
    return ask.page("services", rows, partial(views.service, account))


def service(account: Account, ask: Ask) -> Json:
    return {"service": views.service(account, _one(account.records.services, ask))}


def policies(account: Account, ask: Ask) -> Json:
    rows: Iterable[Policy] = _search(account.records.policies, ask, lambda row: row.name)
    if users := set(ask.many("user_ids")):
        rows = [row for row in rows if not users.isdisjoint(duty.targets(row))]
    return ask.page("escalation_policies", rows, partial(views.policy, account))


def policy(account: Account, ask: Ask) -> Json:
    return {"escalation_policy": views.policy(account, _one(account.records.policies, ask))}


def schedules(account: Account, ask: Ask) -> Json:
    found = _search(account.records.schedules, ask, lambda row: row.name)
    return ask.page("schedules", found, lambda row: _schedule(account, row))


def schedule(account: Account, ask: Ask) -> Json:
    """With its layers, and who is on call when: for two weeks unless told otherwise."""
    row = _one(account.records.schedules, ask)
    since, until = ask.span(default=(ask.at, ask.at + 14 * _DAY))
    if until - since > 366 * _DAY:
        raise invalid("The date range must be a year at most.")
    entries = [
        {
            "start": ids.to_seconds(max(shift.start, since)),
            "end": ids.to_seconds(min(shift.end, until)),
            "user": views.user_reference(account, shift.user),
        }
        for shift in duty.shifts(row, since, until)
        if shift.start < until
    ]
    rendered = {"rendered_schedule_entries": entries, "rendered_coverage_percentage": 100.0}
    start = ids.to_seconds(row.start)
    layer = {
        "id": f"{row.id}1",
        "name": "Layer 1",
        "start": start,
        "end": None,
        "rotation_virtual_start": start,
        "rotation_turn_length_seconds": row.turn_seconds,
        "users": [{"user": views.user_reference(account, id_)} for id_ in row.users],
        "restrictions": [],
        **rendered,
    }
    overrides = {"name": "Overrides", "rendered_schedule_entries": []}
    return {
        "schedule": {
            **_schedule(account, row),
            "schedule_layers": [layer],
            "final_schedule": {"name": "Final Schedule", **rendered},
            "overrides_subschedule": {**overrides, "rendered_coverage_percentage": 0.0},
        }
    }


def _schedule(account: Account, row: Schedule) -> Json:
    used = [
        views.policy_reference(account, policy.id)
        for policy in account.records.policies
        if row.id in duty.targets(policy)
    ]
    return views.whole(
        "schedule",
        row.id,
        row.name,
        time_zone="Etc/UTC",
        description="",
        users=[views.user_reference(account, id_) for id_ in row.users],
        escalation_policies=used,
        teams=[],
    )


def oncalls(account: Account, ask: Ask) -> Json:
    """By policy and level, just now unless told otherwise."""
    since, until = ask.span(default=(ask.at, ask.at))
    if until > ask.at + 90 * _DAY or until < since:
        raise invalid("until must be after since, and within 90 days.")
    rows = [
        row
        for policy in account.records.policies
        for row in duty.on_call(account, policy, since, until)
        if _among(ask.many("escalation_policy_ids"), policy.id)
        and _among(ask.many("user_ids"), row.user)
        and _among(ask.many("schedule_ids"), row.schedule.id if row.schedule else "")
    ]
    if ask.query.get("earliest") == "true":
        first = {(row.policy.id, row.level, row.user): row for row in reversed(rows)}
        rows = [row for row in rows if first[row.policy.id, row.level, row.user] is row]
    return ask.page("oncalls", rows, partial(_oncall, account, ask))


def _oncall(account: Account, ask: Ask, row: OnCall) -> Json:
    include, records = ask.included(), account.records
    schedule = row.schedule
    return {
        "escalation_policy": (
            views.policy(account, row.policy)
            if "escalation_policies" in include
            else views.policy_reference(account, row.policy.id)
        ),
        "escalation_level": row.level,
        "schedule": schedule and views.reference("schedule", schedule.id, schedule.name),
        "user": (
            views.user(records.users[row.user])
            if "users" in include
            else views.user_reference(account, row.user)
        ),
        "start": ids.to_seconds(row.shift.start) if row.shift else None,
        "end": ids.to_seconds(row.shift.end) if row.shift else None,
    }


# What the account has.


def priorities(account: Account, ask: Ask) -> Json:
    """From the most severe; an account without the feature has no such page."""
    if not account.switches.priorities:
        raise not_found()
    return ask.page("priorities", account.records.priorities, views.priority)


def abilities(_: Account, __: Ask) -> Json:
    return {"abilities": list(ABILITIES)}


def ability(_: Account, ask: Ask) -> None:
    if ask.path["id"] in _UNPAID:
        raise Refusal(402, 2014, "Missing Ability")
    if ask.path["id"] not in ABILITIES:
        raise not_found()


# The log.


def log_entries(account: Account, ask: Ask) -> Json:
    """Newest first; of one incident or of the whole account."""
    incident = ask.path.get("id")
    if incident is not None and incident not in account.records.incidents:
        by_number = (row.id for row in account.records.incidents if str(row.number) == incident)
        incident = there(next(by_number, None), not_found)
    rows: Iterable[Entry] = log.newest_first(account, *ask.span(), incident)
    if ask.query.get("is_overview") == "true":
        rows = [row for row in rows if row.kind in log.OVERVIEW]
    return ask.page("log_entries", rows, partial(_entry, account, ask))


def log_entry(account: Account, ask: Ask) -> Json:
    return {"log_entry": _entry(account, ask, _one(account.records.log, ask))}


def _entry(account: Account, ask: Ask, row: Entry) -> Json:
    shown = log.rest(account, row, ask.included())
    if "incidents" in ask.included():
        incident = account.records.incidents[row.incident]
        shown["incident"] = incident_views.rest(account, incident)
    return shown


def _one(table: Table[R], ask: Ask) -> R:
    return there(table.get(ask.path["id"]), not_found)


def _among(wanted: Iterable[str], value: str) -> bool:
    return not (chosen := set(wanted)) or value in chosen


def _search(rows: Iterable[T], ask: Ask, text: Callable[[T], str]) -> list[T]:
    """Those whose text has the query somewhere in it."""
    query = ask.query.get("query", "").casefold()
    return [row for row in rows if query in text(row).casefold()]
