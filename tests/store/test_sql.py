"""SQL is put together from constants alone: what comes from outside is bound, never written in."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

STORE = Path(__file__).parents[2] / "imsync" / "store"
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|PRAGMA|VACUUM|ATTACH|EXISTS|WHERE)\b")

# Put together beside the statement from names of columns and from marks (`?`, `:name`) alone.
MARKS = {"marks", "names", "sets", "where"}
# Constants by other names: of what is forgotten (keeping.py), of a connection, of a schema.
OURS = {"rule", "incident", "_over", "pragma", "enforced", "to"}


def pieces(tree: ast.AST) -> Iterator[tuple[ast.JoinedStr, ast.expr]]:
    """What is written into the SQL of a file, and where."""
    for text in ast.walk(tree):
        if isinstance(text, ast.JoinedStr) and SQL.search(ast.unparse(text)):
            for part in text.values:
                if isinstance(part, ast.FormattedValue):
                    yield text, part.value


def listed(tree: ast.AST) -> set[str]:
    """Names that stand for one constant after the other: `for name in ("page_count", …)`."""
    return {
        one.target.id
        for one in ast.walk(tree)
        if isinstance(one, ast.comprehension)
        and isinstance(one.target, ast.Name)
        and isinstance(one.iter, ast.Tuple)
        and all(isinstance(each, ast.Constant) for each in one.iter.elts)
    }


def names(piece: ast.expr) -> set[str]:
    return {one.id for one in ast.walk(piece) if isinstance(one, ast.Name)}


@pytest.mark.parametrize("file", sorted(STORE.glob("*.py")), ids=lambda file: file.name)
def test_nothing_but_constants_is_written_into_sql(file: Path) -> None:
    tree = ast.parse(file.read_text())
    for text, piece in pieces(tree):
        variables = {name for name in names(piece) if not re.fullmatch(r"_?[A-Z_]+", name)}
        assert variables <= MARKS | OURS | listed(tree), ast.unparse(text)


def test_no_sql_is_put_together_in_any_other_way() -> None:
    for file in STORE.glob("*.py"):
        for one in ast.walk(ast.parse(file.read_text())):
            if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Add | ast.Mod):
                assert not SQL.search(ast.unparse(one)), ast.unparse(one)
            if isinstance(one, ast.Attribute) and one.attr == "format":
                assert not SQL.search(ast.unparse(one)), ast.unparse(one)
