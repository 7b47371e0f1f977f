"""An imsyncd whose disk has room for so many more pages: `python cramped.py 20 [its own flags]`."""

import sys
from pathlib import Path
from typing import Self

from imsync import daemon
from imsync.store.database import Connection, Database
from imsync.store.keys import Source
from imsync.store.sealed import Tell

ROOM = int(sys.argv[1])


def cramp(conn: Connection) -> None:
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {pages + ROOM}")


class Cramped(Database):
    @classmethod
    async def open(
        cls, path: Path | str, source: Source | None = None, *, rotated: Tell | None = None
    ) -> Self:
        db = await super().open(path, source, rotated=rotated)
        await db.run(cramp)
        return db


if __name__ == "__main__":
    daemon.Database = Cramped  # type: ignore[attr-defined]
    sys.argv = ["imsyncd", *sys.argv[2:]]
    daemon.main()
