"""What a container's configuration takes from this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from apiserver.config.host import CgroupMode, Hierarchy, Host
from apiserver.local.runs.spec.limits import Acting
from apiserver.local.runs.spec.sysctls import known_defaults
from apiserver.local.runs.spec.ulimits import ceilings


class Machine(Struct, frozen=True):
    """The host's facts, and the few more that only a container's configuration needs.

    Attributes:
        apparmor: the profiles loaded; None where there is no AppArmor.
        thermal: the paths of `security.THERMAL` that are here.
        oom_score_adj: our own.
        highest_ulimits: short name -> the highest hard limit that can be given here.
        sysctls: what a container with a network of its own has without asking.
    """

    host: Host
    acting: Acting
    apparmor: frozenset[str] | None = None
    thermal: tuple[str, ...] = ()
    oom_score_adj: int = 0
    highest_ulimits: Mapping[str, int] = {}
    sysctls: Mapping[str, str] = {}

    @property
    def unified(self) -> bool:
        return self.host.cgroup_mode is CgroupMode.UNIFIED

    @property
    def capabilities(self) -> tuple[str, ...]:
        return self.host.capabilities

    @property
    def rlimits(self) -> dict[str, tuple[int, int]]:
        return {"nofile": self.host.open_files, "nproc": self.host.processes}

    @property
    def may_lower_oom_score(self) -> bool:
        return "CAP_SYS_RESOURCE" in self.host.capabilities

    @property
    def monitor_hierarchies(self) -> tuple[Hierarchy, ...]:
        """The trees in which whoever stops the service looks for its processes: the named ones and v2.

        Only there does conmon get a cgroup of its own: each tree costs the kernel some time.
        """
        return tuple(tree for tree in self.host.hierarchies if tree.version == 2 or not tree.controllers)


def look(host: Host) -> Machine:
    """This machine; reads some files of /proc and /sys."""
    thermal = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle")
    return Machine(
        host=host,
        acting=acting(host),
        apparmor=_loaded_profiles() if host.apparmor else None,
        thermal=tuple(sorted(map(str, thermal))),
        oom_score_adj=int(Path("/proc/self/oom_score_adj").read_text()),
        highest_ulimits=ceilings(may_raise="CAP_SYS_RESOURCE" in host.capabilities),
        sysctls=known_defaults(),
    )


def acting(host: Host) -> Acting:
    """Which limits can be set here; one whose controller is absent makes a runtime fail on v2."""
    kinds: set[str] = set()
    for hierarchy in host.hierarchies:
        # On a hybrid machine the runtimes set limits in the v1 trees alone.
        if hierarchy.version == 2 and host.cgroup_mode is not CgroupMode.UNIFIED:
            continue
        kinds |= hierarchy.controllers & {"memory", "cpu", "cpuset", "pids"}
        if "memory" in hierarchy.controllers:
            kinds |= _memory_kinds(hierarchy)
    return Acting(frozenset(kinds))


def _memory_kinds(hierarchy: Hierarchy) -> set[str]:
    if hierarchy.version == 2:
        return {"swap"} if Path("/proc/swaps").exists() else set()
    files = {
        "swap": "memory.memsw.limit_in_bytes",
        "swappiness": "memory.swappiness",
        "oom-disable": "memory.oom_control",
    }
    return {kind for kind, file in files.items() if (hierarchy.mount / file).exists()}


def _loaded_profiles() -> frozenset[str] | None:
    try:
        text = Path("/sys/kernel/security/apparmor/profiles").read_text()
    except OSError:
        return None
    return frozenset(line.rpartition(" (")[0] for line in text.splitlines())
