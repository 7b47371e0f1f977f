"""What the pages say of events and errors is all there is of them, and nothing else."""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import imsync
from imsync.api.answers.events import DATA, Event
from imsync.api.app import ROUTES
from imsync.api.errors import OWN, status_of
from imsync.errors import ExternalError, ImsyncError
from imsync.store import events

PAGES = Path(__file__).parents[1] / "docs"
EVENTS = (PAGES / "events.md").read_text()
ERRORS = (PAGES / "errors.md").read_text()


def section(page: str, title: str) -> str:
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[tuple[list[str], list[str]]]:
    """Each row of its tables: the names in its first cell, and the other cells."""
    found = re.findall(r"^\| (`.*?) \|(.*)\|$", text, re.MULTILINE)
    return [
        (re.findall(r"`(\w+)`", first), [cell.strip() for cell in rest.split("|")])
        for first, rest in found
    ]


def names(text: str) -> list[str]:
    return [name for row, _ in rows(text) for name in row]


# Events.


def test_every_type_of_event_has_its_section_with_all_that_it_carries() -> None:
    told: dict[str, list[str]] = {}
    for part in section(EVENTS, "What happens").split("\n### ")[1:]:
        title, _, text = part.partition("\n")
        for type_ in re.findall(r"`([\w.]+)`", title):
            told[type_] = sorted(names(text))
    assert told == {type_: sorted(shape.__annotations__) for type_, shape in DATA.items()}


def test_the_envelope_is_as_it_is() -> None:
    assert names(section(EVENTS, "The envelope")) == list(Event.__annotations__)


def test_how_many_are_kept() -> None:
    assert f"At least the last {events.KEPT:,}." in EVENTS


# Errors.


def kinds(root: type[ImsyncError] = ImsyncError) -> Iterator[type[ImsyncError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from kinds(kind)


def everything_imported() -> None:
    for module in pkgutil.walk_packages(imsync.__path__, "imsync."):
        import_module(module.name)


def comes_over_http(kind: type[ImsyncError]) -> bool:
    """Raised by what a request can reach; the rest is told by the programs at their start."""
    return kind.__module__.startswith(("imsync.errors", "imsync.engine", "imsync.api"))


def test_every_code_that_the_api_can_answer_is_listed_with_its_status() -> None:
    everything_imported()
    answered = {kind.code: status_of(kind) for kind in kinds() if comes_over_http(kind)}
    told = {name: int(cells[0]) for (name,), cells in rows(section(ERRORS, "Answered by the API"))}
    assert told == {**answered, **OWN}
    assert list(told.values()) == sorted(told.values())


def test_what_a_route_is_declared_to_fail_with_is_listed_too() -> None:
    declared = {failure.code for route in ROUTES for failure in route.failures}
    assert declared <= set(names(section(ERRORS, "Answered by the API")))


def test_every_code_of_a_dead_letter_is_listed() -> None:
    folder = Path(imsync.__file__).parent / "engine"
    literal = {
        code
        for file in folder.glob("*.py")
        for code in re.findall(r'code="(\w+)"', file.read_text())
    }
    assert set(names(section(ERRORS, "In dead letters"))) == literal
    assert all(kind.code.startswith("external_") for kind in kinds(ExternalError))


def test_what_the_programs_tell_themselves_is_listed() -> None:
    everything_imported()
    told = names(section(ERRORS, "Told by the programs themselves"))
    assert set(told) == {kind.code for kind in kinds() if not comes_over_http(kind)}
