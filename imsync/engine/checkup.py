"""`im integration test`: everything that has to be well for incidents to be kept in step."""

from collections.abc import Awaitable, Callable, Sequence

from imsync.connectors.base import Check
from imsync.core.fields import Side
from imsync.engine import proving
from imsync.engine.account import Account
from imsync.errors import ExternalError
from imsync.store import integrations, services, value_maps
from imsync.store.database import Connection
from imsync.store.integrations import Integration


async def check_up(
    account: Account, *, root: str | None, sleep: Callable[[float], Awaitable[object]]
) -> Sequence[Check]:
    """The account, what is configured against it, and the way that webhooks come.

    `root`: where the daemon says that it is reached. A suspended integration resumes when
    nothing that it cannot do without fails.
    """
    checks = await the_account(account)
    well = is_well(checks)
    if well and await account.suspended():
        await account.resume()
    checks += await account.db.read(what_is_set, account.id)
    if well:
        checks += await the_maps(account)
        checks += await proving.checks(account, root=root, sleep=sleep)
    return checks


async def the_account(account: Account) -> list[Check]:
    """Reach, credentials, clock, user, and every service that incidents are to be created in."""
    try:
        wanted = await account.db.read(services_of, account.id)
        return list(await account.connector.check(wanted))
    except ExternalError as error:
        return [Check("reach", False, str(error), error.hint)]


def is_well(checks: Sequence[Check]) -> bool:
    """Whether nothing fails without which no request could be made at all."""
    return all(check.ok for check in checks if check.vital)


async def the_maps(account: Account) -> list[Check]:
    """Whether the priorities that severities are written as still exist there."""
    try:
        await account.load_priorities()
    except ExternalError as error:
        return [Check("priorities", False, str(error), error.hint, vital=False)]
    return await account.db.read(priorities, account.id, sorted(account.priorities))


# Units of work.


def services_of(conn: Connection, integration_id: str) -> list[str]:
    """The services that incidents declared here may go to, each once."""
    integration = integrations.get(conn, integration_id)
    mapped = [one.service_id for one in services.every(conn, integration_id)]
    default = [integration.default_service] if integration.default_service else []
    return list(dict.fromkeys([*default, *mapped]))


def what_is_set(conn: Connection, integration_id: str) -> list[Check]:
    """A service to create incidents in, and a secret to know deliveries by."""
    integration = integrations.get(conn, integration_id)
    checks = []
    if not services_of(conn, integration_id) and integration.sync_direction.lets(Side.PLATFORM):
        hint = f"`im integration configure {integration.slug} --default-service ID`"
        missing = "none is set: incidents declared here wait for one"
        checks.append(Check("service", False, missing, hint, vital=False))
    if integrations.secrets(conn, integration_id):
        return [*checks, Check("webhook secret", True, "there is one")]
    hint = f"`im integration webhook install {integration.slug}`"
    missing = "there is none, so webhooks are refused"
    return [*checks, Check("webhook secret", False, missing, hint, vital=False)]


def priorities(conn: Connection, integration_id: str, there: Sequence[str]) -> list[Check]:
    integration = integrations.get(conn, integration_id)
    if not there:
        return [Check("priorities", True, "the account has none: urgency alone is kept in step")]
    gone = sorted(set(_written(conn, integration)) - set(there))
    if not gone:
        return [Check("priorities", True, f"severities are written as {', '.join(there)}")]
    return [
        Check(
            "priorities",
            False,
            f"the priority map names {', '.join(gone)}, which the account does not have",
            f"`im integration map set {integration.slug} priority …`; there are {', '.join(there)}",
            vital=False,
        )
    ]


def _written(conn: Connection, integration: Integration) -> list[str]:
    """The priorities that people set for severities."""
    custom = value_maps.custom(conn, integration.id)
    return [name for name in custom["priority"].out.values() if name != "none"]
