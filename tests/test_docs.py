"""The pages are true: the reference is what the code says, links lead somewhere, tables agree."""

import ast
import configparser
import re
import shlex
from pathlib import Path

import pytest

from imsync import config, daemon
from imsync.connectors.pagerduty.mapping import STATUS
from imsync.connectors.pagerduty.severities import URGENCY
from imsync.core import flapping
from imsync.core.fields import DEFAULT_OWNER
from imsync.core.merge import Direction, Strategy
from imsync.engine import status
from imsync.engine.fleet import GRACE
from tests import docs

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONCEPTS = (ROOT / "docs" / "concepts.md").read_text()
OPERATING = (ROOT / "docs" / "operating.md").read_text()
REFERENCE = docs.PAGE.read_text()
EXAMPLES = ROOT / "examples"


# The reference.


def test_the_reference_is_what_the_code_says() -> None:
    assert docs.rewritten(REFERENCE) == REFERENCE, "`make docs` writes it anew"
    untold = [line for line in REFERENCE.splitlines() if line.endswith(f" {docs.UNTOLD} |")]
    assert untold == [], "say what these are in docs/reference.md"


@pytest.mark.parametrize("name", docs.SECTIONS)
def test_what_is_missing_from_it_or_stale_in_it_is_noticed(name: str) -> None:
    begin = f"<!-- {name}: written by `make docs` -->"
    before, _, rest = REFERENCE.partition(begin)
    part, end, after = rest.partition(f"<!-- end of {name} -->")
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    gone = part.replace(rows[-1] + "\n", "", 1)
    stale = part.replace(rows[-1], f"{rows[-1]}\n| `no-such-thing` | of old |", 1)
    for wrong in (gone, stale):
        page = before + begin + wrong + end + after
        assert wrong != part
        assert docs.rewritten(page) != page
        assert "no-such-thing" not in docs.rewritten(page)


def test_what_is_new_and_nobody_has_described_is_noticed() -> None:
    untold = REFERENCE.replace("| `3` | no daemon", "| `33` | no daemon")
    assert f"| `3` | {docs.UNTOLD} |" in docs.rewritten(untold)


# Links.


def anchors(page: Path) -> set[str]:
    """What its headings are called in addresses."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        leads_to = (page.parent / file).resolve() if file else page
        assert leads_to.exists(), target
        assert not anchor or anchor in anchors(leads_to), target


# What the pages say of the rules.


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below that heading."""
    below = page.partition(f"\n## {heading}\n")[2]
    table = below[below.index("\n|") :].partition("\n\n")[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_owners_strategies_and_directions_are_those_there_are() -> None:
    owners = {cells[0]: cells[1] for cells in rows(CONCEPTS, "Owners")}
    assert owners == {field.value: side.value for field, side in DEFAULT_OWNER.items()}
    assert [cells[0] for cells in rows(CONCEPTS, "Strategies")] == [f"`{one}`" for one in Strategy]
    assert [cells[0] for cells in rows(CONCEPTS, "Direction")] == [f"`{one}`" for one in Direction]


def test_maps_are_told_as_they_are() -> None:
    severities = rows(CONCEPTS, "Maps")
    assert {ours: there for ours, there, _ in severities} == dict(URGENCY.there)
    for ours, there, back in severities:
        assert back.partition(",")[0] == URGENCY.back[there], ours
    below = CONCEPTS.partition("| status | PagerDuty |")[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| (\w+) \| (\w+) \|", below, re.MULTILINE))
    assert told == dict(STATUS.there)


def test_how_much_flapping_is_too_much_is_told_as_it_is() -> None:
    minutes = flapping.WINDOW // 60_000
    text = " ".join(CONCEPTS.split())
    assert f"written over {flapping.LIMIT} times in {minutes} minutes" in text
    assert f"After {flapping.QUIET // 60_000} minutes in which nobody touches it" in text


def test_every_problem_that_sync_status_names_is_explained() -> None:
    """The longest piece of each of its sentences that does not depend on the case."""
    module = ast.parse(Path(status.__file__).read_text())
    yields = [node for node in ast.walk(module) if isinstance(node, ast.Yield)]
    sentences = [node.value for node in yields if node.value is not None]
    assert len(sentences) >= 7
    page = " ".join(OPERATING.split())
    for sentence in sentences:
        fixed = [
            piece.strip(" :;,")
            for part in ast.walk(sentence)
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
            for piece in part.value.split("`")
        ]
        longest = max(fixed, key=len)
        assert longest in page, f"docs/operating.md does not explain {ast.unparse(sentence)}"


@pytest.mark.parametrize("floor", ["core", "engine"])
def test_every_room_of_these_floors_is_in_the_house(floor: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {path.stem for path in (ROOT / "imsync" / floor).glob("*.py")} - {"__init__"}
    assert {room for room in rooms if f"`{room}`" not in page} == set()


# Examples that other programs read.


def test_the_systemd_unit_starts_what_there_is() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((EXAMPLES / "imsyncd.service").read_text())
    service = unit["Service"]
    for line in (service["ExecStart"], service["ExecStartPre"]):
        program, *words = shlex.split(line)
        assert Path(program).name == "imsyncd"
        known = {name for param in daemon.command.params for name in param.opts}
        assert {word for word in words if word.startswith("--")} <= known
    text = (EXAMPLES / "imsyncd.service").read_text()
    named = set(re.findall(r"^Environment=(IMSYNC_\w+)=", text, re.MULTILINE))
    assert named == {"IMSYNC_SOCKET", "IMSYNC_DATABASE"}
    assert {name.removeprefix(config.PREFIX).lower() for name in named} <= set(
        config.Settings.model_fields
    )
    assert int(service["TimeoutStopSec"]) > GRACE
    # Where the page has backups go, the daemon may write, and it says how the folder is made.
    writable = {path.lstrip("-") for path in service["ReadWritePaths"].split()}
    copies = re.findall(r"\bbackup (/\S+)$", OPERATING, re.MULTILINE)
    assert {str(Path(copy).parent) for copy in copies} == writable
    assert all(re.search(f"^install -d .* {path} ", OPERATING, re.MULTILINE) for path in writable)


@pytest.mark.parametrize(
    ("file", "hands_on"), [("Caddyfile", "reverse_proxy"), ("nginx.conf", "proxy_pass")]
)
def test_a_proxy_hands_on_webhooks_and_nothing_else(file: str, hands_on: str) -> None:
    text = re.sub(r"#.*", "", (EXAMPLES / file).read_text())
    assert len(re.findall(rf"\b{hands_on}\b", text)) == 1
    assert re.findall(r"/api/\S*", text) in (["/api/v1/webhooks/*"], ["/api/v1/webhooks/"])
    assert "404" in text
    assert "POST" in text
