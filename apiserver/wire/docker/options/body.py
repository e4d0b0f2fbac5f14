"""The body of a create request: every field that a version of the Docker Engine API knows, with its type.

A null is what a missing field is, wherever Go decodes it so. Unknown keys are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct, field

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Strings: TypeAlias = "list[str] | None"
StringMap: TypeAlias = "dict[str, str] | None"
Keys: TypeAlias = "dict[str, dict[str, Any] | None] | None"
"""Go writes a set as a map to empty objects."""
Anything: TypeAlias = "list[dict[str, Any] | None] | None"
"""A list of objects that is only looked at for being empty."""


class Body(Struct, rename="pascal"):
    """A JSON object with Go's names of fields."""


class HealthConfig(Body):
    test: Strings = None
    interval: Int64 = 0
    timeout: Int64 = 0
    start_period: Int64 = 0
    start_interval: Int64 = 0
    retries: Int64 = 0


class LogConfig(Body):
    type: str = ""
    config: StringMap = None


class RestartPolicyBody(Body):
    name: str = ""
    maximum_retry_count: Int64 = 0


class PortBinding(Body):
    host_ip: str = ""
    host_port: str = ""


class UlimitBody(Body):
    name: str = ""
    soft: Int64 = 0
    hard: Int64 = 0


class DeviceBody(Body):
    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = ""


class BindOptions(Body):
    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class DriverConfig(Body):
    name: str = ""
    options: StringMap = None


class VolumeOptions(Body):
    no_copy: bool = False
    labels: StringMap = None
    driver_config: DriverConfig | None = None
    subpath: str = ""


class TmpfsOptions(Body):
    size_bytes: Int64 = 0
    mode: Int64 = 0
    options: list[list[str]] | None = None


class MountBody(Body):
    type: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: dict[str, Any] | None = None
    tmpfs_options: TmpfsOptions | None = None
    cluster_options: dict[str, Any] | None = None


class HostConfig(Body):
    # mounts
    binds: Strings = None
    mounts: list[MountBody] | None = None
    tmpfs: StringMap = None
    volume_driver: str = ""
    volumes_from: Strings = None
    storage_opt: StringMap = None
    readonly_rootfs: bool = False
    shm_size: Int64 = 0
    # network
    network_mode: str = ""
    port_bindings: dict[str, list[PortBinding] | None] | None = None
    publish_all_ports: bool = False
    links: Strings = None
    dns: Strings = None
    dns_options: Strings = None
    dns_search: Strings = None
    extra_hosts: Strings = None
    # namespaces
    pid_mode: str = ""
    ipc_mode: str = ""
    uts_mode: str = field(name="UTSMode", default="")
    userns_mode: str = ""
    cgroupns_mode: str = ""
    sysctls: StringMap = None
    # security
    privileged: bool = False
    cap_add: Strings = None
    cap_drop: Strings = None
    capabilities: Strings = None
    group_add: Strings = None
    security_opt: Strings = None
    masked_paths: Strings = None
    readonly_paths: Strings = None
    # lifecycle and logging
    auto_remove: bool = False
    restart_policy: RestartPolicyBody | None = None
    init: bool | None = None
    log_config: LogConfig | None = None
    # limits
    memory: Int64 = 0
    memory_reservation: Int64 = 0
    memory_swap: Int64 = 0
    memory_swappiness: Int64 | None = None
    kernel_memory: Int64 = 0
    kernel_memory_tcp: Int64 = field(name="KernelMemoryTCP", default=0)
    oom_kill_disable: bool | None = None
    oom_score_adj: Int64 = 0
    nano_cpus: Int64 = 0
    cpu_shares: Int64 = 0
    cpu_period: Int64 = 0
    cpu_quota: Int64 = 0
    cpu_realtime_period: Int64 = 0
    cpu_realtime_runtime: Int64 = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    cpu_count: Int64 = 0
    cpu_percent: Int64 = 0
    io_maximum_iops: Int64 = field(name="IOMaximumIOps", default=0)
    io_maximum_bandwidth: Int64 = field(name="IOMaximumBandwidth", default=0)
    blkio_weight: Int64 = 0
    blkio_weight_device: Anything = None
    blkio_device_read_bps: Anything = None
    blkio_device_write_bps: Anything = None
    blkio_device_read_iops: Anything = field(name="BlkioDeviceReadIOps", default=None)
    blkio_device_write_iops: Anything = field(name="BlkioDeviceWriteIOps", default=None)
    pids_limit: Int64 | None = None
    ulimits: list[UlimitBody | None] | None = None
    devices: list[DeviceBody | None] | None = None
    device_cgroup_rules: Strings = None
    device_requests: Anything = None
    cgroup_parent: str = ""
    cgroup: str = ""
    # the rest
    runtime: str = ""
    isolation: str = ""
    annotations: StringMap = None
    console_size: list[Int64] | None = None
    container_id_file: str = field(name="ContainerIDFile", default="")


class EndpointIPAM(Body):
    ipv4_address: str = field(name="IPv4Address", default="")
    ipv6_address: str = field(name="IPv6Address", default="")
    link_local_ips: Strings = field(name="LinkLocalIPs", default=None)


class EndpointBody(Body):
    ipam_config: EndpointIPAM | None = field(name="IPAMConfig", default=None)
    links: Strings = None
    aliases: Strings = None
    mac_address: str = ""
    driver_opts: StringMap = None
    gw_priority: Int64 = 0


class NetworkingConfig(Body):
    endpoints_config: dict[str, EndpointBody | None] | None = None


class CreateBody(Body):
    """The body of `POST /containers/create`: the container's configuration, and the host's beside it."""

    image: str = ""
    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: Keys = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: Strings = None
    cmd: list[str] | str | None = None
    entrypoint: list[str] | str | None = None
    healthcheck: HealthConfig | None = None
    args_escaped: bool = False
    volumes: Keys = None
    working_dir: str = ""
    network_disabled: bool = False
    mac_address: str = ""
    on_build: Strings = None
    labels: StringMap = None
    stop_signal: str = ""
    stop_timeout: Int64 | None = None
    shell: Strings = None
    host_config: HostConfig | None = None
    networking_config: NetworkingConfig | None = None
