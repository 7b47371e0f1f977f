"""`im integration`: the connections to external accounts, as they are configured."""

import re
from dataclasses import replace
from typing import Any

import asyncclick as click

from imsync.cli import drift
from imsync.cli.ask import agreed
from imsync.cli.client import Daemon, Json
from imsync.cli.options import (
    DIRECTION,
    FILE,
    NAME,
    STRATEGY,
    Factor,
    Whole,
    Word,
    command,
    given,
    limit,
    yes,
)
from imsync.cli.output import REFUSED, Output, how_many
from imsync.cli.plan import asked, changed, rehearsable
from imsync.cli.secret import choose_secret
from imsync.cli.table import cell, facts, table
from imsync.cli.working import ASKING, working
from imsync.errors import NotFound

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SCOPE = Word("all", "mapped", "none")
CLEARABLE = ("webhook_secret", "from_email", "default_service")


@command("configure")
@click.argument("integration", type=NAME, required=False)
@click.option("--name", type=NAME)
@click.option("--slug", help="Its short name; made from the name otherwise.")
@click.option("--type", "integration_type", metavar="TYPE", help="pagerduty")
@click.option("--org", "organization_id", metavar="ORG")
@click.option("--base-url", metavar="URL")
@click.option("--direction", "sync_direction", type=DIRECTION)
@click.option("--token", help="Its API token. Others here may see it: prefer --token-file.")
@click.option(
    "--token-file", type=FILE, metavar="FILE", help="Read the token from FILE, - for stdin."
)
@click.option("--webhook-secret", metavar="SECRET", help="What signs its webhooks.")
@click.option(
    "--webhook-secret-file", type=FILE, metavar="FILE", help="Read it from FILE, - for stdin."
)
@click.option("--conflict-strategy", type=STRATEGY)
@click.option("--sync-escalations", type=bool, metavar="true|false")
@click.option("--sync-notes", type=bool, metavar="true|false")
@click.option("--rate-limit", type=Whole(min=1), metavar="N", help="Calls a minute.")
@click.option("--backoff-multiplier", type=Factor(min=1), metavar="X")
@click.option("--from-email", metavar="EMAIL", help="Who acts there when nobody known does.")
@click.option(
    "--default-service", metavar="ID", help="Where our incidents are created; or its name."
)
@click.option("--enabled", type=bool, metavar="true|false")
@click.option(
    "--import", "import_open", type=SCOPE, help="Take in what is open there already, and wait."
)
@rehearsable
async def configure(
    daemon: Daemon,
    /,
    integration: str | None,
    token: str | None,
    token_file: str | None,
    webhook_secret: str | None,
    webhook_secret_file: str | None,
    dry_run: bool,
    plan: str | None,
    **settings: Any,
) -> Output:
    """Create an integration, or change what is given of one.

    It is created when INTEGRATION is not given, or when nothing goes by that
    name yet and --name is given.

    \b
    im integration configure --name "Production PagerDuty" --type pagerduty \\
        --org acme-corp --direction bidirectional --token-file token.txt
    im integration configure prod-pd --rate-limit 100 --backoff-multiplier 2
    """
    if (token_file, webhook_secret_file) == ("-", "-"):
        raise click.UsageError("Only one secret can come from standard input.")
    secrets = given(
        token=choose_secret(token, token_file, option="--token"),
        webhook_secret=choose_secret(
            webhook_secret, webhook_secret_file, option="--webhook-secret"
        ),
    )
    body, query = settings_of(secrets, settings), asked(dry_run=dry_run, plan=plan)
    if integration is None:
        if dry_run or plan:
            raise click.UsageError("A new integration changes nothing yet: there is no plan of it.")
        if "name" not in body:
            raise click.UsageError("Which one? Name the INTEGRATION, or create one with --name.")
        return await created(daemon, as_new(body))
    if not body:
        raise click.UsageError("Nothing to change: give at least one option.")
    try:
        async with working(ASKING):
            found = await daemon.patch("integrations", integration, body=body, query=query)
    except NotFound:
        new = as_new(body, called=integration)
        if "name" not in body or integration not in (new["name"], new.get("slug")):
            raise
        return await created(daemon, new)
    output = changed(found, describe)
    return output if dry_run or "import_open" not in body else await imported(daemon, output)


async def created(daemon: Daemon, body: Json) -> Output:
    async with working(ASKING):
        made = await daemon.post("integrations", body=body)
    return await imported(daemon, describe(made))


async def imported(daemon: Daemon, output: Output) -> Output:
    """Wait until what is open there already has been taken in, where it is to be."""
    found = output.data
    if found.get("import_open") not in ("all", "mapped") or found.get("state") != "active":
        return output
    looked = await drift.swept(daemon, str(found["slug"]))
    note = f"what is open there already: {drift.outcome(looked)}"
    return replace(output, note=" ".join(filter(None, (note, output.note))))


def settings_of(secrets: Json, settings: Json) -> Json:
    """What the command line says, as the API takes it. Empty text clears what may be empty."""
    body = given(**settings)
    if secrets:
        body["credentials"] = secrets
    for holder in (body, secrets):
        for name in CLEARABLE:
            if holder.get(name) == "":
                holder[name] = None
    return body


def as_new(body: Json, *, called: str = "") -> Json:
    """The body to create from: as `called`, if that can be its slug, so that it answers to it."""
    new = {"integration_type": "pagerduty", **body}
    if SLUG.fullmatch(called) and called != new.get("name"):
        new.setdefault("slug", called)
    return new


@command("list")
@limit
async def list_integrations(daemon: Daemon, /, limit: int) -> Output:
    """List the integrations.

    \b
    im integration list
    """
    found = await daemon.items("integrations", limit=limit)
    return Output(
        found,
        [table(found["items"], "slug", "state", "enabled", "sync_direction", "name", "id")],
        note=how_many(found, "integrations"),
    )


@command("get")
@click.argument("integration", type=NAME)
async def get(daemon: Daemon, /, integration: str) -> Output:
    """Show how an integration is configured.

    \b
    im integration get prod-pd
    """
    return describe(await daemon.get("integrations", integration))


@command("delete")
@click.argument("integration", type=NAME)
@yes
async def delete(daemon: Daemon, /, integration: str, yes: bool) -> Output:
    """Delete an integration and what imsync knows of its links.

    \b
    im integration delete prod-pd
    """
    gone = await daemon.get("integrations", integration)
    question = f"Delete the integration {integration!r}, its links and what it still owes?"
    if not agreed(question, yes=yes):
        return Output({"deleted": False}, [], note="nothing deleted", status=REFUSED)
    async with working(f"deleting {integration}"):
        await daemon.delete("integrations", str(gone.get("id") or integration))
    return Output(
        {"id": gone.get("id"), "slug": gone.get("slug"), "deleted": True},
        [f"deleted {cell(integration)}"],
    )


def describe(integration: Json) -> Output:
    """An integration as it now is."""
    return Output(
        integration,
        [
            facts(
                integration,
                *("id", "slug", "name", "integration_type", "organization_id", "base_url"),
                *("sync_direction", "conflict_strategy", "sync_escalations", "sync_notes"),
                *("rate_limit", "backoff_multiplier", "from_email", "default_service"),
                *(
                    "enabled",
                    "import_open",
                    "state",
                    "has_token",
                    "has_webhook_secret",
                    "webhook_url",
                ),
                *("created_at", "updated_at"),
            )
        ],
    )
