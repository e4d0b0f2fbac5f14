"""What a Docker client can ask for and this version does not do: named, never dropped in silence."""

from __future__ import annotations

from apiserver.errors import InvalidParameter, NotImplementedYet
from apiserver.wire.docker.options.body import CreateBody, EndpointBody, HostConfig


def refuse_unsupported(body: CreateBody, host: HostConfig) -> None:
    """Look at all options that are not built; at their defaults clients send them too.

    Raises:
        NotImplementedYet: the first one that is not at its default, with the docker CLI's name for it.
        InvalidParameter: it would be impossible anyway.
    """
    if host.isolation not in ("", "default"):
        raise InvalidParameter(f"HostConfig.Isolation: {host.isolation!r}: linux only supports 'default'")
    asked: tuple[tuple[object, str], ...] = (
        (host.userns_mode not in ("", "host"), "HostConfig.UsernsMode (--userns)"),
        (host.device_requests, "HostConfig.DeviceRequests (--gpus)"),
        (host.links, "HostConfig.Links (--link)"),
        (host.storage_opt, "HostConfig.StorageOpt (--storage-opt)"),
        (host.cgroup, "HostConfig.Cgroup"),
        (host.capabilities, "HostConfig.Capabilities"),
        (host.blkio_weight, "HostConfig.BlkioWeight (--blkio-weight)"),
        (host.blkio_weight_device, "HostConfig.BlkioWeightDevice (--blkio-weight-device)"),
        (host.blkio_device_read_bps, "HostConfig.BlkioDeviceReadBps (--device-read-bps)"),
        (host.blkio_device_write_bps, "HostConfig.BlkioDeviceWriteBps (--device-write-bps)"),
        (host.blkio_device_read_iops, "HostConfig.BlkioDeviceReadIOps (--device-read-iops)"),
        (host.blkio_device_write_iops, "HostConfig.BlkioDeviceWriteIOps (--device-write-iops)"),
        (host.cpu_realtime_period, "HostConfig.CpuRealtimePeriod (--cpu-rt-period)"),
        (host.cpu_realtime_runtime, "HostConfig.CpuRealtimeRuntime (--cpu-rt-runtime)"),
        (host.kernel_memory, "HostConfig.KernelMemory (--kernel-memory)"),
        (host.kernel_memory_tcp, "HostConfig.KernelMemoryTCP"),
        (host.cpu_count, "HostConfig.CpuCount (--cpu-count)"),
        (host.cpu_percent, "HostConfig.CpuPercent (--cpu-percent)"),
        (host.io_maximum_iops, "HostConfig.IOMaximumIOps (--io-maxiops)"),
        (host.io_maximum_bandwidth, "HostConfig.IOMaximumBandwidth (--io-maxbandwidth)"),
        (host.volume_driver not in ("", "local"), "HostConfig.VolumeDriver (--volume-driver)"),
    )
    for value, name in asked:
        if value:
            raise NotImplementedYet(f"the option {name}")
    for name, endpoint in endpoints(body).items():
        _refuse_endpoint(name, endpoint)


def endpoints(body: CreateBody) -> dict[str, EndpointBody]:
    """What is said of each network, by the name or id that the client used for it."""
    config = body.networking_config
    found = (config.endpoints_config if config is not None else None) or {}
    return {name: endpoint or EndpointBody() for name, endpoint in found.items()}


def _refuse_endpoint(network: str, endpoint: EndpointBody) -> None:
    where = f"NetworkingConfig.EndpointsConfig.{network}"
    ipam = endpoint.ipam_config
    if ipam is not None:
        if ipam.ipv4_address:
            raise NotImplementedYet(f"the option {where}.IPAMConfig.IPv4Address (--ip)")
        if ipam.ipv6_address:
            raise NotImplementedYet(f"the option {where}.IPAMConfig.IPv6Address (--ip6)")
        if ipam.link_local_ips:
            raise NotImplementedYet(f"the option {where}.IPAMConfig.LinkLocalIPs (--link-local-ip)")
    if endpoint.links:
        raise NotImplementedYet(f"the option {where}.Links (--link)")
    if endpoint.driver_opts:
        raise NotImplementedYet(f"the option {where}.DriverOpts (--network driver-opt=)")
