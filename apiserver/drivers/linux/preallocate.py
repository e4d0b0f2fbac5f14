"""Blocks for a file before it needs them."""

from __future__ import annotations

import os
from pathlib import Path

from apiserver.drivers.linux.syscalls import call

_KEEP_SIZE = 1


def preallocate(path: Path, offset: int, length: int) -> None:
    """Give a file its blocks from `offset` on, also behind its end, which stays where it is.

    Raises:
        OSError: there is no file or no room, or the file system cannot do it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        call("fallocate", descriptor, _KEEP_SIZE, offset, length, what=str(path))
    finally:
        os.close(descriptor)
