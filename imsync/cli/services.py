"""`im integration service-mapping`: which services come in, as what, and where a type goes."""

import asyncclick as click

from imsync.cli.client import Daemon, Json
from imsync.cli.options import NAME, command
from imsync.cli.output import Output, how_many
from imsync.cli.plan import asked, changed, rehearsable
from imsync.cli.table import facts, table
from imsync.cli.working import ASKING, working
from imsync.errors import NotFound

SHOWN = ("id", "pd_service", "service_name", "incident_type")


@command("add")
@click.argument("integration", type=NAME)
@click.option(
    "--pd-service", "service", required=True, metavar="ID", help="A service there, or its name."
)
@click.option("--incident-type", required=True, metavar="TYPE", help="What it is here.")
@click.option("--unchecked", is_flag=True, help="Do not ask whether there is a service of that id.")
@rehearsable
async def add(
    daemon: Daemon,
    /,
    integration: str,
    service: str,
    incident_type: str,
    unchecked: bool,
    dry_run: bool,
    plan: str | None,
) -> Output:
    """Let a service come in as a type, and incidents of that type go to it.

    Once a service is mapped, only mapped services come in, and the default one.

    \b
    im integration service-mapping add prod-pd --pd-service P123ABC --incident-type infrastructure
    """
    body = {"pd_service": service, "incident_type": incident_type, "unchecked": unchecked}
    query = asked(dry_run=dry_run, plan=plan)
    path = ("integrations", integration, "service-mappings")
    async with working(ASKING):
        return changed(await daemon.post(*path, body=body, query=query), describe)


@command("list")
@click.argument("integration", type=NAME)
async def list_mappings(daemon: Daemon, /, integration: str) -> Output:
    """List the service mappings.

    \b
    im integration service-mapping list prod-pd
    """
    found = await daemon.get("integrations", integration, "service-mappings")
    return Output(found, [table(found["items"], *SHOWN)], note=how_many(found, "service mappings"))


@command("remove")
@click.argument("integration", type=NAME)
@click.option("--pd-service", "service", required=True, metavar="ID", help="Or its name.")
@click.option("--incident-type", metavar="TYPE", help="Only if it is mapped to this.")
@rehearsable
async def remove(
    daemon: Daemon,
    /,
    integration: str,
    service: str,
    incident_type: str | None,
    dry_run: bool,
    plan: str | None,
) -> Output:
    """Take a mapping back. What is linked stays linked.

    \b
    im integration service-mapping remove prod-pd --pd-service P123ABC
    """
    path = ("integrations", integration, "service-mappings")
    listed = (await daemon.get(*path))["items"]
    for one in listed:
        named = service in (one.get("pd_service"), one.get("service_name"))
        if named and incident_type in (None, one.get("incident_type")):
            query = asked(dry_run=dry_run, plan=plan)
            return changed(await daemon.delete(*path, str(one["id"]), query=query), describe)
    mapped = ", ".join(f"{one.get('pd_service')} ({one.get('incident_type')})" for one in listed)
    wanted = f"{service} to {incident_type}" if incident_type else service
    raise NotFound(f"no mapping of {wanted}", hint=f"there are: {mapped or 'none'}")


def describe(mapping: Json) -> Output:
    return Output(mapping, [facts(mapping, *SHOWN)])
