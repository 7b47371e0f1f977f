"""An imsyncd that dies, as by kill -9, at a named point: just before or just after a commit.

    python doomed.py before inbound.apply [imsyncd's own flags]

The point is a unit of work, by its module and name. The process dies the first time it comes
to it; no other line of the daemon is any different.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from imsync import daemon
from imsync.store.database import Connection, Database

WHEN, POINT = sys.argv[1:3]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Doomed(Database):
    async def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        unit = getattr(work, "func", work)  # what a partial calls
        if f"{unit.__module__.rpartition('.')[2]}.{unit.__name__}" != POINT:
            return await super().run(work, *args, **kwargs)

        def last(conn: Connection) -> Any:
            done = work(conn, *args, **kwargs)
            if WHEN == "before":
                die()
            return done

        done = await super().run(last)
        die()  # it is on the disk, and nobody has been told
        return done


if __name__ == "__main__":
    daemon.Database = Doomed  # type: ignore[attr-defined]
    sys.argv = ["imsyncd", *sys.argv[3:]]
    daemon.main()
