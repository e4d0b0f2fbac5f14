"""Removing a directory that somebody else filled, however deep it is."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from itertools import islice
from pathlib import Path

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BATCH = 10_000


def remove_tree(path: Path) -> None:
    """Remove a directory and all below it; nothing where there is none. Blocks.

    Directories are lifted to the top before they are removed, so a tree needs two descriptors and no recursion:
    a container may nest thousands, where `shutil.rmtree` gives up. No link is followed.

    Raises:
        OSError: something cannot be removed, such as a mount point.
    """
    try:
        top = os.open(path, _OPEN)
    except FileNotFoundError:
        return
    prefix, count = secrets.token_hex(8), 0
    try:
        while entries := _entries(top):
            for name, is_directory in entries:
                with suppress(FileNotFoundError):  # a program that still ends may remove its own files meanwhile
                    if is_directory:
                        count = _lift(top, name, prefix, count)
                    else:
                        os.unlink(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def _lift(top: int, name: str, prefix: str, count: int) -> int:
    """Remove the directory `name`; those in it go to `top`, with numbers from `count` on; the last number."""
    below = os.open(name, _OPEN, dir_fd=top)
    try:
        while children := _entries(below):
            for child, is_directory in children:
                with suppress(FileNotFoundError):
                    if is_directory:
                        count += 1
                        os.rename(child, f"{prefix}.{count}", src_dir_fd=below, dst_dir_fd=top)
                    else:
                        os.unlink(child, dir_fd=below)
    finally:
        os.close(below)
    os.rmdir(name, dir_fd=top)
    return count


def _entries(directory: int) -> list[tuple[str, bool]]:
    with os.scandir(directory) as found:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(found, _BATCH)]
