"""The environment that make keeps belongs to the folder that it was made in."""

import subprocess
from pathlib import Path

MAKEFILE = Path(__file__).parents[1] / "Makefile"


def wanted(folder: Path) -> str:
    """What `make .venv/run` would do there."""
    told = ["make", "--dry-run", "-f", str(MAKEFILE), ".venv/run"]
    return subprocess.run(told, cwd=folder, check=True, capture_output=True, text=True).stdout


def with_environment(folder: Path, *, made_in: Path) -> Path:
    (folder / ".venv").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    (folder / ".venv" / "python").write_text(str(made_in))
    (folder / ".venv" / "run").touch()
    return folder


def test_an_environment_that_stayed_where_it_was_is_left_alone(tmp_path: Path) -> None:
    here = with_environment(tmp_path / "here", made_in=tmp_path / "here")
    assert "venv --clear" not in wanted(here)
    assert "pip install" not in wanted(here)


def test_an_environment_that_was_moved_is_made_anew(tmp_path: Path) -> None:
    there = with_environment(tmp_path / "there", made_in=tmp_path / "here")
    assert "venv --clear" in wanted(there)
    assert "pip install" in wanted(there)
