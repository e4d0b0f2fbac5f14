"""What the engine may know of the machine that it is on, for `info` and for defaults."""

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
    storage: str = ""
    storage_configuration: str = ""
    copies: str = ""
    """Optional facts: what is gone after a reboot; where the files of volumes are, the image store, the file that says
    so to tools, and what is being copied into it."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Name -> path of those that are driven."""
    controllers: tuple[str, ...] = ()
    """Of cgroups, that limit containers here."""
    capabilities: tuple[str, ...] = ()
    """What a container has without asking."""
    seccomp_profile: str = ""
    """Where the default one is."""
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


class HostFigures(Struct, frozen=True):
    """What changes while the service runs, or takes a look at the disk: measured for each `info`.

    Attributes:
        user_percent, system_percent, idle_percent: of the processors' time since the machine was started.
        storage_bytes: of the file system that the images are on; `storage_used_bytes` of it are taken.
        storage: what both APIs tell of the storage driver, in their words (`Backing Filesystem`).
        distribution: os-release, such as `ID`, `VERSION_ID`, `VERSION_CODENAME`.
        packages: program -> `PACKAGE_VERSION_ARCHITECTURE`, of those that are from one.
        search_registries: where a short name of an image is looked for, in order.
        open_descriptors: the service's own.
        bridges_filter_ipv4, bridges_filter_ipv6: packets on a bridge go through the firewall.
    """

    memory_free_bytes: int = 0
    swap_total_bytes: int = 0
    swap_free_bytes: int = 0
    uptime_seconds: float = 0
    user_percent: float = 0
    system_percent: float = 0
    idle_percent: float = 0
    storage_bytes: int = 0
    storage_used_bytes: int = 0
    storage: Mapping[str, str] = field(default_factory=dict)
    distribution: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    search_registries: tuple[str, ...] = ()
    open_descriptors: int = 0
    forwards_ipv4: bool = False
    bridges_filter_ipv4: bool = False
    bridges_filter_ipv6: bool = False
