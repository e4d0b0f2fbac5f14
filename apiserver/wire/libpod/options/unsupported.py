"""What a libpod client can ask for and this version does not do: named, never dropped in silence."""

from __future__ import annotations

from apiserver.errors import NotImplementedYet
from apiserver.wire.libpod.options.body import CreateBody

_FIELDS = (
    "rootfs rootfs_overlay rootfs_mapping rootfs_propagation storage_opts env_host hostusers"
    " personality overlay_volumes image_volumes"
    " artifact_volumes chroot_directories secrets secret_env shm_size_systemd devices_from gpus"
    " network_options base_hosts_file"
    " label_nested procfs_opts unified pod init_container_type"
)
_RENAMED = {
    "dependency_containers": "dependencyContainers",
    "intel_rdt": "intelRdt",
    "remove_image": "removeImage",
    "startup_health": "startupHealthConfig",
    "throttle_read_bps": "throttleReadBpsDevice",
    "throttle_read_iops": "throttleReadIOPSDevice",
    "throttle_write_bps": "throttleWriteBpsDevice",
    "throttle_write_iops": "throttleWriteIOPSDevice",
    "weight_device": "weightDevice",
}


def refuse_unsupported(body: CreateBody) -> None:
    """Look at all options that are not built; at their defaults clients send them too.

    Raises:
        NotImplementedYet: the first one that is not at its default.
    """
    for name in _FIELDS.split():
        if getattr(body, name):
            raise NotImplementedYet(f"the option {name}")
    for attribute, name in _RENAMED.items():
        if getattr(body, attribute):
            raise NotImplementedYet(f"the option {name}")
    ids, limits = body.idmappings, body.resource_limits
    asked: tuple[tuple[object, str], ...] = (
        (body.systemd not in ("", "true", "false"), f"systemd={body.systemd}"),
        (body.sdnotify_mode not in ("", "container", "ignore"), f"sdnotifyMode={body.sdnotify_mode}"),
        (body.cgroups_mode not in ("", "enabled"), f"cgroups_mode={body.cgroups_mode}"),
        (body.userns.nsmode not in ("", "default", "host"), f"userns={body.userns.nsmode}"),
        (ids.uid_map or ids.gid_map or ids.auto, "idmappings"),
        (body.seccomp_policy not in ("", "default"), f"seccomp_policy={body.seccomp_policy}"),
        (body.health_check_on_failure_action not in (0, "", "none"), "health_check_on_failure_action"),
        (body.health_log_destination not in ("", "local"), "healthLogDestination"),
        (body.health_max_log_count not in (None, 0, 5), "healthMaxLogCount"),
        (body.health_max_log_size not in (None, 0, 500), "healthMaxLogSize"),
        (limits.block_io, "resource_limits.blockIO"),
        (limits.hugepage_limits, "resource_limits.hugepageLimits"),
        (limits.devices, "resource_limits.devices"),
        (limits.network, "resource_limits.network"),
        (limits.rdma, "resource_limits.rdma"),
        (limits.unified, "resource_limits.unified"),
        (limits.memory.kernel, "resource_limits.memory.kernel"),
        (limits.memory.kernel_tcp, "resource_limits.memory.kernelTCP"),
        (limits.cpu.realtime_period, "resource_limits.cpu.realtimePeriod"),
        (limits.cpu.realtime_runtime, "resource_limits.cpu.realtimeRuntime"),
        (limits.cpu.burst, "resource_limits.cpu.burst"),
        (limits.cpu.idle, "resource_limits.cpu.idle"),
    )
    for value, name in asked:
        if value:
            raise NotImplementedYet(f"the option {name}")
