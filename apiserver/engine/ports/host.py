"""What the engine may know of the machine it is on, for `info` and for defaults."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class HostFacts(Struct, frozen=True):
    name: str
    operating_system: str
    kernel: str
    architecture: str
    processors: int
    memory_bytes: int
    cgroup_version: str
    """`1` or `2`."""
    cgroup_manager: str
    storage_driver: str
    root: str
    runroot: str = ""
    volumes: str = ""
    """Optional facts: what is gone after a reboot, and where the files of volumes are."""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    """Name -> path."""
    default_runtime: str = ""
    components: Mapping[str, str] = field(default_factory=dict)
    """Program -> version, of what has been asked so far."""
    security: tuple[str, ...] = ()
    """`seccomp`, `apparmor`, `cgroupns`."""
    limits: frozenset[str] = frozenset()
    """Which limits act here: `memory`, `swap`, `pids`, `cpu`, `cpuset`."""
    warnings: tuple[str, ...] = ()
    boot_id: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)
    """What the service's own environment says of proxies (`http_proxy`), for containers that ask for it."""
