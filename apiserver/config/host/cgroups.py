"""Which trees of cgroups this machine has, and what that makes it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from msgspec import Struct

from apiserver.config.host.mountinfo import MountPoint

ROOT = Path("/sys/fs/cgroup")

_V1 = frozenset(
    {
        *("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"),
        *("hugetlb", "net_cls", "net_prio", "perf_event", "rdma", "misc"),
    }
)


class CgroupMode(Enum):
    """unified: cgroup2 alone; hybrid: v1 trees with cgroup2 beside them; legacy: v1 alone."""

    UNIFIED = "unified"
    HYBRID = "hybrid"
    LEGACY = "legacy"


class Hierarchy(Struct, frozen=True):
    """One mounted tree of cgroups: a v1 one with its controllers (none for a named one), or the v2 one."""

    mount: Path
    controllers: frozenset[str]
    version: int
    writable: bool = True


def find_hierarchies(mount_points: Iterable[MountPoint], root: Path = ROOT) -> tuple[Hierarchy, ...]:
    """The cgroup file systems mounted at or below `root`, in the order in which they were mounted."""
    found: list[Hierarchy] = []
    seen: set[Path] = set()
    for mount in reversed(list(mount_points)):
        if not mount.target.is_relative_to(root) or mount.target in seen:
            continue  # the last one mounted at a place hides the others
        seen.add(mount.target)
        writable = "rw" in mount.options
        if mount.fstype == "cgroup2":
            try:
                names = (mount.target / "cgroup.controllers").read_text().split()
            except FileNotFoundError:
                names = []
            found.append(Hierarchy(mount.target, frozenset(names), 2, writable))
        elif mount.fstype == "cgroup":
            found.append(Hierarchy(mount.target, _V1.intersection(mount.super_options), 1, writable))
    return tuple(reversed(found))


def mode(hierarchies: Iterable[Hierarchy]) -> CgroupMode:
    """What a machine with these trees is."""
    versions = {hierarchy.version for hierarchy in hierarchies}
    if 1 not in versions:
        return CgroupMode.UNIFIED
    return CgroupMode.HYBRID if 2 in versions else CgroupMode.LEGACY


def controllers(hierarchies: Iterable[Hierarchy], version: int | None = None) -> frozenset[str]:
    """The controllers of all these trees, or of those of one version."""
    chosen = (tree.controllers for tree in hierarchies if version in (None, tree.version))
    return frozenset[str]().union(*chosen)
