"""What a container may use of the machine."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from apiserver.engine.containers.options import ulimits
from apiserver.engine.containers.options.process import LONGEST_PATH, check_names, too_long
from apiserver.engine.containers.options.ulimits import Ulimit
from apiserver.errors import InvalidParameter

SMALLEST_MEMORY = 6 << 20
"""Docker's minimum: with less not even the runtime gets the process started."""
SERVICE_CGROUP = "apiserver"
"""Below it, at the root of cgroups, are those of all containers that ask for no other place."""
_SET = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*", re.ASCII)
_LARGEST_CPU = 8191


class Limits(Struct, frozen=True):
    """None everywhere: no limit asked for."""

    memory_bytes: int | None = None
    memory_reservation_bytes: int | None = None
    memory_swap_bytes: int | None = None
    """Memory and swap together; -1: unlimited swap; None with a memory limit: twice that."""
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int | None = None
    nano_cpus: int | None = None
    """Billionths of a processor; excludes period and quota."""
    cpu_shares: int | None = None
    cpu_period_us: int | None = None
    cpu_quota_us: int | None = None
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids: int | None = None
    """None or -1: no limit."""
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    """Of the container's cgroup, from the root of cgroups, with or without `/` before it; empty: the service's own."""


def validated(limits: Limits, *, processors: int) -> Limits:
    """The limits as they will act.

    Args:
        processors: of this host.

    Raises:
        InvalidParameter: in Docker's words, which name the option.
    """
    limits = _memory(limits)
    _cpu(limits, processors)
    if limits.pids is not None and limits.pids < -1:
        raise InvalidParameter("PidsLimit: use a positive number, or -1 for no limit")
    if limits.pids in (0, -1):
        limits = replace(limits, pids=None)
    _cgroup_parent(limits.cgroup_parent)
    return replace(limits, ulimits=ulimits.validated(limits.ulimits))


def _cgroup_parent(path: str) -> None:
    if too_long(path):
        raise InvalidParameter(f"CgroupParent: it has more than {LONGEST_PATH} bytes")
    check_names(path, "CgroupParent")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or any(ord(letter) < 32 for letter in path):
        raise InvalidParameter(f"CgroupParent: {path!r} is no path below the root of cgroups")
    if parts[:1] == [SERVICE_CGROUP]:
        raise InvalidParameter(f"CgroupParent: {path!r} is the service's own, which ends what is in there")


def _memory(limits: Limits) -> Limits:
    memory, swap = limits.memory_bytes, limits.memory_swap_bytes
    if memory is not None and memory < 0:
        raise InvalidParameter("Memory: a limit cannot be negative")
    if memory and memory < SMALLEST_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if swap is not None and swap < -1:
        raise InvalidParameter("MemorySwap: use a positive number, or -1 for unlimited swap")
    if swap and swap > 0 and not memory:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if swap and swap > 0 and memory and swap < memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    reservation = limits.memory_reservation_bytes
    if reservation is not None and reservation < 0:
        raise InvalidParameter("MemoryReservation: a reservation cannot be negative")
    if reservation and reservation < SMALLEST_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if reservation and memory and reservation > memory:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")
    swappiness = limits.memory_swappiness
    if swappiness is not None and not -1 <= swappiness <= 100:
        raise InvalidParameter(f"Invalid value: {swappiness}, valid memory swappiness range is 0-100")
    score = limits.oom_score_adj
    if score is not None and not -1000 <= score <= 1000:
        raise InvalidParameter(f"Invalid value {score}, range for oom score adj is [-1000, 1000]")
    return replace(
        limits,
        memory_bytes=memory or None,
        memory_swap_bytes=swap or None,
        memory_reservation_bytes=reservation or None,
        memory_swappiness=None if swappiness == -1 else swappiness,
    )


def _cpu(limits: Limits, processors: int) -> None:
    nano, period, quota = limits.nano_cpus, limits.cpu_period_us, limits.cpu_quota_us
    if nano and period:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if nano and quota:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if nano is not None and (nano < 0 or nano > processors * 1_000_000_000):
        raise InvalidParameter(
            f"range of CPUs is from 0.01 to {processors}.00, as there are only {processors} CPUs available"
        )
    if limits.cpu_shares is not None and limits.cpu_shares < 0:
        raise InvalidParameter(f"invalid CPU shares ({limits.cpu_shares}): value must be a positive integer")
    if period and not 1_000 <= period <= 1_000_000:
        raise InvalidParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if quota and quota != -1 and quota < 1_000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    for field, text in (("cpuset cpus", limits.cpuset_cpus), ("cpuset mems", limits.cpuset_mems)):
        if text and (not _SET.fullmatch(text) or any(_wrong(part) for part in text.split(","))):
            raise InvalidParameter(f"Invalid value {text} for {field}")
    for part in limits.cpuset_cpus.split(",") if limits.cpuset_cpus else ():
        if int(part.rpartition("-")[2]) >= processors:
            raise InvalidParameter(
                f"Requested CPUs are not available - requested {limits.cpuset_cpus}, available: 0-{processors - 1}"
            )


def _wrong(part: str) -> bool:
    first, _, last = part.partition("-")
    return len(part) > 9 or int(last or first) > _LARGEST_CPU or int(first) > int(last or first)
