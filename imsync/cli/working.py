"""What is being waited for, and how far it is: shown on a terminal while it lasts, nowhere else."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

ASKING = "asking PagerDuty"

SOON = 0.5
"""Seconds before anything is shown: most things are done by then."""


@dataclass(slots=True)
class Work:
    """Long work: what it is, how much of it is done, and how much there is, if that is known."""

    what: str
    done: int = 0
    of: int | None = None
    _shown: "tuple[Progress, TaskID] | None" = field(default=None, repr=False)

    def tell(self, done: int, of: int | None) -> None:
        """So much is done."""
        self.done, self.of = done, None if of is None else max(done, of)
        if self._shown is not None:
            progress, task = self._shown
            progress.update(task, completed=self.done, total=self.of)

    async def appear(self) -> None:
        await asyncio.sleep(SOON)
        from imsync.cli.terminal import bar  # rich: slow to load

        progress = bar()
        self._shown = progress, progress.add_task(self.what, completed=self.done, total=self.of)
        progress.start()

    def vanish(self) -> None:
        if self._shown is not None:
            self._shown[0].stop()


@asynccontextmanager
async def working(what: str) -> AsyncIterator[Work]:
    """Show what is being done while it is done, to whoever sits at a terminal."""
    work = Work(what)
    if not sys.stderr.isatty():
        yield work
        return
    appearing = asyncio.create_task(work.appear())
    try:
        yield work
    finally:
        appearing.cancel()
        work.vanish()
