"""What this machine is and can do, read once at start; nobody else asks for it."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from apiserver.config.host import cgroups
from apiserver.config.host.capabilities import bounding_set
from apiserver.config.host.cgroups import CgroupMode, Hierarchy
from apiserver.config.host.mountinfo import MountPoint, mounts
from apiserver.config.host.programs import PACKAGES, RUNTIMES, SEARCH_PATH, choose_runtime, unusable_runtimes, which

__all__ = ["CgroupMode", "Hierarchy", "Host", "read_host"]

_SECCOMP_PROFILES = ("/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json")


class Host(Struct, frozen=True):
    """The facts.

    Attributes:
        operating_system: as os-release says it, such as `Debian GNU/Linux 12 (bookworm)`.
        boot_id: another one means that the machine was started anew.
        kernel_version: major and minor number of `kernel`.
        hierarchies: the trees of cgroups.
        programs: those found, by name: the keys of `PACKAGES`. Their versions cost time and are asked elsewhere.
        default_runtime: the name of the OCI runtime for new containers; None when none works here.
        unusable_runtimes: name -> why it cannot run containers here.
        overlay: the kernel has overlayfs, or a module for it.
        seccomp: the kernel filters system calls; `seccomp_profile` is the default profile, None when not installed.
        apparmor: enabled, and its parser is there.
        capabilities: what a process started here can have at most, `CAP_...`.
        open_files, processes: soft and hard limit of descriptors and of processes; -1 for none.
        systemd: it is process 1's manager; `journal` and `system_bus`: its sockets, None when they are not there.
    """

    uid: int
    name: str
    operating_system: str
    machine: str
    kernel: str
    kernel_version: tuple[int, int]
    boot_id: str
    memory_bytes: int
    processors: int
    hierarchies: tuple[Hierarchy, ...]
    programs: Mapping[str, Path]
    default_runtime: str | None
    unusable_runtimes: Mapping[str, str]
    overlay: bool
    seccomp: bool
    seccomp_profile: Path | None
    apparmor: bool
    capabilities: tuple[str, ...]
    open_files: tuple[int, int]
    processes: tuple[int, int]
    systemd: bool
    journal: Path | None
    system_bus: Path | None

    @property
    def cgroup_mode(self) -> CgroupMode:
        return cgroups.mode(self.hierarchies)

    @property
    def controllers(self) -> frozenset[str]:
        """The cgroup controllers that limit containers here, by v1 or v2 names (v2's `io` is v1's `blkio`)."""
        return cgroups.controllers(self.hierarchies)

    @property
    def unified_controllers(self) -> frozenset[str]:
        """Those of the v2 tree alone."""
        return cgroups.controllers(self.hierarchies, 2)

    @property
    def runtimes(self) -> dict[str, Path]:
        """The OCI runtimes found."""
        return {name: self.programs[name] for name in RUNTIMES if name in self.programs}


def read_host(
    *,
    runtime: str | None = None,
    search_path: Iterable[str] = SEARCH_PATH,
    mount_points: list[MountPoint] | None = None,
) -> Host:
    """Read the facts; takes 2 ms and starts no program.

    Args:
        runtime: the one that is configured, by name.
    """
    path = tuple(search_path)
    names = os.uname()
    trees = cgroups.find_hierarchies(mounts() if mount_points is None else mount_points)
    programs = {name: found for name in PACKAGES if (found := which(name, path))}
    runtimes = {name: programs[name] for name in RUNTIMES if name in programs}
    capabilities = bounding_set()
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    unusable = unusable_runtimes(
        cgroups.mode(trees),
        cgroups.controllers(trees, 2),
        may_lock_memory="CAP_SYS_RESOURCE" in capabilities or locked[1] == resource.RLIM_INFINITY,
    )
    major, minor = [*re.findall(r"\d+", names.release), "0", "0"][:2]
    return Host(
        uid=os.geteuid(),
        name=names.nodename,
        operating_system=_operating_system(),
        machine=names.machine,
        kernel=names.release,
        kernel_version=(int(major), int(minor)),
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        processors=len(os.sched_getaffinity(0)),
        hierarchies=trees,
        programs=programs,
        default_runtime=choose_runtime(runtimes, unusable, runtime),
        unusable_runtimes=unusable,
        overlay=_has_overlay(names.release),
        seccomp=os.path.exists("/proc/sys/kernel/seccomp/actions_avail"),
        seccomp_profile=_first(_SECCOMP_PROFILES),
        apparmor=_read("/sys/module/apparmor/parameters/enabled") == "Y" and which("apparmor_parser", path) is not None,
        capabilities=capabilities,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE),
        processes=resource.getrlimit(resource.RLIMIT_NPROC),
        systemd=os.path.isdir("/run/systemd/system"),
        journal=_first(["/run/systemd/journal/socket"]),
        system_bus=_first(["/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"]),
    )


def _first(paths: Iterable[str]) -> Path | None:
    return next((Path(path) for path in paths if os.path.exists(path)), None)


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _operating_system() -> str:
    for line in (_read("/etc/os-release") or _read("/usr/lib/os-release")).splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'")
    return "Linux"


def _has_overlay(release: str) -> bool:
    if "\toverlay\n" in _read("/proc/filesystems") + "\n":
        return True
    modules = f"/lib/modules/{release}"
    return any("/overlay.ko" in _read(f"{modules}/{name}") for name in ("modules.dep", "modules.builtin"))
