"""What goes by another name over there by now: nobody tells of it, and it is followed."""

from dataclasses import replace

from imsync.connectors.base import Kind
from imsync.core.fields import Field
from imsync.store.database import Connection
from imsync.store.directory import Directory
from tests.engine.test_drift import poll
from tests.town import Town

HOUR = 3_600_000


def name_of_policy(town: Town, number: int) -> str:
    return str(town.account["escalation_policies"][number]["name"])


async def there(town: Town) -> str:
    return str((await town.there())["escalation_policy"]["id"])


async def swap_names(town: Town, one: int, other: int) -> None:
    policies = town.sandbox._records.policies
    first, second = (policies[town.account["escalation_policies"][n]["id"]] for n in (one, other))
    with town.sandbox._records.unit():
        policies.put(replace(first, name=second.name))
        policies.put(replace(second, name=first.name))


async def test_a_name_that_another_policy_has_by_now_is_asked_for_again(town: Town) -> None:
    """Found by thinking: what was looked up once was believed for ever."""
    known, usual = name_of_policy(town, 1), name_of_policy(town, 0)
    await town.declare(escalation_policy=known)
    await town.settle()
    await town.edit(escalation_policy=usual)
    await town.settle()
    await swap_names(town, 1, 2)  # neither is on any incident that could show it
    town.clock.at += HOUR
    await poll(town)
    await town.edit(escalation_policy=known)
    await town.settle()
    by_name = {one["name"]: one["id"] for one in town.account["escalation_policies"]}
    assert await there(town) == by_name[known]
    assert (await town.here())[Field.ESCALATION_POLICY] == known


async def test_what_is_shown_all_the_time_needs_no_asking(town: Town) -> None:
    """A look at an incident tells the names on it."""
    known, usual = name_of_policy(town, 1), name_of_policy(town, 0)
    await town.declare(escalation_policy=known)
    await town.settle()
    await town.edit(escalation_policy=usual)
    await town.settle()
    town.clock.at += HOUR
    await town.sweep()
    before = town.sandbox.requests
    await town.edit(escalation_policy=usual, title="New", by=None)
    await town.settle()
    assert town.sandbox.requests == before + 2, "a look and a write"


async def test_a_late_delivery_brings_no_old_name_back(town: Town) -> None:
    await town.declare()
    await town.settle()
    policy_id, policies = await there(town), town.sandbox._records.policies
    await town.act(priority="P1")  # its delivery, still on its way, tells the name of now
    with town.sandbox._records.unit():
        policies.put(replace(policies[policy_id], name="Payments, renamed"))
    assert await town.crew.drift.step(whole=True)
    await town.settle()

    def name(conn: Connection) -> str:
        return Directory(conn, "int_test").name_of(Kind.ESCALATION_POLICY, policy_id)

    assert await town.db.read(name) == "Payments, renamed"


async def test_a_priority_that_is_renamed_is_nobodys_edit(town: Town) -> None:
    await town.declare(severity="SEV-2")
    await town.settle()
    priorities = town.sandbox._records.priorities
    row = next(one for one in priorities if one.name == "P2")
    with town.sandbox._records.unit():
        priorities.put(replace(row, name="Sev 2"))
    await town.sweep()
    assert (await town.here())[Field.SEVERITY] == "SEV-2"
    assert await town.conflicts() == []
    await town.edit(severity="SEV-1")
    await town.settle()
    await town.edit(severity="SEV-2")
    await town.settle()
    assert (await town.there())["priority"]["id"] == row.id
    assert (await town.here())[Field.SEVERITY] == "SEV-2"
    assert await town.dead_letters() == []


async def test_a_priority_whose_new_name_says_nothing_keeps_what_it_stood_for(town: Town) -> None:
    await town.declare(severity="SEV-1")
    await town.settle()
    priorities = town.sandbox._records.priorities
    row = next(one for one in priorities if one.name == "P1")
    with town.sandbox._records.unit():
        priorities.put(replace(row, name="All hands"))
    await town.sweep()
    assert (await town.here())[Field.SEVERITY] == "SEV-1"
    assert (await town.there())["priority"]["summary"] == "All hands"


async def test_a_person_whose_address_changed_is_the_same_person(town: Town) -> None:
    await town.declare(assigned_to="carol@acme.example")
    await town.settle()
    users = town.sandbox._records.users
    carol = next(one for one in users if one.email == "carol@acme.example")
    with town.sandbox._records.unit():
        users.put(replace(carol, email="carol.diaz@acme.example"))
    await town.edit(assigned_to="bob@acme.example")
    await town.settle()
    await town.edit(assigned_to="carol.diaz@acme.example")
    await town.settle()
    (assigned,) = (await town.there())["assignments"]
    assert assigned["assignee"]["id"] == carol.id
    assert (await town.field("assigned_to")).blocked is None
