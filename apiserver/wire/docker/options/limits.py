"""What a container may use of the machine."""

from __future__ import annotations

from apiserver.engine.containers.options import Limits
from apiserver.engine.containers.options.ulimits import Ulimit
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.options.body import HostConfig


def read_limits(host: HostConfig) -> Limits:
    """Zero is Docker's "not asked for"; so is -1 for `MemorySwappiness`, and 0 and -1 for `PidsLimit`."""
    return Limits(
        memory_bytes=host.memory or None,
        memory_reservation_bytes=host.memory_reservation or None,
        memory_swap_bytes=host.memory_swap or None,
        memory_swappiness=None if host.memory_swappiness in (None, -1) else host.memory_swappiness,
        oom_kill_disable=bool(host.oom_kill_disable),
        oom_score_adj=host.oom_score_adj or None,
        nano_cpus=host.nano_cpus or None,
        cpu_shares=host.cpu_shares or None,
        cpu_period_us=host.cpu_period or None,
        cpu_quota_us=host.cpu_quota or None,
        cpuset_cpus=host.cpuset_cpus,
        cpuset_mems=host.cpuset_mems,
        pids=host.pids_limit if host.pids_limit is not None and host.pids_limit > 0 else None,
        ulimits=tuple(Ulimit(each.name, each.soft, each.hard) for each in host.ulimits or () if each is not None),
        cgroup_parent=host.cgroup_parent,
    )


def show_limits(limits: Limits) -> JsonObject:
    """All of Docker's `Resources`, those too that nobody can ask for yet."""
    memory = limits.memory_bytes or 0
    return {
        "OomScoreAdj": limits.oom_score_adj or 0,
        "CpuShares": limits.cpu_shares or 0,
        "Memory": memory,
        "NanoCpus": limits.nano_cpus or 0,
        "CgroupParent": limits.cgroup_parent,
        "BlkioWeight": 0,
        "BlkioWeightDevice": [],
        "BlkioDeviceReadBps": [],
        "BlkioDeviceWriteBps": [],
        "BlkioDeviceReadIOps": [],
        "BlkioDeviceWriteIOps": [],
        "CpuPeriod": limits.cpu_period_us or 0,
        "CpuQuota": limits.cpu_quota_us or 0,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": limits.cpuset_mems,
        "MemoryReservation": limits.memory_reservation_bytes or 0,
        "MemorySwap": limits.memory_swap_bytes if limits.memory_swap_bytes is not None else 2 * memory,
        "MemorySwappiness": limits.memory_swappiness,
        "OomKillDisable": limits.oom_kill_disable,
        "PidsLimit": limits.pids,
        "Ulimits": [{"Name": each.name, "Hard": each.hard, "Soft": each.soft} for each in limits.ulimits],
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    }
