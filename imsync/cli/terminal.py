"""Blocks on a terminal: fitted to its width, and in colour where colour is wanted.

Imported only when there is a terminal: rich is slow to load. It obeys
NO_COLOR and TERM by itself.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from imsync.cli.happening import Line
from imsync.cli.table import Block, Facts, Table, Verbatim, shortened

# These stay in one piece as long as every other column has LEAST; the others fold.
WHOLE = {
    *("id", "incident", "severity", "status", "state", "slug", "external id", "conflict"),
    *("when", "updated", "created", "confirmed", "given up", "kind", "result", "field"),
}
LEAST = 12
GAP = 2
STYLES = {
    "SEV-1": "bold red",
    "SEV-2": "red",
    "SEV-3": "yellow",
    "open": "red",
    "mitigated": "yellow",
    "resolved": "green",
    "closed": "dim",
    "pending": "yellow",
    "blocked": "yellow",
    "suspended": "red",
    "ok": "green",
    "FAILED": "bold red",
}
STYLED = {"severity", "status", "state", "result"}


def show(blocks: Sequence[Block], *, console: Console | None = None) -> None:
    """Print the blocks, in their order."""
    console = console or Console(highlight=False, markup=False, emoji=False)
    width = console.width
    shown = [(block, drawn) for block in blocks if (drawn := _drawn(block, width)) is not None]
    for number, (block, drawn) in enumerate(shown):
        if number:
            console.print()
        console.print(drawn, soft_wrap=isinstance(block, Verbatim))


def bar() -> Progress:
    """What shows how far long work is; it leaves nothing behind. On standard error."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def show_line(line: Line, *, console: Console | None = None) -> None:
    """Print what happened on one line of the terminal, however narrow: what it was gives way."""
    console = console or Console(highlight=False, markup=False, emoji=False)
    head, who = Text.assemble((line.at, "dim"), "  "), Text(f"  {line.who}" if line.who else "")
    head.append(f"{line.about:<7}  ", "bold")
    what = Text(line.what, "bold red" if line.alarm else "dim" if line.quiet else "")
    room = console.width - head.cell_len - who.cell_len
    if room < _LEAST:
        who, room = Text(), console.width - head.cell_len
    what.truncate(max(room, 1), overflow="ellipsis")
    who.stylize("dim")
    console.print(head + what + who, no_wrap=True, overflow="ellipsis", crop=True)


_LEAST = 24
"""Columns of what happened below which who it was is left out."""


def _drawn(block: Block, width: int) -> Text | Grid | None:
    match block:
        case Verbatim(text=text):
            return Text(text) if text else None
        case str():
            return Text(block) if block else None
        case Table(rows=rows):
            return _grid(block, width) if rows else None
        case Facts(pairs=pairs):
            return _facts(pairs) if pairs else None


def _grid(table: Table, width: int) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    columns, rows = table.columns, table.rows
    room = fits(columns, rows, width)
    if table.cut and room:
        rows = cut(columns, rows, width)
    for name in columns:
        grid.add_column(name.upper(), no_wrap=room and name in WHOLE, overflow="fold")
    for row in rows:
        grid.add_row(*(_cell(name, text) for name, text in zip(columns, row, strict=True)))
    return grid


def fits(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether there is room to keep the columns of WHOLE whole: rich would cut off the rest."""
    wanted = 0
    for name, *values in zip(columns, *rows, strict=True):
        widest = max(map(cell_len, (name, *values)))
        wanted += GAP + (widest if name in WHOLE else min(widest, LEAST))
    return wanted <= width


def cut(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> Sequence[Sequence[str]]:
    """The rows, each to be one line: what is not kept whole shares the rest of the width.

    A column that needs less than its share leaves what is over to the others.
    """
    widest = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    others = [at for at, name in enumerate(columns) if name not in WHOLE]
    left = width - GAP * len(columns) - sum(widest) + sum(widest[at] for at in others)
    for done, at in enumerate(sorted(others, key=lambda at: widest[at])):
        widest[at] = min(widest[at], left // (len(others) - done))
        left -= widest[at]
    return [[shortened(text, room) for text, room in zip(row, widest, strict=True)] for row in rows]


def _facts(pairs: Sequence[tuple[str, str]]) -> Grid:
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in pairs:
        grid.add_row(name, _cell(name, text))
    return grid


def _cell(name: str, text: str) -> Text:
    return Text(text, style=STYLES.get(text, "") if name in STYLED else "")
