"""requirements.lock: the versions of a release, by hash, from wherever one likes to have them."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [Requirement(one) for one in PROJECT["dependencies"]]


def test_every_line_is_a_version_or_its_hash_and_none_names_where_it_is_from() -> None:
    for line in LOCK.splitlines():
        assert PIN.match(line) or HASH.match(line), line


@pytest.mark.parametrize("needed", NEEDED, ids=lambda one: one.name)
def test_what_is_needed_is_in_it_as_it_is_needed(needed: Requirement) -> None:
    """`make lock` writes it anew."""
    found = filter(None, map(PIN.match, LOCK.splitlines()))
    pinned = {match[1]: match[2] for match in found}
    assert needed.specifier.contains(pinned[needed.name]), f"{needed}: run `make lock`"


def test_every_version_has_a_hash() -> None:
    parts = re.split(r"^(?=[a-z])", LOCK, flags=re.MULTILINE)[1:]
    assert len(parts) > len(NEEDED)
    assert all("--hash=sha256:" in part for part in parts)
