"""`im integration show`: everything of one integration that fits a screen."""

from typing import Any, Final

import asyncclick as click

from imsync.cli import health, maps, rules, services
from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, command
from imsync.cli.output import Output
from imsync.cli.table import Block, Table, cell, facts, table
from imsync.harmless import harmless

THINGS: Final = ("sync-status", "webhook")
LISTS: Final = ("field-ownership", "service-mappings", "maps")
"""The routes that answer what is shown besides its settings."""


@command("show")
@click.argument("integration", type=NAME)
async def show(daemon: Daemon, /, integration: str) -> Output:
    """Show all of an integration: its settings, rules and maps, and how it is doing.

    Secrets are told as present or absent. `get`, `field-ownership list`, `service-mapping list`,
    `map list`, `webhook show` and `sync-status` tell more, each of its part.

    \b
    im integration show prod-pd
    """
    found: dict[str, Any] = {"integration": await daemon.get("integrations", integration)}
    for route in (*THINGS, *LISTS):
        answer = await daemon.get("integrations", integration, route)
        found[route.replace("-", "_")] = answer["items"] if route in LISTS else answer
    return Output(found, shown(found))


def shown(found: Json) -> list[Block]:
    status = found["sync_status"]
    return [
        facts(
            {**found["integration"], **_in_words(found)},
            *("name", "slug", "id", "organization_id", "base_url", "state", "sync_direction"),
            *("conflict_strategy", "carries", "rate_limit", "backoff_multiplier"),
            *("from_email", "default_service", "token", "webhook_secret", "subscription"),
        ),
        Table([*rules.SHOWN[:-1], "observed"], _fields(found)),
        table(found["service_mappings"], *services.SHOWN),
        *_maps(found),
        health.counts(status),
        health.problems(status),
        health.verdict(status),
    ]


def _in_words(found: Json) -> Json:
    integration, webhook = found["integration"], found["webhook"]
    carries = [word for word in ("escalations", "notes") if integration.get(f"sync_{word}")]
    id_ = webhook.get("subscription_id")
    state = cell(webhook.get("state"))
    return {
        "carries": ", ".join(["fields", *carries]),
        "token": _presence(integration.get("has_token")),
        "webhook_secret": _presence(integration.get("has_webhook_secret")),
        "subscription": f"{state} ({cell(id_)})" if id_ else state,
    }


def _presence(there: object) -> str:
    return "present" if there else "absent"


def _fields(found: Json) -> list[list[str]]:
    """Who owns each field, and how edits of it there are noticed."""
    observed = {
        one.get("field"): one.get("observed") for one in found["sync_status"].get("fields") or []
    }
    return [
        [*(cell(rule.get(name)) for name in rules.SHOWN[:-1]), cell(observed.get(rule["field"]))]
        for rule in found["field_ownership"]
    ]


def _maps(found: Json) -> list[Block]:
    """Those that somebody has set; of the others only that there are."""
    set_ = [one for one in found["maps"] if not one.get("default")]
    own = ", ".join(cell(one.get("map")) for one in found["maps"] if one.get("default"))
    blocks = [block for one in set_ for block in maps.shown(one)]
    return [*blocks, harmless(f"imsync's own map holds for: {own}")] if own else blocks
