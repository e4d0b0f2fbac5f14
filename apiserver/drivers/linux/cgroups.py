"""Cgroups by the file system, on a legacy, hybrid or unified machine."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from apiserver.drivers.linux.mountinfo import MountPoint, mounts

ROOT = Path("/sys/fs/cgroup")


class CgroupMode(Enum):
    UNIFIED = "unified"
    HYBRID = "hybrid"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted tree of cgroups: a v1 one with its controllers (none for a named one), or the v2 one."""

    mount: Path
    controllers: frozenset[str]
    version: int


class Cgroups:
    """The trees of this machine; a cgroup is named by its path in all of them, such as `/apiserver/ID`.

    All but `move` take 2 ms at most.
    """

    def __init__(self, hierarchies: Iterable[Hierarchy]) -> None:
        self.hierarchies = tuple(hierarchies)

    @property
    def mode(self) -> CgroupMode:
        versions = {hierarchy.version for hierarchy in self.hierarchies}
        if 1 not in versions:
            return CgroupMode.UNIFIED
        return CgroupMode.HYBRID if 2 in versions else CgroupMode.LEGACY

    @property
    def controllers(self) -> frozenset[str]:
        """All that can be used here, by their v1 or v2 names (`blkio` is `io` in v2, `cpuacct` is in `cpu`)."""
        return frozenset().union(*(hierarchy.controllers for hierarchy in self.hierarchies))

    @property
    def unified_controllers(self) -> frozenset[str]:
        """Those of the v2 tree alone; crun refuses a hybrid machine where there are any."""
        return frozenset().union(*(h.controllers for h in self.hierarchies if h.version == 2))

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


def find_cgroups(root: Path = ROOT, mount_points: Iterable[MountPoint] | None = None) -> Cgroups:
    """The cgroup file systems mounted at or below `root`."""
    found: list[Hierarchy] = []
    seen: set[Path] = set()
    for mount in reversed(mounts() if mount_points is None else list(mount_points)):
        if not mount.target.is_relative_to(root) or mount.target in seen:
            continue  # the last one mounted at a place hides the others
        seen.add(mount.target)
        if mount.fstype == "cgroup2":
            try:
                names = (mount.target / "cgroup.controllers").read_text().split()
            except FileNotFoundError:
                names = []
            found.append(Hierarchy(mount.target, frozenset(names), 2))
        elif mount.fstype == "cgroup":
            controllers = {option for option in mount.super_options if option in _V1}
            found.append(Hierarchy(mount.target, frozenset(controllers), 1))
    return Cgroups(reversed(found))


_V1 = frozenset(
    [
        "cpu",
        "cpuacct",
        "cpuset",
        "memory",
        "devices",
        "freezer",
        "blkio",
        "pids",
        "hugetlb",
        "net_cls",
        "net_prio",
        "perf_event",
        "rdma",
        "misc",
    ]
)


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
