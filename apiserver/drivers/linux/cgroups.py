"""Cgroups by the file system, on a legacy, hybrid or unified machine."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from apiserver.config.host import Hierarchy


class Cgroups:
    """The trees of this machine (`Host.hierarchies`); a cgroup is named by its path in all, such as `/apiserver/ID`.

    All but `move` take 2 ms at most.
    """

    def __init__(self, hierarchies: Iterable[Hierarchy]) -> None:
        self.hierarchies = tuple(hierarchies)

    def create(self, path: str) -> None:
        """Make a cgroup, its parents too, in every tree; one that exists stays as it is."""
        for hierarchy in self.hierarchies:
            _make(hierarchy, path)

    def move(self, path: str, pid: int) -> None:
        """Put a process into an existing cgroup, in every tree. Takes 5 to 20 ms: call it through `Threads`.

        Raises:
            ProcessLookupError: there is no such process.
            FileNotFoundError: there is no such cgroup.
        """
        for hierarchy in self.hierarchies:
            _write(_at(hierarchy, path) / "cgroup.procs", str(pid))

    def exists(self, path: str) -> bool:
        """Whether any tree has it."""
        return any(_at(hierarchy, path).is_dir() for hierarchy in self.hierarchies)

    def pids(self, path: str) -> set[int]:
        """The processes in it and below it."""
        found: set[int] = set()
        for hierarchy in self.hierarchies:
            for directory in _bottom_up(_at(hierarchy, path)):
                try:
                    found.update(int(line) for line in (directory / "cgroup.procs").read_text().split())
                except (FileNotFoundError, OSError) as error:
                    if getattr(error, "errno", None) not in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
                        raise
        return found - {0}

    def kill(self, path: str) -> int:
        """SIGKILL to every process in it and below it; call again until it returns 0: they may fork meanwhile.

        Returns:
            How many there were.
        """
        pids = self.pids(path)
        for hierarchy in self.hierarchies:
            if hierarchy.version == 2:
                try:
                    _write(_at(hierarchy, path) / "cgroup.kill", "1")
                except (FileNotFoundError, PermissionError):
                    continue  # no such cgroup, or a kernel before 5.14
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(pids)

    def remove(self, path: str) -> bool:
        """Remove it and what is below it.

        Returns:
            False while there are still processes (or the kernel has not put the last one away yet): try again.
        """
        gone = True
        for hierarchy in self.hierarchies:
            for directory in _bottom_up(_at(hierarchy, path)):
                try:
                    directory.rmdir()
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise
                    gone = False
        return gone

    def children(self, path: str) -> set[str]:
        """Names of the cgroups directly below, in any tree: what reconcile compares with the records."""
        names: set[str] = set()
        for hierarchy in self.hierarchies:
            try:
                with os.scandir(_at(hierarchy, path)) as entries:
                    names.update(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
            except FileNotFoundError:
                continue
        return names


def _at(hierarchy: Hierarchy, path: str) -> Path:
    parts = [part for part in path.split("/") if part]
    if ".." in parts or not parts:
        raise ValueError(f"{path!r} names no cgroup")
    return hierarchy.mount.joinpath(*parts)


def _make(hierarchy: Hierarchy, path: str) -> None:
    directory = hierarchy.mount
    for name in _at(hierarchy, path).relative_to(hierarchy.mount).parts:
        parent, directory = directory, directory / name
        try:
            directory.mkdir(0o755)
        except FileExistsError:
            continue
        if "cpuset" in hierarchy.controllers and hierarchy.version == 1:
            # A new v1 cpuset is empty, and takes no process until it is told which processors and memory it may use.
            for file in ("cpuset.cpus", "cpuset.mems"):
                _write(directory / file, (parent / file).read_text().strip())


def _bottom_up(directory: Path) -> Iterator[Path]:
    try:
        with os.scandir(directory) as entries:
            below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    for name in below:
        yield from _bottom_up(directory / name)
    yield directory


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
