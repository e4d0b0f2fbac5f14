"""What the container may use: `linux.resources`, and the OOM score."""

from __future__ import annotations

from msgspec import Struct

from apiserver.engine.containers.options.limits import Limits
from apiserver.jsonvalue import JsonObject, JsonValue

PERIOD_US = 100_000
"""The kernel's default period of the processor quota, and Docker's for NanoCPUs."""


class Acting(Struct, frozen=True):
    """Which limits this host can set; one whose controller is absent makes the runtime fail on v2.

    Attributes:
        kinds: of `memory`, `swap`, `cpu`, `cpuset`, `pids`, `swappiness`, `oom-disable`, `reservation`.
    """

    kinds: frozenset[str]


def resources(limits: Limits, acting: Acting) -> JsonObject:
    """`linux.resources` without the devices: only what was asked for and acts here."""
    found: JsonObject = {}
    memory = _memory(limits, acting)
    if memory:
        found["memory"] = memory
    cpu = _cpu(limits, acting)
    if cpu:
        found["cpu"] = cpu
    if limits.pids is not None and limits.pids > 0 and "pids" in acting.kinds:
        found["pids"] = {"limit": limits.pids}
    return found


def warnings(limits: Limits, acting: Acting) -> tuple[str, ...]:
    """What is left out on this host, or asks for trouble, in Docker's words."""
    kinds = acting.kinds
    asked: tuple[tuple[bool, str, str], ...] = (
        (limits.memory_bytes is not None, "memory", "memory limit capabilities"),
        (
            limits.memory_swap_bytes not in (None, -1) and limits.memory_swap_bytes != limits.memory_bytes,
            "swap",
            "swap limit capabilities",
        ),
        (limits.memory_reservation_bytes is not None, "memory", "memory soft limit capabilities"),
        (limits.memory_swappiness is not None, "swappiness", "memory swappiness capabilities"),
        (limits.oom_kill_disable, "oom-disable", "OomKillDisable"),
        (limits.pids is not None and limits.pids > 0, "pids", "PIDs limit capabilities"),
        (limits.cpu_shares is not None, "cpu", "CPU shares capabilities"),
        (limits.nano_cpus is not None or limits.cpu_quota_us is not None, "cpu", "CPU CFS quota capabilities"),
        (bool(limits.cpuset_cpus or limits.cpuset_mems), "cpuset", "cpuset capabilities"),
    )
    found = [
        f"Your kernel does not support {what} or the cgroup is not mounted. Limitation discarded."
        for wanted, kind, what in asked
        if wanted and kind not in kinds
    ]
    if limits.oom_kill_disable and "oom-disable" in kinds and limits.memory_bytes is None:
        found.append(
            "OOM killer is disabled for the container, but no memory limit is set,"
            " this can result in the system running out of resources."
        )
    return tuple(found)


def oom_score_adj(limits: Limits, own: int, *, may_lower: bool) -> int | None:
    """The score to set; never below our own where the kernel would refuse it (no CAP_SYS_RESOURCE)."""
    if limits.oom_score_adj is None:
        return None
    wanted = max(-1000, min(1000, limits.oom_score_adj))
    return wanted if may_lower else max(wanted, own)


def _memory(limits: Limits, acting: Acting) -> dict[str, JsonValue]:
    if "memory" not in acting.kinds:
        return {}
    found: dict[str, JsonValue] = {}
    if limits.memory_bytes is not None:
        found["limit"] = limits.memory_bytes
        if "swap" in acting.kinds:
            swap = limits.memory_swap_bytes
            found["swap"] = 2 * limits.memory_bytes if swap is None or swap == 0 else swap
    if limits.memory_reservation_bytes is not None:
        found["reservation"] = limits.memory_reservation_bytes
    if limits.memory_swappiness is not None and "swappiness" in acting.kinds:
        found["swappiness"] = limits.memory_swappiness
    if limits.oom_kill_disable and "oom-disable" in acting.kinds:
        found["disableOOMKiller"] = True
    return found


def _cpu(limits: Limits, acting: Acting) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    if "cpu" in acting.kinds:
        # The runtime turns shares into v2's weight.
        if limits.cpu_shares is not None:
            found["shares"] = limits.cpu_shares
        if limits.nano_cpus is not None:
            found["period"] = PERIOD_US
            # Below 1 ms the kernel refuses a quota; 0.01 processors of 100 ms are just that.
            found["quota"] = max(1000, limits.nano_cpus * PERIOD_US // 1_000_000_000)
        if limits.cpu_period_us is not None:
            found["period"] = limits.cpu_period_us
        if limits.cpu_quota_us is not None:
            found["quota"] = limits.cpu_quota_us
    if "cpuset" in acting.kinds:
        if limits.cpuset_cpus:
            found["cpus"] = limits.cpuset_cpus
        if limits.cpuset_mems:
            found["mems"] = limits.cpuset_mems
    return found
