"""What is mounted where, from /proc/self/mountinfo."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

_OCTAL = re.compile(r"\\([0-7]{3})")


class MountPoint(Struct, frozen=True):
    """One line: `root` is the directory of the file system that is visible at `target`."""

    id: int
    root: str
    target: Path
    options: frozenset[str]
    fstype: str
    source: str
    super_options: tuple[str, ...]


def mounts(text: str | None = None) -> list[MountPoint]:
    """All mounts of our namespace, in the order in which they were made."""
    if text is None:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    return [_mount(line) for line in text.splitlines()]


def mounts_under(directory: Path, text: str | None = None) -> list[MountPoint]:
    """Those at or below a directory, the last made first: the order to unmount them in."""
    return [mount for mount in reversed(mounts(text)) if mount.target.is_relative_to(directory)]


def _mount(line: str) -> MountPoint:
    first, _, second = line.partition(" - ")
    number, _parent, _device, root, target, options = first.split(" ")[:6]
    fstype, source, super_options = second.split(" ", 2)
    return MountPoint(
        int(number),
        _plain(root),
        Path(_plain(target)),
        frozenset(options.split(",")),
        fstype,
        _plain(source),
        tuple(super_options.split(",")),
    )


def _plain(text: str) -> str:
    """Blanks, tabs, newlines and backslashes are octal."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
