"""Webhook subscriptions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from imsync.sandbox import asking, events, ids, queues, refusals, views
from imsync.sandbox.account import Account
from imsync.sandbox.asking import Ask
from imsync.sandbox.refusals import Refusal, invalid
from imsync.sandbox.rows import Json, Subscription

_MOST: Final = 10
_FULL: Final = "Webhook subscription limit exceeded for the selected scope."


def index(account: Account, ask: Ask) -> Json:
    kind, id_ = ask.query.get("filter_type"), ask.query.get("filter_id")
    rows = [
        row
        for row in account.records.subscriptions
        if kind in (None, row.scope.removesuffix("_reference")) and id_ in (None, row.scope_id)
    ]
    return ask.page("webhook_subscriptions", rows, lambda row: views.subscription(row, ask.at))


def show(account: Account, ask: Ask) -> Json:
    return _shown(_find(account, ask), ask)


def create(account: Account, ask: Ask) -> Json:
    """The answer is the only one that ever has the secret."""
    body = ask.wrapped("webhook_subscription")
    if body.get("type") != "webhook_subscription":
        raise invalid("type must be webhook_subscription.")
    method = body.get("delivery_method")
    if not isinstance(method, dict) or method.get("type") != "http_delivery_method":
        raise invalid("delivery_method must be an http_delivery_method.")
    scope, scope_id = _scope(account, body)
    _make_room(account, scope, scope_id)
    table = account.records.subscriptions
    row = table.put(
        Subscription(
            id=account.fresh(ids.short, table),
            method_id=ids.short(account.rng),
            url=_url(method),
            secret=ids.secret(account.rng),
            headers=_headers(method),
            events=_events(account, body),
            scope=scope,
            scope_id=scope_id,
            description=asking.text_at(body, "description") or "",
            active=_flag(body, "active") is not False,
        )
    )
    return {"webhook_subscription": views.subscription(row, ask.at, with_secret=True)}


def update(account: Account, ask: Ask) -> Json:
    row, body = _find(account, ask), ask.wrapped("webhook_subscription")
    if "delivery_method" in body:
        raise invalid("The delivery method of a subscription cannot be changed.")
    changed: dict[str, Any] = {}
    if "events" in body:
        changed["events"] = _events(account, body)
    if "filter" in body:
        scope, scope_id = _scope(account, body)
        if (scope, scope_id) != (row.scope, row.scope_id):
            _make_room(account, scope, scope_id)
        changed |= {"scope": scope, "scope_id": scope_id}
    if (description := asking.text_at(body, "description")) is not None:
        changed["description"] = description
    if (active := _flag(body, "active")) is not None:
        changed["active"] = active
    return _shown(account.records.subscriptions.put(replace(row, **changed)), ask)


def delete(account: Account, ask: Ask) -> None:
    """What it was still owed goes with it."""
    row = _find(account, ask)
    account.records.subscriptions.drop(row.id)
    queues.drop(account, row)


def enable(account: Account, ask: Ask) -> Json:
    """What it missed while disabled stays missed; one that is switched off stays so."""
    row = _find(account, ask)
    active = row.active or account.switches.enabling_switches_on
    enabled = replace(row, active=active, drops=0, disabled_until=0)
    return _shown(account.records.subscriptions.put(enabled), ask)


def ping(account: Account, ask: Ask) -> None:
    events.ping(account, _find(account, ask))


def _find(account: Account, ask: Ask) -> Subscription:
    return asking.there(account.records.subscriptions.get(ask.path["id"]), refusals.not_found)


def _shown(row: Subscription, ask: Ask) -> Json:
    return {"webhook_subscription": views.subscription(row, ask.at)}


def _scope(account: Account, body: Json) -> tuple[str, str]:
    scope = body.get("filter")
    kind = scope.get("type") if isinstance(scope, dict) else None
    if kind == "account_reference":
        return kind, asking.text_at(scope or {}, "id") or ""
    if kind == "service_reference":
        service = account.records.services.get(asking.id_of(scope, "filter"))
        return kind, asking.there(service, refusals.no_such_service).id
    if kind == "team_reference":
        raise invalid("Team not found.")  # the account has none
    raise invalid("filter must refer to an account, a service or a team.")


def _make_room(account: Account, scope: str, scope_id: str) -> None:
    there = account.records.subscriptions
    if sum((row.scope, row.scope_id) == (scope, scope_id) for row in there) >= _MOST:
        raise Refusal(400, 2019, "Product Limit Reached", _FULL)


def _url(method: Json) -> str:
    """Plain http is taken too: nobody has a certificate on their own machine."""
    url = asking.text_at(method, "url") or ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise invalid("delivery_method.url must be a URL.")
    return url


def _headers(method: Json) -> list[Json]:
    found = asking.objects_at(method, "custom_headers") or []
    for header in found:
        name, value = asking.text_at(header, "name"), asking.text_at(header, "value")
        if not name or value is None or not f"{name}{value}".isprintable():
            raise invalid("custom_headers must each have a name and a value.")
    return [{"name": header["name"], "value": header["value"]} for header in found]


def _events(account: Account, body: Json) -> list[str]:
    found = body.get("events")
    if not isinstance(found, list) or not found or not _all_text(found):
        raise invalid("events must be a list of at least one event type.")
    if len(set(found)) != len(found):
        raise invalid("events must be unique.")
    unknown = [event for event in found if event not in events.known(account)]
    if unknown and account.switches.refuse_unknown_events:
        raise invalid(f"Unknown event types: {', '.join(unknown)}.")
    return found


def _all_text(found: Sequence[object]) -> bool:
    return all(isinstance(item, str) for item in found)


def _flag(body: Json, key: str) -> bool | None:
    found = body.get(key)
    if found is not None and not isinstance(found, bool):
        raise invalid(f"{key} must be true or false.")
    return found
