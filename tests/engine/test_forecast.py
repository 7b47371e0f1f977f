"""What would be done is what is done: exact requests, adoptions, conflicts, and the cost."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from imsync.core.fields import Field, Side
from imsync.core.merge import Rule
from imsync.engine import configure, forecast, review, rules, storm
from imsync.engine.forecast import PlanChanged
from imsync.engine.foreseen import Forecast
from imsync.store import integrations
from imsync.store.database import Connection
from tests.town import Town

Work = Callable[[Connection], Any]


async def foresee(
    town: Town,
    work: Work,
    *,
    dry_run: bool = True,
    expected: str | None = None,
    shown: Mapping[str, Forecast] | None = None,
) -> Forecast:
    _, found = await town.db.run(
        forecast.change,
        "prod-pd",
        work,
        dry_run=dry_run,
        expected=expected,
        shown=shown or {},
        now=town.clock(),
    )
    return found


def configured(town: Town, **settings: object) -> Work:
    now = town.clock()
    return lambda conn: configure.change(conn, "prod-pd", settings, webhook_secret=None, now=now)


def owned(town: Town, field: Field, owner: Side, *, strict: bool = False) -> Work:
    now, rule = town.clock(), Rule(owner, strict=strict)
    return lambda conn: rules.set_rule(
        conn, integrations.named(conn, "prod-pd"), field, rule, now=now
    )


async def owed(town: Town) -> Forecast:
    return await town.db.run(forecast.of_what_is_owed, await town.integration(), now=town.clock())


async def conflicting(town: Town) -> None:
    """Both sides have changed the title, and a person is asked."""
    await town.configure(conflict_strategy="manual-review")
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    await town.act(title="Theirs")
    await town.settle()


async def test_the_requests_that_are_shown_are_the_ones_that_are_sent(town: Town) -> None:
    await town.declare("Start", severity="SEV-3")
    await town.settle()
    await town.edit(title="Now", severity="SEV-1", by="bob@acme.example")
    found = await owed(town)
    (call,) = found.calls
    assert [str(change) for change in call.changes] == [
        "INC-1 title 'Start' -> 'Now'",
        "INC-1 severity 'low P3' -> 'high P1'",
    ]
    sent: list[tuple[str, Any]] = []
    rest: Any = town.crew.account.connector
    real = rest._rest.send

    async def heard(request: Any, *given: Any, **named: Any) -> Any:
        sent.append((request.method, request.body))
        return await real(request, *given, **named)

    rest._rest = type("Ear", (), {"__getattr__": lambda _, name: getattr(real.__self__, name)})()
    rest._rest.send = heard
    before = town.sandbox.requests
    await town.settle(deliveries=False)
    assert sent == [(call.request.method, call.request.body)]
    assert town.sandbox.requests - before == found.requests == 3, "who bob is, a look, a write"


async def test_looking_at_what_is_owed_changes_nothing(town: Town) -> None:
    await town.declare("Start")
    await town.declare("Another", assigned_to="bob@acme.example")
    first = await owed(town)
    assert (len(first.calls), first.calls[0].request.path) == (2, "/incidents")
    assert (await owed(town)).id == first.id
    await town.settle()
    assert len(await town.all_there()) == 2
    assert not await owed(town)


async def test_what_does_not_cross_is_said(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(assigned_to="eve@elsewhere.example")
    (still,) = (await owed(town)).still
    assert (still.incident, still.field) == ("INC-1", "assigned_to")
    assert "not been asked yet" in still.because


async def test_a_dry_run_changes_nothing_and_the_real_one_does_what_it_said(town: Town) -> None:
    await conflicting(town)
    work = configured(town, conflict_strategy="last-write-wins")
    shown = await foresee(town, work)
    assert [str(change) for change in shown.adopted] == ["INC-1 title 'Ours' -> 'Theirs'"]
    (ended,) = shown.ended
    assert (ended.winner, ended.because) == (Side.EXTERNAL, "both sides changed; external was last")
    assert (await town.here())[Field.TITLE] == "Ours"
    assert (await town.conflicts())[0].status == "pending"

    done = await foresee(town, work, dry_run=False, expected=shown.id)
    assert done.id == shown.id
    assert (await town.here())[Field.TITLE] == "Theirs"


async def test_a_strict_rule_shows_what_it_would_put_back(town: Town) -> None:
    await conflicting(town)
    shown = await foresee(town, owned(town, Field.TITLE, Side.PLATFORM, strict=True))
    (call,) = shown.calls
    assert call.request.body == {"incident": {"type": "incident_reference", "title": "Ours"}}
    assert [str(change) for change in call.changes] == ["INC-1 title 'Theirs' -> 'Ours'"]
    assert shown.requests == 2


async def test_what_is_no_longer_sent_is_shown(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Ours")
    shown = await foresee(town, configured(town, sync_direction="inbound"))
    (still,) = shown.still
    assert (still.field, still.because) == (
        "title",
        "only platform changed; the direction is inbound",
    )


async def test_a_change_that_touches_nothing_leads_to_nothing(town: Town) -> None:
    await town.declare("Start")
    await town.settle()
    await town.edit(title="Owed all the same")
    assert not await foresee(town, configured(town, name="PagerDuty"))
    assert not await foresee(town, owned(town, Field.SEVERITY, Side.EXTERNAL))


async def test_it_stops_when_something_else_would_be_done_than_was_shown(town: Town) -> None:
    await conflicting(town)
    work = configured(town, conflict_strategy="last-write-wins")
    shown = await foresee(town, work)
    await town.edit(title="Ours, later")
    with pytest.raises(PlanChanged) as caught:
        await foresee(town, work, dry_run=False, expected=shown.id, shown={shown.id: shown})
    assert "no longer: here, INC-1 title 'Ours' -> 'Theirs'" in str(caught.value)
    assert "'Theirs' -> 'Ours, later'" in str(caught.value)
    assert (await town.integration()).conflict_strategy == "manual-review", "nothing was done"
    with pytest.raises(PlanChanged, match="something else than was shown"):
        await foresee(town, work, dry_run=False, expected=shown.id)


async def test_a_persons_answer_can_be_rehearsed(town: Town) -> None:
    await conflicting(town)
    (conflict,) = await town.conflicts()
    now = town.clock()
    shown = await foresee(
        town, lambda conn: review.resolve(conn, conflict.id, use=Side.PLATFORM, by=None, now=now)
    )
    assert [str(change) for call in shown.calls for change in call.changes] == [
        "INC-1 title 'Theirs' -> 'Ours'"
    ]
    assert (await town.conflicts())[0].status == "pending"


async def test_in_a_storm_the_requests_shown_are_the_bulk_ones_that_are_sent(town: Town) -> None:
    count = storm.LEAST + 3
    for n in range(count):
        await town.declare(f"Incident {n}", severity="SEV-3")
    await town.settle(rounds=20 * count)
    for n in range(1, count + 1):
        await town.edit(n, title=f"Renamed {n}")
    found = await owed(town)
    (call,) = found.calls
    assert (call.request.method, call.request.path) == ("PUT", "/incidents")
    assert (call.incident, len(call.changes)) == (f"{count} incidents", count)
    before = town.sandbox.requests
    await town.settle(deliveries=False)
    assert town.sandbox.requests - before == found.requests == 2
