"""What a file system forgets in a power cut unless it is told not to."""

import os
from pathlib import Path


def flush(folder: Path) -> None:
    """Have the disk keep the names in a folder, too: files that were made, renamed or removed.

    Raises OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
