"""`im declare` and `im incident`: the platform's incidents."""

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, SEVERITY, STATUS, command, given, limit
from imsync.cli.output import Output, how_many
from imsync.cli.table import Block, Table, Verbatim, ago, cell, facts, table
from imsync.harmless import harmless, prose


@command("declare")
@click.option("--sev", "--severity", "severity", type=SEVERITY, required=True)
@click.option("--title", required=True, help="What is wrong, in one line.")
@click.option("--description", help="What is known so far.")
@click.option("--incident-type", help="For example: infrastructure.")
@click.option("--assign", "assigned_to", metavar="EMAIL", help="Who takes it.")
@click.option("--escalation-policy", metavar="NAME")
@click.option("--integration", type=NAME, help="Where it goes, when several would take it.")
async def declare(daemon: Daemon, /, **fields: str | None) -> Output:
    """Declare an incident.

    \b
    im declare --sev SEV-2 --title "Checkout is slow"
    im declare --sev SEV-1 --title "Database down" --assign ada@example.com
    """
    return describe(await daemon.post("incidents", body=given(**fields)))


@command("list")
@click.option("--status", type=STATUS)
@click.option("--severity", "--sev", "severity", type=SEVERITY)
@click.option("--integration", type=NAME, help="Only what is linked there.")
@limit
async def list_incidents(daemon: Daemon, /, limit: int, **filters: str | None) -> Output:
    """List incidents, the newest first.

    \b
    im incident list --status open
    im incident list --severity SEV-1 --format json
    """
    found = await daemon.items("incidents", limit=limit, **filters)
    columns = ("id", "severity", "status", "updated_at", "assigned_to", "title")
    return Output(
        found,
        [table(found["items"], *columns, cut=True)],
        note=how_many(found, "incidents"),
    )


@command("show")
@click.argument("incident", type=NAME)
async def show(daemon: Daemon, /, incident: str) -> Output:
    """Show an incident and what it is linked to.

    \b
    im incident show INC-1
    """
    return describe(await daemon.get("incidents", incident))


@command("update")
@click.argument("incident", type=NAME)
@click.option("--title")
@click.option("--description")
@click.option("--severity", "--sev", "severity", type=SEVERITY)
@click.option("--status", type=STATUS)
@click.option("--assign", "assigned_to", metavar="EMAIL", help='Who takes it; "" for nobody.')
@click.option("--escalation-policy", metavar="NAME", help='"" for none.')
@click.option("--incident-type", help='"" for none.')
async def update(daemon: Daemon, /, incident: str, **fields: str | None) -> Output:
    """Change what is given of an incident, and nothing else.

    \b
    im incident update INC-1 --severity SEV-1 --title "Checkout is down"
    im --as ada@example.com incident update INC-1 --assign ""
    """
    changes = given(**fields)
    if not changes:
        raise click.UsageError("Nothing to change: give at least one option.")
    for name in {"assigned_to", "escalation_policy", "incident_type"} & changes.keys():
        changes[name] = changes[name] or None
    return describe(await daemon.patch("incidents", incident, body=changes))


def move(verb: str, *, to: str, says: str) -> click.Command:
    """A command that sets the status of an incident, and nothing else."""

    async def run(daemon: Daemon, /, incident: str) -> Output:
        return describe(await daemon.patch("incidents", incident, body={"status": to}))

    run.__doc__ = f"{says}\n\n\b\nim incident {verb} INC-1\n"
    return command(verb)(click.argument("incident", type=NAME)(run))


mitigate = move("mitigate", to="mitigated", says="Say that an incident is being taken care of.")
resolve = move("resolve", to="resolved", says="Say that an incident is over.")
close = move("close", to="closed", says="Close an incident: it is over and dealt with.")
reopen = move("reopen", to="open", says="Say that an incident is not over after all.")


@command("note")
@click.argument("incident", type=NAME)
@click.argument("text")
async def note(daemon: Daemon, /, incident: str, text: str) -> Output:
    """Write a note into an incident's timeline.

    \b
    im incident note INC-1 "Rolled back to 1.4.2"
    """
    if not text.strip():
        raise click.UsageError("The note is empty.")
    entry = await daemon.post("incidents", incident, "notes", body={"text": text})
    return Output(entry, [facts(entry, "id", "at", "by", "text")])


@command("timeline")
@click.argument("incident", type=NAME)
@limit
async def timeline(daemon: Daemon, /, incident: str, limit: int) -> Output:
    """Show what happened to an incident.

    \b
    im incident timeline INC-1
    """
    found = await daemon.items("incidents", incident, "timeline", limit=limit)
    rows = [
        [ago(entry.get("at")), whose(entry), cell(entry.get("kind")), happened(entry)]
        for entry in found["items"]
    ]
    return Output(
        found, [Table(["when", "by", "kind", "what"], rows)], note=how_many(found, "entries")
    )


def whose(entry: Json) -> str:
    """Who it was; where nobody knows, in which integration."""
    by, where = entry.get("by"), entry.get("integration")
    return cell(by) if by or not where else f"({cell(where)})"


def happened(entry: Json) -> str:
    """A timeline entry in a few words: a change as from and to, everything else as its text."""
    if not entry.get("field"):
        return cell(entry.get("text"))
    change = f"{cell(entry['field'])}: {cell(entry.get('old'))} -> {cell(entry.get('new'))}"
    return f"{change} ({harmless(entry['text'])})" if entry.get("text") else change


def describe(incident: Json) -> Output:
    """An incident as it now is."""
    text: list[Block] = [
        facts(
            incident,
            *("id", "title", "severity", "status", "assigned_to", "escalation_policy"),
            *("incident_type", "organization_id", "created_at", "updated_at"),
        )
    ]
    if description := incident.get("description"):
        text.append(prose(str(description)))
    if links := incident.get("links"):
        text.append(table(links, "integration", "external_id", "state"))
        # In one piece, so that it can be opened from a narrow terminal too.
        urls = [harmless(str(url)) for link in links if (url := link.get("external_url"))]
        text.append(Verbatim("\n".join(urls)))
    return Output(incident, text)
