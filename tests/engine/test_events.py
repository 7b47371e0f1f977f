"""Every kind of event happens, in its transaction, and carries what it is documented to."""

from typing import Any

from pydantic import TypeAdapter

from imsync.api import shapes
from imsync.api.answers.events import DATA, Event
from imsync.core.fields import Field, Side
from imsync.core.maps import Pairs
from imsync.core.merge import Rule, Strategy
from imsync.core.schedule import LONGEST_WAIT
from imsync.engine import (
    configure,
    dead_letters,
    forecast,
    installing,
    maps,
    review,
    rules,
    services,
    sweeping,
)
from imsync.engine.sweeping import Met
from imsync.store import events, integrations
from imsync.store.events import Type
from tests.engine import hooks
from tests.town import Town, town_of

HAPPENED: set[str] = set()
MADE = 2
"""The events that tell how the town's integration was made: it, and its secret."""


async def happened(town: Town, after: int = MADE) -> list[tuple[str, dict[str, Any]]]:
    """The events after that number, each held to what its type is documented to carry."""
    look = await town.db.read(events.after, after, limit=1_000)
    found = [shapes.event(row, source="imsync") for row in look.events]
    for event in found:
        fits(Event, event)
        fits(DATA[Type(event["type"])], event["data"])
    HAPPENED.update(event["type"] for event in found)
    return [(event["type"].removeprefix("imsync."), event["data"]) for event in found]


def fits(shape: Any, value: object) -> None:
    """All that the shape names, and nothing more."""
    checked = TypeAdapter(shape).validate_python(value)
    assert checked == value


async def kinds(town: Town, after: int = MADE) -> list[str]:
    return [kind for kind, _ in await happened(town, after)]


async def last(town: Town) -> int:
    return (await town.db.read(events.span))[1]


async def start(town: Town, severity: str = "SEV-3") -> int:
    """An incident that stands on both sides; the number of the last event about that."""
    await town.declare("Start", severity=severity)
    await town.settle()
    return await last(town)


async def test_an_incident_is_declared_linked_and_what_was_sent_is_confirmed(town: Town) -> None:
    await town.declare("Start", severity="SEV-3")
    ((kind, data),) = await happened(town)
    assert kind == "incident.declared"
    assert data == {
        "incident": "INC-1",
        "integration": None,
        "by": "alice@acme.example",
        "title": "Start",
        "severity": "SEV-3",
        "status": "open",
    }
    await town.settle()
    _, linked, *rest = await happened(town)
    assert linked[0] == "incident.linked"
    assert linked[1]["external_id"] == await town.external_id()
    assert linked[1]["external_url"].endswith(await town.external_id())
    confirmed = {data["field"]: data for kind, data in rest if kind == "write.confirmed"}
    assert confirmed["title"]["value"] == "Start"
    assert confirmed["title"]["integration"] == "prod-pd"
    assert confirmed["title"]["lag_ms"] > 0


async def test_edits_on_both_sides_say_who_and_where_from(town: Town) -> None:
    before = await start(town)
    await town.edit(title="Ours")
    await town.settle()
    await town.act(status="acknowledged")
    await town.settle()
    ours, arrived, *theirs = await happened(town, before)
    assert ours[0] == "incident.changed"
    assert ours[1] == {
        "incident": "INC-1",
        "integration": None,
        "by": "alice@acme.example",
        "side": "platform",
        "field": "title",
        "old": "Start",
        "new": "Ours",
    }
    assert arrived[0] == "write.confirmed"
    assert (arrived[1]["field"], arrived[1]["value"]) == ("title", "Ours")
    (status,) = [data for _, data in theirs if data.get("field") == "status"]
    assert (status["side"], status["integration"]) == ("external", "prod-pd")
    assert (status["old"], status["new"], status["by"]) == ("open", "mitigated", "Dave Okafor")


async def test_an_incident_that_appears_there_says_where_it_came_from(town: Town) -> None:
    await town.trigger("Disk full")
    await town.settle()
    kind, data = (await happened(town))[0]
    assert (kind, data["integration"], data["title"]) == (
        "incident.declared",
        "prod-pd",
        "Disk full",
    )


async def test_notes_and_escalations(town: Town) -> None:
    before = await start(town, severity="SEV-1")
    await town.call(
        "POST",
        f"/incidents/{await town.external_id()}/notes",
        {"note": {"content": "On it"}},
    )
    await town.settle()
    ((kind, data),) = await happened(town, before)
    assert (kind, data["text"], data["integration"]) == ("incident.noted", "On it", "prod-pd")
    before = await last(town)
    await town.act(escalation_level=2)
    await town.settle()
    assert "incident.escalated" in await kinds(town, before)


async def test_a_conflict_is_opened_edited_on_and_decided_by_a_person(town: Town) -> None:
    await town.configure(conflict_strategy=Strategy.MANUAL_REVIEW)
    before = await start(town)
    await town.edit(title="Here")
    await town.act(title="There")
    await town.settle()
    opened = dict(await happened(town, before))["conflict.opened"]
    assert (opened["conflict"], opened["status"], opened["winner"]) == ("cfl_1", "pending", None)
    assert opened["platform"] == {"value": "Here", "by": "alice@acme.example"}
    assert opened["external"] == {"value": "There", "by": "Dave Okafor"}

    before = await last(town)
    await town.edit(title="Here, later")
    assert "conflict.updated" in await kinds(town, before)

    before = await last(town)
    await town.db.run(review.resolve, 1, use=Side.EXTERNAL, by="ada@acme.example", now=town.clock())
    decided, changed = await happened(town, before)
    assert decided[0] == "conflict.decided"
    assert (decided[1]["by"], decided[1]["winner"]) == ("ada@acme.example", "external")
    assert (changed[0], changed[1]["new"]) == ("incident.changed", "There")


async def test_a_conflict_that_a_strategy_decides_is_told_as_decided(town: Town) -> None:
    before = await start(town)
    await town.edit(title="Here")
    await town.act(title="There")
    await town.settle()
    told = dict(await happened(town, before))
    assert "conflict.opened" not in told
    assert (told["conflict.decided"]["by"], told["conflict.decided"]["status"]) == (
        "imsync",
        "resolved",
    )


async def test_what_is_given_up_on(town: Town) -> None:
    before = await start(town)
    town.sandbox.faults.api_error = 1.0
    await town.edit(title="Ours")
    for _ in range(8):
        town.clock.at += LONGEST_WAIT
        await town.settle()
    buried = dict(await happened(town, before))["dead_letter.created"]
    assert (buried["dead_letter"], buried["incident"]) == ("dlq_1", "INC-1")
    assert (buried["direction"], buried["field"], buried["attempts"]) == ("outbound", "title", 5)


async def test_an_integration_that_is_suspended_and_resumes(town: Town) -> None:
    before = await start(town)
    good = await town.token("u+wrong")
    await town.edit(title="Ours")
    await town.settle()
    told = dict(await happened(town, before))
    assert told["integration.suspended"]["integration"] == "prod-pd"
    assert "u+wrong" not in str(told)
    before = await last(town)
    await town.token(good)
    (_, token), (resumed, _) = await happened(town, before)
    assert (token["setting"], token["old"], token["new"]) == ("token", None, None)
    assert resumed == "integration.resumed"


async def test_whoever_retries_or_discards_a_dead_letter_ends_it(town: Town) -> None:
    await start(town)
    town.sandbox.faults.api_error = 1.0
    await town.edit(title="Ours", severity="SEV-1")
    for _ in range(8):
        town.clock.at += LONGEST_WAIT
        await town.settle()
    before = await last(town)
    await town.db.run(dead_letters.retry, 1, now=town.clock())
    await town.db.run(dead_letters.discard, 2, now=town.clock())
    retried, discarded = await happened(town, before)
    assert (retried[0], retried[1]["dead_letter"]) == ("dead_letter.retried", "dlq_1")
    assert discarded == (
        "dead_letter.discarded",
        {
            "incident": "INC-1",
            "integration": "prod-pd",
            "by": None,
            "dead_letter": "dlq_2",
            "direction": "outbound",
            "field": "severity",
        },
    )


async def test_what_people_configure(town: Town) -> None:
    (made, secret) = await happened(town, 0)
    assert made[0] == "integration.created"
    assert made[1]["name"] == "Production PagerDuty"
    assert secret[1]["setting"] == "webhook_secret"
    assert (secret[1]["old"], secret[1]["new"]) == (None, None)

    integration, now = await town.integration(), town.clock()
    await town.configure(rate_limit=100, backoff_multiplier=2.0)
    rule = Rule(Side.EXTERNAL, 5)
    ada = "ada@acme.example"
    await town.db.run(rules.set_rule, integration, Field.TITLE, rule, now=now, by=ada)
    await town.db.run(rules.delete_rule, integration, Field.TITLE, now=now)
    pairs = Pairs({"SEV-3": "high"}, {"low": "SEV-4"})
    await town.db.run(maps.set_map, integration, "urgency", pairs, now=now)
    await town.db.run(services.add, integration, "P1", "infrastructure", now=now)
    await town.db.run(services.remove, integration, 1, now=now, by=ada)
    told = await happened(town)
    assert [data["by"] for _, data in told] == [None, ada, None, None, None, ada]
    assert {kind for kind, _ in told} == {"integration.changed"}
    default = {"owner": "platform", "priority": 0, "strict": False}
    external = {"owner": "external", "priority": 5, "strict": False}
    own = {"out": {"SEV-3": "high"}, "in": {"low": "SEV-4"}}
    assert [(data["setting"], data["old"], data["new"]) for _, data in told] == [
        ("rate_limit", 900, 100),
        ("field-ownership/title", default, external),
        ("field-ownership/title", external, default),
        ("map/urgency", {"out": {}, "in": {}}, own),
        ("service-mapping/P1", None, "infrastructure"),
        ("service-mapping/P1", "infrastructure", None),
    ]

    before = await last(town)
    await town.db.run(configure.delete, "prod-pd", now=now, by=ada)
    assert await happened(town, before) == [
        (
            "integration.deleted",
            {
                "incident": None,
                "integration": "prod-pd",
                "by": ada,
                "name": "Production PagerDuty",
            },
        )
    ]


async def test_a_subscription_is_installed_disabled_enabled_and_gone(town: Town) -> None:
    await installing.rotate(town.crew.account, town.webhook_url)
    ((kind, data),) = await happened(town)
    assert kind == "subscription.installed"
    id_ = data["subscription"]
    before = await last(town)
    await hooks.switch_off(town, id_)
    await town.crew.watch.step()
    disabled, enabled = await happened(town, before)
    assert disabled[0] == "subscription.disabled"
    assert disabled[1]["because"]
    assert enabled == (
        "subscription.enabled",
        {"incident": None, "integration": "prod-pd", "subscription": id_, "because": ""},
    )
    before = await last(town)
    await hooks.delete(town, id_)
    await town.crew.watch.step()
    await town.crew.watch.step()
    assert await kinds(town, before) == ["subscription.deleted"]


async def test_the_brake_is_told_of_when_it_is_pulled_and_when_it_is_let_go(town: Town) -> None:
    integration = (await town.integration()).id
    would = Met(drifted=40)
    for _ in range(2):
        await town.db.run(sweeping.stop, integration, would, 50, now=town.clock())
    ((kind, data),) = await happened(town)
    assert (kind, data["would_change"], data["met"]) == ("drift.stopped", 40, 50)
    before = await last(town)
    await town.sweep()
    await town.sweep()
    assert await kinds(town, before) == ["drift.released"]


async def test_deliveries_that_were_refused_are_counted(town: Town) -> None:
    await hooks.have_it_disabled(town)
    await town.counted()
    told = dict(await happened(town))["delivery.refused"]
    assert told == {"incident": None, "integration": "prod-pd", "deliveries": 1}


async def test_drift_that_was_mended_is_counted(town: Town) -> None:
    before = await start(town)
    await town.act(title="There")
    await town.sweep()
    told = dict(await happened(town, before))
    assert told["drift.healed"] == {"incident": None, "integration": "prod-pd", "incidents": 1}
    assert told["incident.changed"]["new"] == "There"


async def test_a_dry_run_leaves_no_event(town: Town) -> None:
    await town.configure(conflict_strategy=Strategy.MANUAL_REVIEW)
    await start(town)
    await town.edit(title="Here")
    await town.act(title="There")
    await town.settle()
    before = await last(town)

    def work(conn: Any) -> None:
        integration = integrations.named(conn, "prod-pd")
        rule = Rule(Side.EXTERNAL, 0, True)
        rules.set_rule(conn, integration, Field.TITLE, rule, now=town.clock())

    _, found = await town.db.run(
        forecast.change,
        "prod-pd",
        work,
        dry_run=True,
        expected=None,
        shown={},
        now=town.clock(),
    )
    assert found.adopted
    assert await last(town) == before


STORIES = [story for name, story in globals().items() if name.startswith("test_")]


async def test_nothing_is_documented_that_does_not_happen() -> None:
    for story in STORIES:
        async with town_of() as town:
            await town.connect()
            await story(town)
    assert {type_.value for type_ in Type} == HAPPENED
