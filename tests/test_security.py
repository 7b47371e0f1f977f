"""SECURITY.md names a test for each row of its threat model, and each of them is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "SECURITY.md").read_text().partition("\n## Threat model\n")[2].partition("\n## ")[0]
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_each_row_is_whole_and_shown_by_tests_that_there_are(row: str) -> None:
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 5
    assert all(cells)
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", cells[4])
    assert named, f"no test shows: {row}"
    for file, test in named:
        module = ast.parse((ROOT / file).read_text())
        there = {
            node.name
            for node in module.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert test in there, f"{file} has no {test}"


def test_the_table_has_rows() -> None:
    assert len(ROWS) > 10
