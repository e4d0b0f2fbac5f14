"""conmon's control fifo: the size of a terminal, and a fresh log file."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def resize(fifo: Path, height: int, width: int) -> bool:
    """Set the size of a container's or an exec session's terminal; one sent between create and start is kept.

    Args:
        fifo: `Monitored.control_fifo`.
        height, width: in characters.

    Returns:
        Whether somebody was told: False when there is no such fifo, or nobody reads it.
    """
    return _tell(fifo, f"1 {height} {width}\n")


def reopen_log(fifo: Path) -> bool:
    """Make conmon open its log file anew, after it was moved away."""
    return _tell(fifo, "2 0 0\n")


def _tell(fifo: Path, line: str) -> bool:
    try:
        # Write only: without a reader (conmon is gone) that is ENXIO; read and write would wait in the pipe for ever.
        descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENXIO):
            return False
        raise
    try:
        os.write(descriptor, line.encode())
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
