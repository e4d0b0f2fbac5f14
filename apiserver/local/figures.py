"""What is measured of this machine when somebody asks for `info`: reads files and the disk's tables, so in a thread."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from twisted.logger import Logger

from apiserver.config.host.mountinfo import mounts
from apiserver.engine.ports.host import HostFigures
from apiserver.local.packages import packages
from apiserver.local.paths import Paths
from apiserver.local.registries.calls import registry_files
from apiserver.local.registries.registries_conf import BadRegistriesConf, search_registries

log = Logger()

_FILE_SYSTEMS = {"ext2": "extfs", "ext3": "extfs", "ext4": "extfs", "overlay": "overlayfs"}
"""What containers/storage calls some of them."""
_USER, _SYSTEM, _IDLE = 0, 2, 3
"""Columns of /proc/stat."""


def measure(paths: Paths, programs: Mapping[str, Path]) -> HostFigures:
    """
    Args:
        programs: those that are driven, name -> path.

    Raises:
        OSError: /proc, the storage, or what is known of packages cannot be read.
    """
    memory, times, disk = _memory(), _processor_times(), os.statvfs(paths.storage)
    total = sum(times) or 1
    return HostFigures(
        memory_free_bytes=memory.get("MemFree", 0),
        swap_total_bytes=memory.get("SwapTotal", 0),
        swap_free_bytes=memory.get("SwapFree", 0),
        uptime_seconds=float(Path("/proc/uptime").read_text().split()[0]),
        user_percent=100 * times[_USER] / total,
        system_percent=100 * times[_SYSTEM] / total,
        idle_percent=100 * times[_IDLE] / total,
        storage_bytes=disk.f_blocks * disk.f_frsize,
        storage_used_bytes=(disk.f_blocks - disk.f_bfree) * disk.f_frsize,
        storage=_storage(paths.storage),
        distribution=_distribution(),
        packages=packages(programs),
        search_registries=_search_registries(),
        open_descriptors=len(os.listdir("/proc/self/fd")),
        forwards_ipv4=_is_on("/proc/sys/net/ipv4/ip_forward"),
        bridges_filter_ipv4=_is_on("/proc/sys/net/bridge/bridge-nf-call-iptables"),
        bridges_filter_ipv6=_is_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
    )


def _memory() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[2:] == ["kB"]}


def _processor_times() -> list[int]:
    """Of all processors since the machine was started."""
    return [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]


def _storage(root: Path) -> dict[str, str]:
    """In the words of both kinds of `info`."""
    # The last one mounted at the longest path is the one that is seen.
    below = max(
        (mount for mount in mounts() if root.is_relative_to(mount.target)), key=lambda mount: len(mount.target.parts)
    )
    metacopy, redirects = (_is_on(f"/sys/module/overlay/parameters/{name}") for name in ("metacopy", "redirect_dir"))
    return {
        "Backing Filesystem": _FILE_SYSTEMS.get(below.fstype, below.fstype),
        "Native Overlay Diff": "false" if metacopy or redirects else "true",
        "Using metacopy": "true" if metacopy else "false",
    }


def _distribution() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _search_registries() -> tuple[str, ...]:
    try:
        return tuple(search_registries(registry_files().registries))
    except BadRegistriesConf as error:
        # Whoever pulls is told; `info` is also how clients find out whether we live.
        log.warn("{error}", error=error)
        return ()


def _is_on(path: str) -> bool:
    try:
        return Path(path).read_text().strip() in ("1", "Y")
    except FileNotFoundError:  # a module that is not loaded
        return False
