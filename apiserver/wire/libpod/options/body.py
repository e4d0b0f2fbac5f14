"""The body of a create request: podman's SpecGenerator (pkg/specgen/specgen.go), each known field with its type.

A null is what a missing field is, as Go decodes it. Unknown keys are ignored. So are these known ones, as they make no
difference here: `volatile` (how much is synced to disk), `networkOrder` (there is one network), `host_device_list`
(Podman's own, out of `devices`), `raw_image_name` (how the client named the image).
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct, field

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Uint: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Limit: TypeAlias = Annotated[int, Meta(ge=-1)]
"""-1 and 2^64 - 1 are no limit."""
Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
Strings: TypeAlias = "list[str] | None"
StringMap: TypeAlias = "dict[str, str] | None"
Objects: TypeAlias = "list[dict[str, Any]] | None"
Object: TypeAlias = "dict[str, Any] | None"
"""Only looked at for being empty."""


class NamespaceBody(Struct):
    nsmode: str = ""
    value: str = ""


class MountBody(Struct):
    destination: str = ""
    type: str = ""
    source: str = ""
    options: Strings = None
    uid_mappings: Objects = field(name="uidMappings", default=None)
    gid_mappings: Objects = field(name="gidMappings", default=None)


class NamedVolume(Struct):
    name: str = field(name="Name", default="")
    dest: str = field(name="Dest", default="")
    options: Strings = field(name="Options", default=None)
    is_anonymous: bool = field(name="IsAnonymous", default=False)
    sub_path: str = field(name="SubPath", default="")


class PortMapping(Struct):
    container_port: Port = 0
    host_port: Port = 0
    host_ip: str = ""
    range: Port = 0
    protocol: str = ""


class NetworkBody(Struct):
    aliases: Strings = None
    static_ips: Strings = None
    static_mac: str = ""
    interface_name: str = ""
    options: StringMap = None


class DeviceBody(Struct):
    path: str = ""


class DeviceRuleBody(Struct):
    allow: bool = False
    type: str = ""
    major: Int64 | None = None
    minor: Int64 | None = None
    access: str = ""


class RlimitBody(Struct):
    type: str = ""
    soft: Limit = 0
    hard: Limit = 0


class MemoryBody(Struct):
    limit: Int64 = 0
    reservation: Int64 = 0
    swap: Int64 = 0
    kernel: Int64 = 0
    kernel_tcp: Int64 = field(name="kernelTCP", default=0)
    swappiness: Int64 | None = None
    disable_oom_killer: bool = field(name="disableOOMKiller", default=False)


class CpuBody(Struct):
    shares: Uint = 0
    quota: Int64 = 0
    period: Uint = 0
    cpus: str = ""
    mems: str = ""
    realtime_runtime: Int64 = field(name="realtimeRuntime", default=0)
    realtime_period: Uint = field(name="realtimePeriod", default=0)
    burst: Uint = 0
    idle: Int64 = 0


class PidsBody(Struct):
    limit: Int64 | None = None


class ResourcesBody(Struct):
    memory: MemoryBody = field(default_factory=MemoryBody)
    cpu: CpuBody = field(default_factory=CpuBody)
    pids: PidsBody = field(default_factory=PidsBody)
    block_io: Object = field(name="blockIO", default=None)
    devices: Objects = None
    hugepage_limits: Objects = field(name="hugepageLimits", default=None)
    network: Object = None
    rdma: Object = None
    unified: StringMap = None


class LogBody(Struct):
    driver: str = ""
    path: str = ""
    size: Int64 = 0
    labels: StringMap = None
    options: StringMap = None


class HealthBody(Struct, rename="pascal"):
    test: Strings = None
    interval: Int64 = 0
    timeout: Int64 = 0
    start_period: Int64 = 0
    start_interval: Int64 = 0
    retries: Int64 = 0


class IDMappings(Struct):
    uid_map: Objects = field(name="UIDMap", default=None)
    gid_map: Objects = field(name="GIDMap", default=None)
    auto: bool = field(name="AutoUserNs", default=False)


class CreateBody(Struct):
    # identity
    name: str = ""
    hostname: str = ""
    labels: StringMap = None
    annotations: StringMap = None
    create_command: Strings = field(name="containerCreateCommand", default=None)
    # image
    image: str = ""
    image_os: str = ""
    image_arch: str = ""
    image_variant: str = ""
    rootfs: str = ""
    rootfs_overlay: bool = False
    rootfs_mapping: str = ""
    rootfs_propagation: str = ""
    storage_opts: StringMap = None
    # process
    entrypoint: Strings = None
    command: Strings = None
    env: StringMap = None
    env_host: bool = False
    httpproxy: bool = False
    envmerge: Strings = None
    unsetenv: Strings = None
    unsetenvall: bool = False
    work_dir: str = ""
    create_working_dir: bool = False
    user: str = ""
    groups: Strings = None
    hostusers: Strings = None
    manage_password: bool = True
    passwd_entry: str = ""
    group_entry: str = ""
    terminal: bool = False
    stdin: bool = False
    stop_signal: Int64 | None = None
    stop_timeout: Uint | None = None
    timeout: Uint = 0
    umask: str = ""
    timezone: str = ""
    systemd: str = ""
    sdnotify_mode: str = field(name="sdnotifyMode", default="")
    init: bool = False
    init_path: str = ""
    personality: Object = None
    # mounts
    mounts: list[MountBody] | None = None
    volumes: list[NamedVolume | None] | None = None
    overlay_volumes: Objects = None
    image_volumes: Objects = None
    artifact_volumes: Objects = None
    image_volume_mode: str = ""
    volumes_from: Strings = None
    chroot_directories: Strings = None
    secrets: Objects = None
    secret_env: StringMap = None
    read_only_filesystem: bool = False
    read_write_tmpfs: bool = False
    shm_size: Int64 | None = None
    shm_size_systemd: Int64 | None = None
    # devices and kernel parameters
    devices: list[DeviceBody] | None = None
    device_cgroup_rule: list[DeviceRuleBody] | None = None
    devices_from: Strings = None
    gpus: Strings = None
    sysctl: StringMap = None
    # namespaces
    pidns: NamespaceBody = field(default_factory=NamespaceBody)
    ipcns: NamespaceBody = field(default_factory=NamespaceBody)
    utsns: NamespaceBody = field(default_factory=NamespaceBody)
    netns: NamespaceBody = field(default_factory=NamespaceBody)
    userns: NamespaceBody = field(default_factory=NamespaceBody)
    cgroupns: NamespaceBody = field(default_factory=NamespaceBody)
    cgroups_mode: str = ""
    cgroup_parent: str = ""
    idmappings: IDMappings = field(default_factory=IDMappings)
    # network
    networks: dict[str, NetworkBody | None] | None = field(name="Networks", default=None)
    networks_lower: dict[str, NetworkBody | None] | None = field(name="networks", default=None)
    cni_networks: Strings = None
    network_options: dict[str, Strings] | None = None
    portmappings: list[PortMapping] | None = None
    publish_image_ports: bool = False
    expose: dict[Port, str] | None = None
    dns_server: Strings = None
    dns_search: Strings = None
    dns_option: Strings = None
    hostadd: Strings = None
    use_image_hosts: bool = False
    use_image_hostname: bool = False
    use_image_resolve_conf: bool = False
    base_hosts_file: str = ""
    # security
    privileged: bool = False
    cap_add: Strings = None
    cap_drop: Strings = None
    no_new_privileges: bool = False
    seccomp_policy: str = ""
    seccomp_profile_path: str = ""
    apparmor_profile: str = ""
    selinux_opts: Strings = None
    label_nested: bool = False
    mask: Strings = None
    unmask: Strings = None
    procfs_opts: Strings = None
    # limits
    resource_limits: ResourcesBody = field(default_factory=ResourcesBody)
    r_limits: list[RlimitBody] | None = None
    oom_score_adj: Int64 = 0
    weight_device: Object = field(name="weightDevice", default=None)
    throttle_read_bps: Object = field(name="throttleReadBpsDevice", default=None)
    throttle_write_bps: Object = field(name="throttleWriteBpsDevice", default=None)
    throttle_read_iops: Object = field(name="throttleReadIOPSDevice", default=None)
    throttle_write_iops: Object = field(name="throttleWriteIOPSDevice", default=None)
    unified: StringMap = None
    intel_rdt: Object = field(name="intelRdt", default=None)
    # lifecycle and the rest
    remove: bool = False
    remove_image: bool = field(name="removeImage", default=False)
    restart_policy: str = ""
    restart_tries: Uint = 0
    healthconfig: HealthBody | None = None
    health_check_on_failure_action: int | str = 0
    health_log_destination: str = field(name="healthLogDestination", default="")
    health_max_log_count: Uint | None = field(name="healthMaxLogCount", default=None)
    health_max_log_size: Uint | None = field(name="healthMaxLogSize", default=None)
    startup_health: Object = field(name="startupHealthConfig", default=None)
    log_configuration: LogBody = field(default_factory=LogBody)
    conmon_pid_file: str = ""
    oci_runtime: str = ""
    pod: str = ""
    dependency_containers: Strings = field(name="dependencyContainers", default=None)
    init_container_type: str = ""
