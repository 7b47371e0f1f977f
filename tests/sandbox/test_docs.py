"""What `docs/sandbox.md` says of faults, limits, switches and routes is all there is of them."""

import random
import re
from dataclasses import fields
from pathlib import Path

from aiohttp import ClientSession

from imsync.sandbox.faults import Faults
from imsync.sandbox.limits import Rates
from imsync.sandbox.routes import ROUTES
from imsync.sandbox.sandbox import Sandbox
from imsync.sandbox.switches import Switches
from tests.sandbox.conftest import Clock

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> set[str]:
    """The names in the first cells of its tables."""
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_all_of_the_api_that_it_has_is_told() -> None:
    told = re.findall(r"`/(\w+)`", section("With a client of your own"))
    assert sorted(told) == sorted({route.path.split("/")[1] for route in ROUTES})


def test_every_fault_and_every_switch_has_its_row() -> None:
    assert first_cells(section("Faults")) == {field.name for field in fields(Faults)}
    assert first_cells(section("Switches")) == {field.name for field in fields(Switches)}


def test_defaults_are_as_they_are() -> None:
    told = {"true": True, "false": False}
    for names, default in re.findall(
        r"^\| (`.*?`) \|.*\| ([\w, ]+) \|$", section("Switches"), re.MULTILINE
    ):
        values = [told[text] if text in told else int(text) for text in default.split(", ")]
        found = [getattr(Switches(), name) for name in re.findall(r"`(\w+)`", names)]
        assert found == values, names
    for name, rate in re.findall(r"`(\w+)` \((\d+)\)", section("Limits")):
        assert getattr(Rates(), name) == int(rate)
    assert len(re.findall(r"`(\w+)` \((\d+)\)", section("Limits"))) == len(fields(Rates))


async def test_every_route_of_its_own_is_told(session: ClientSession, clock: Clock) -> None:
    sandbox = Sandbox(session=session, now=clock, rng=random.Random(1))
    paths = {
        resource.canonical
        for resource in sandbox.app.router.resources()
        if resource.canonical.startswith("/_sandbox")
        and not resource.canonical.startswith(("/_sandbox/page/", "/_sandbox/as/"))
    }
    assert paths == set(re.findall(r"`(?:GET|PUT|POST) (/_sandbox[\w/]*)`", PAGE))
    assert "`/_sandbox/as/{who}`" in PAGE
    await sandbox.stop()
