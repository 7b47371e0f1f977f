"""`python -m tests.docs` (or `make docs`): writes what the code says into docs/reference.md.

Commands, options and settings come whole from the code. Routes, codes and exit statuses come
from it too, each with the first sentence of its docstring; where it has none, the sentence
that stands in the page is kept, and `UNTOLD` is written where there is none either.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import asyncclick as click
from pydantic_core import PydanticUndefined

import imsync
from imsync import daemon
from imsync.api.app import ROUTES
from imsync.cli import output
from imsync.cli.main import im
from imsync.cli.options import Everywhere, everywhere
from imsync.config import PREFIX, Settings
from imsync.sandbox import main as sandbox

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference.md"
UNTOLD = "?"

Kept = dict[str, str]


def leaves(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, and how it is typed."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from leaves(below, *path, name)


def commands(_: Kept) -> str:
    """Each command of `im`: usage, promise, options, examples; then what all of them take."""
    parts = [_command(path, command) for path, command in leaves(im, "im")]
    shared = [*everywhere(), *(param for param in im.params if isinstance(param, Everywhere))]
    return "\n\n".join([*parts, f"### Every command\n\n{_options(im, _once(shared))}"])


def _once(params: Iterable[click.Parameter]) -> Iterable[click.Parameter]:
    return {param.name: param for param in params}.values()


def programs(_: Kept) -> str:
    """The options of the two programs that listen."""
    found = [("imsyncd", daemon.command), ("pagerduty-sandbox", sandbox.cli)]
    return "\n\n".join(_command((name,), command) for name, command in found)


def _command(path: tuple[str, ...], command: click.Command) -> str:
    name = " ".join(path)
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)]).replace(" [OPTIONS]", "")
    text = inspect.cleandoc(command.help or "")
    told = [" ".join(part.split()) for part in text.split("\n\n") if not part.startswith("\b")]
    typed = "\n".join(part.strip("\b\n") for part in text.split("\n\n") if part.startswith("\b"))
    own = [param for param in command.params if not isinstance(param, Everywhere)]
    table = _options(command, own)
    parts = [f"### {name}", f"`{usage}`", *told, table, f"```sh\n{typed}\n```" if typed else ""]
    return "\n\n".join(filter(None, parts))


def _options(command: click.Command, params: Iterable[click.Parameter]) -> str:
    context, rows = click.Context(command), list[str]()
    for param in params:
        if isinstance(param, click.Option) and (record := param.get_help_record(context)):
            rows.append(f"| `{_cell(record[0])}` | {_cell(record[1])} |")
    return "\n".join(["| option | |", "|---|---|", *rows]) if rows else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def routes(kept: Kept) -> str:
    """Every route, in the order in which `api/app.py` has them."""
    found = {f"{route.method} {route.url}": route.handler for route in ROUTES}
    rows = [f"| `{name}` | {_told(handler, kept, name)} |" for name, handler in found.items()]
    return "\n".join(["| route | |", "|---|---|", *rows])


def _told(thing: object, kept: Kept, name: str) -> str:
    first = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    sentence = re.match(r".*?\.(?=\s|$)", " ".join(first.split()))
    return _cell(sentence[0]) if sentence else kept.get(name, UNTOLD)


def settings(_: Kept) -> str:
    """Every key of config.toml, its variable, its default, and what it means."""
    rows = []
    for key, field in Settings.model_fields.items():
        fixed = field.default is not PydanticUndefined and field.default is not None
        default = f"`{field.default}`" if fixed else "see config.example.toml"
        variable = f"{PREFIX}{key.upper()}"
        rows.append(f"| `{key}` | `{variable}` | {default} | {field.description} |")
    return "\n".join(["| key | variable | default | |", "|---|---|---|---|", *rows])


def exits(kept: Kept) -> str:
    """Every exit status of `im`."""
    found = {
        value: name.lower()
        for name, value in vars(output).items()
        if name.isupper() and isinstance(value, int)
    }
    rows = [f"| `{value}` | {kept.get(str(value), UNTOLD)} |" for value in sorted(found)]
    return "\n".join(["| status | |", "|---|---|", *rows])


def codes(kept: Kept) -> str:
    """Every `code` that an answer, a dead letter or the daemon's own complaint may carry."""
    found = _every_code()
    rows = [f"| `{code}` | {found[code] or kept.get(code, UNTOLD)} |" for code in sorted(found)]
    return "\n".join(["| code | |", "|---|---|", *rows])


@cache
def _every_code() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(Path(imsync.__file__).parent.rglob("*.py")):
        if "sandbox" not in file.parts and "cli" not in file.parts:
            found |= _codes_in(ast.parse(file.read_text()))
    return found


def _codes_in(module: ast.Module) -> dict[str, str]:
    """Whatever is given or set as a `code`; one that a class has means what the class says."""
    found: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.keyword):
            found |= dict.fromkeys(_codes([(node.arg, node.value)]), "")
        elif isinstance(node, ast.Assign):
            found |= dict.fromkeys(_codes(_set(node)), "")
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            set_here = [
                one for line in node.body if isinstance(line, ast.Assign) for one in _set(line)
            ]
            told = _cell((ast.get_docstring(node) or "").partition("\n\n")[0])
            found |= dict.fromkeys(_codes(set_here), told)
    return found


def _set(line: ast.Assign) -> list[tuple[str | None, ast.expr]]:
    """The names that a line sets, each with what to; also `detail, code = …, …`."""
    target, value = line.targets[0], line.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return [(ast.unparse(name), one) for name, one in zip(target.elts, value.elts, strict=True)]
    return [(ast.unparse(target), value)]


def _codes(named: Iterable[tuple[str | None, ast.expr]]) -> list[str]:
    return [
        value.value
        for name, value in named
        if name == "code" and isinstance(value, ast.Constant) and isinstance(value.value, str)
    ]


SECTIONS: dict[str, Callable[[Kept], str]] = {
    "programs": programs,
    "commands": commands,
    "routes": routes,
    "settings": settings,
    "exits": exits,
    "codes": codes,
}


def rewritten(page: str) -> str:
    """The page with every part that the code says as the code says it now."""
    for name, make in SECTIONS.items():
        begin, end = f"<!-- {name}: written by `make docs` -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        old, closed, after = rest.partition(end)
        assert found, f"{PAGE.name} has no place for {name}"
        assert closed, f"{PAGE.name}: {name} does not end"
        kept = dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", old, re.MULTILINE))
        page = f"{before}{begin}\n\n{make(kept)}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
