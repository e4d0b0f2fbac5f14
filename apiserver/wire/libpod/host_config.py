"""`HostConfig` of an inspection (podman: InspectContainerHostConfig in libpod/define/container_inspect.go)."""

from __future__ import annotations

from apiserver.engine.containers.model import Container
from apiserver.engine.containers.options.limits import Limits
from apiserver.engine.containers.options.logging import DEFAULT_MAX_SIZE
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.containers.options.security import UNCONFINED, Security, full_name
from apiserver.jsonvalue import JsonObject, JsonValue
from apiserver.wire.gojson import human_size
from apiserver.wire.libpod.annotations import shown_annotations

_UNSET_LISTS = (
    *("Links", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps"),
    *("BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "CgroupConf"),
)
_UNSET_NUMBERS = (
    *("BlkioWeight", "CpuRealtimePeriod", "CpuRealtimeRuntime", "DiskQuota", "KernelMemory", "CpuCount", "CpuPercent"),
    *("IOMaximumIOps", "IOMaximumBandwidth"),
)


_EVERYWHERE = "0.0.0.0"  # noqa: S104  # it is shown, not bound
_PERIOD_US = 100_000
"""In which processors are given out where the client says no other."""
_V6 = (6, 0, 0)


def host_config_json(
    container: Container, cgroup_manager: str, log_path: str, version: tuple[int, ...], *, unified: bool
) -> JsonObject:
    """
    Args:
        unified: the host has cgroup v2 alone, which decides where the client left the choice.
    """
    options = container.options
    security, network, mounts = options.security, options.network, options.mounts
    namespaces, kept_size = options.namespaces, options.logging.max_size_bytes
    config: JsonObject = {
        "Binds": [_bind(mount) for mount in mounts.mounts if mount.kind is not MountKind.TMPFS],
        "CgroupManager": cgroup_manager,
        "CgroupMode": (namespaces.cgroup or (Namespace.PRIVATE if unified else Namespace.HOST)).value,
        "ContainerIDFile": "",
        "LogConfig": {
            "Type": options.logging.asked_as or options.logging.driver.value,
            "Config": None,
            "Path": log_path,
            "Tag": "",
            "Size": human_size(0 if kept_size == DEFAULT_MAX_SIZE else kept_size),
        },
        "NetworkMode": "bridge" if network.bridged else network.mode,
        "PortBindings": _bindings(container),
        "RestartPolicy": {
            "Name": options.lifecycle.restart.name,
            "MaximumRetryCount": options.lifecycle.restart.maximum_retries,
        },
        "AutoRemove": options.lifecycle.auto_remove,
        "AutoRemoveImage": False,
        "Annotations": shown_annotations(container),
        "VolumeDriver": "",
        "VolumesFrom": list(mounts.volumes_from) or None,
        "CapAdd": [full_name(name) for name in security.cap_add],
        "CapDrop": [full_name(name) for name in security.cap_drop],
        "Dns": list(network.dns_servers),
        "DnsOptions": list(network.dns_options),
        "DnsSearch": list(network.dns_search),
        "ExtraHosts": list(network.extra_hosts),
        "HostsFile": "",
        "GroupAdd": list(security.supplementary_groups),
        "IpcMode": (namespaces.ipc or Namespace.SHAREABLE).value,
        "Cgroup": "",
        "Cgroups": "default",
        "PidMode": namespaces.pid.value,
        "Privileged": security.privileged,
        "PublishAllPorts": network.publish_all,
        "ReadonlyRootfs": mounts.read_only_rootfs,
        "SecurityOpt": _security_options(security),
        "Tmpfs": {
            mount.target: _tmpfs(mount)
            for mount in mounts.mounts
            if mount.kind is MountKind.TMPFS and not mount.for_read_only
        },
        "UTSMode": namespaces.uts.value,
        "UsernsMode": "",
        "ShmSize": mounts.shm_size_bytes,
        "Runtime": "oci",
        "ConsoleSize": list(options.process.console_size or (0, 0)),
        "Isolation": "",
        "CgroupParent": options.limits.cgroup_parent,
        "Devices": [
            {"PathOnHost": each.on_host, "PathInContainer": each.in_container, "CgroupPermissions": ""}
            for each in options.devices.devices
        ],
        "Ulimits": [
            {"Name": f"RLIMIT_{each.name.upper()}", "Soft": each.soft, "Hard": each.hard}
            for each in options.limits.ulimits
        ],
    }
    if options.lifecycle.init:
        config["Init"] = True
    return config | _limits(options.limits, version) | dict.fromkeys(_UNSET_LISTS) | dict.fromkeys(_UNSET_NUMBERS, 0)


def _limits(limits: Limits, version: tuple[int, ...]) -> JsonObject:
    return {
        "OomScoreAdj": limits.oom_score_adj or 0,
        "OomKillDisable": limits.oom_kill_disable,
        "CpuShares": limits.cpu_shares or 0,
        "Memory": limits.memory_bytes or 0,
        "NanoCpus": limits.nano_cpus or _nano_cpus(limits),
        "CpuPeriod": limits.cpu_period_us or (_PERIOD_US if limits.nano_cpus else 0),
        "CpuQuota": limits.cpu_quota_us or (limits.nano_cpus or 0) * _PERIOD_US // 1_000_000_000,
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": limits.cpuset_mems,
        "MemoryReservation": limits.memory_reservation_bytes or 0,
        "MemorySwap": limits.memory_swap_bytes or 2 * (limits.memory_bytes or 0),
        "MemorySwappiness": _swappiness(limits, version),
        "PidsLimit": limits.pids or 0,
    }


def _nano_cpus(limits: Limits) -> int:
    """What a quota comes to; -1 is none."""
    quota = max(limits.cpu_quota_us or 0, 0)
    return quota * 1_000_000_000 // (limits.cpu_period_us or _PERIOD_US)


def _security_options(security: Security) -> list[str]:
    """As Podman shows them: those that it writes down, and whether nothing is masked."""
    shown = ["no-new-privileges"] if security.no_new_privileges else []
    shown += ["label=disable"] if security.label_disabled else []
    shown += [f"seccomp={UNCONFINED}"] if security.seccomp == UNCONFINED else []
    shown += [f"apparmor={security.apparmor}"] if security.apparmor else []
    masks_nothing = (security.privileged or "ALL" in security.unmask) and not security.mask
    if security.masked_paths == () or (security.masked_paths is None and masks_nothing):
        shown.append("unmask=all")
    return shown


def _swappiness(limits: Limits, version: tuple[int, ...]) -> int | None:
    """What was asked for; else null, or before 6 -1 where memory is limited in any way and 0 where it is not."""
    limited = limits.memory_bytes or limits.memory_reservation_bytes or limits.memory_swap_bytes
    if limits.memory_swappiness is not None:
        return limits.memory_swappiness
    if version >= _V6:
        return None
    return -1 if limited or limits.oom_kill_disable else 0


def _bind(mount: Mount) -> str:
    access, reach = "ro" if mount.read_only else "rw", "rbind" if mount.recursive else "bind"
    return f"{mount.source}:{mount.target}:{','.join((access, mount.propagation or 'rprivate', *mount.flags, reach))}"


def _tmpfs(mount: Mount) -> str:
    """Its options, with those that it has where nobody says anything else."""
    shown = list(mount.tmpfs_options)
    if mount.tmpfs_size_bytes:
        shown.append(f"size={mount.tmpfs_size_bytes}")
    if mount.tmpfs_mode is not None:
        shown.append(f"mode={mount.tmpfs_mode:o}")
    shown.append("ro" if mount.read_only or "ro" in shown else "rw")
    shown.append("rprivate")
    shown += [flag for flag in ("nosuid", "nodev", "noexec") if flag.removeprefix("no") not in shown]
    copied = ["tmpcopyup"] if "tmpcopyup" in shown else []
    # To run programs in it is what Podman has by default, and does not say.
    return ",".join([*(option for option in dict.fromkeys(shown) if option not in ("exec", "tmpcopyup")), *copied])


def _bindings(container: Container) -> JsonObject:
    shown: dict[str, list[JsonValue]] = {}
    for port in container.options.network.ports:
        key = f"{port.container_port}/{port.transport}"
        first = str(port.host_port_first) if port.host_port_first else ""
        shown.setdefault(key, []).append({"HostIp": port.host_ip or _EVERYWHERE, "HostPort": first})
    return dict(shown)
