"""What a container may use of the machine."""

from __future__ import annotations

import re

from apiserver.engine.containers.options import Devices, Limits
from apiserver.engine.containers.options.devices import DeviceRule, read_device
from apiserver.engine.containers.options.ulimits import Ulimit
from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.libpod.options.body import CreateBody

DEFAULT_PIDS = 2048
"""Podman's own (containers.conf: pids_limit)."""
_CDI = re.compile(r"[A-Za-z][\w.-]*/[A-Za-z][\w.-]*=[\w.:-]+", re.ASCII)
"""`VENDOR/CLASS=NAME`, as which podman's client asks for `--gpus` too."""


def read_limits(body: CreateBody) -> Limits:
    memory, cpu = body.resource_limits.memory, body.resource_limits.cpu
    pids = body.resource_limits.pids.limit
    return Limits(
        memory_bytes=memory.limit or None,
        memory_reservation_bytes=memory.reservation or None,
        memory_swap_bytes=memory.swap or None,
        memory_swappiness=memory.swappiness,
        oom_kill_disable=memory.disable_oom_killer,
        oom_score_adj=body.oom_score_adj or None,
        cpu_shares=cpu.shares or None,
        cpu_period_us=cpu.period or None,
        cpu_quota_us=cpu.quota or None,
        cpuset_cpus=cpu.cpus,
        cpuset_mems=cpu.mems,
        pids=DEFAULT_PIDS if pids is None else pids or None,
        ulimits=tuple(Ulimit(each.type, each.soft, each.hard) for each in body.r_limits or ()),
        cgroup_parent=_cgroup_parent(body.cgroup_parent),
    )


def read_devices(body: CreateBody) -> Devices:
    """A device's path is the whole `HOST[:CONTAINER][:ACCESS]` of the command line."""
    for rule in body.device_cgroup_rule or ():
        if not rule.allow:
            raise NotImplementedYet("the option device_cgroup_rule that forbids")
    for device in body.devices or ():
        if _CDI.fullmatch(device.path):
            raise NotImplementedYet(f"the option devices of CDI ({device.path[:100]})")
    return Devices(
        devices=tuple(read_device(each.path) for each in body.devices or ()),
        rules=tuple(
            DeviceRule(each.type, _number(each.major), _number(each.minor), each.access)
            for each in body.device_cgroup_rule or ()
        ),
        checked=True,
    )


def _cgroup_parent(path: str) -> str:
    if path.rstrip("/").endswith(".slice"):
        raise InvalidParameter("cgroup_parent: systemd slice received as cgroup parent when using cgroupfs")
    return path


def _number(number: int | None) -> int | None:
    """-1 is any."""
    return None if number is None or number < 0 else number
