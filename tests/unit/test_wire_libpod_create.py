"""A SpecGenerator, field by field, as the engine's options."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec
import pytest

from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.devices import Device, DeviceRule
from apiserver.engine.containers.options.lifecycle import RestartPolicy
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.containers.options.mounts import ImageVolumes, Mount, MountKind
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.containers.options.network import DEFAULT
from apiserver.engine.containers.options.ulimits import Ulimit
from apiserver.engine.ports.images import Healthcheck
from apiserver.engine.ports.publish import PortRequest, Transport
from apiserver.errors import InvalidParameter, NoSuchNetwork, NotImplementedYet
from apiserver.http.body import decode_json
from apiserver.wire.libpod.create import CreateBody, read_create

# What `podman --remote create busybox true` of podman 4.3.1 sends.
CLI: dict[str, Any] = {
    "command": ["true"],
    "httpproxy": True,
    "annotations": {"io.kubernetes.cri-o.TTY": "false"},
    "stop_timeout": 10,
    "log_configuration": {},
    "raw_image_name": "busybox",
    "systemd": "true",
    "sdnotifyMode": "container",
    "pidns": {},
    "utsns": {},
    "containerCreateCommand": ["podman", "create", "busybox", "true"],
    "init_container_type": "",
    "manage_password": True,
    "image": "busybox",
    "image_volume_mode": "anonymous",
    "ipcns": {},
    "seccomp_policy": "default",
    "userns": {},
    "idmappings": {
        "HostUIDMapping": True,
        "HostGIDMapping": True,
        "UIDMap": None,
        "GIDMap": None,
        "AutoUserNs": False,
        "AutoUserNsOpts": {"Size": 0, "InitialSize": 0, "PasswdFile": "", "GroupFile": ""},
    },
    "umask": "0022",
    "cgroupns": {},
    "cgroups_mode": "enabled",
    "netns": {},
    "Networks": None,
    "use_image_hosts": False,
}
PROXIES = {"http_proxy": "http://proxy:1"}


def name_of(name: str) -> str:
    if name in ("bridge", "podman"):
        return DEFAULT
    if name in ("none", "host"):
        return name
    raise NoSuchNetwork(name)


def read(**fields: Any) -> ContainerOptions:
    body = decode_json(msgspec.json.encode({"image": "busybox", **fields}), CreateBody)
    return read_create(body, name_of, PROXIES)


def tmpfs(*options: str) -> tuple[Mount, ...]:
    return (Mount(MountKind.TMPFS, "/t", tmpfs_options=options),)


def mounted(**mount: Any) -> dict[str, Any]:
    return {"mounts": [{"destination": "/t", **mount}]}


def bind(**fields: Any) -> tuple[Mount, ...]:
    return (Mount(MountKind.BIND, "/t", source="/s", **fields),)


def volume(**fields: Any) -> tuple[Mount, ...]:
    return (Mount(MountKind.VOLUME, "/t", source="v", **fields),)


BIND = {"type": "bind", "source": "/s"}
DEVICE_RULE = {"allow": True, "type": "c", "major": 1, "minor": -1, "access": "r"}


@pytest.mark.parametrize(
    ("fields", "option", "value"),
    [
        ({"hostname": "h"}, "identity.hostname", "h"),
        ({"labels": {"a": "b"}}, "identity.labels", {"a": "b"}),
        ({"annotations": {"a": "b"}}, "identity.annotations", {"a": "b"}),
        ({"containerCreateCommand": ["podman", "run"]}, "identity.create_command", ("podman", "run")),
        ({"entrypoint": ["a"]}, "process.entrypoint", ("a",)),
        ({"entrypoint": []}, "process.entrypoint", None),
        ({"command": ["a"]}, "process.command", ("a",)),
        ({"env": {"A": "b=c"}, "unsetenv": ["A", "B"]}, "process.env", ("A=b=c", "B")),
        ({}, "process.default_env", ("container=podman",)),
        ({"httpproxy": True}, "process.default_env", ("container=podman", "http_proxy=http://proxy:1")),
        ({"unsetenvall": True}, "process.image_env", False),
        ({"work_dir": "/w"}, "process.working_dir", "/w"),
        ({"work_dir": "/w"}, "process.create_working_dir", False),
        ({"work_dir": "/w", "create_working_dir": True}, "process.create_working_dir", True),
        ({}, "process.create_working_dir", True),
        ({"user": "1:2"}, "process.user", "1:2"),
        ({"terminal": True}, "process.terminal", True),
        ({"stdin": True}, "process.stdin_open", True),
        ({"stop_signal": 2}, "process.stop_signal", "2"),
        ({"stop_timeout": 0}, "process.stop_timeout", 0.0),
        ({"umask": "0077"}, "process.umask", 0o77),
        ({}, "process.umask", 0o22),
        ({"systemd": "false"}, "process.systemd", False),
        ({"groups": ["77"]}, "security.supplementary_groups", ("77",)),
        (mounted(type="tmpfs"), "mounts.mounts", tmpfs("exec", "tmpcopyup")),
        (mounted(type="tmpfs", options=["rprivate", "noexec", "notmpcopyup"]), "mounts.mounts", tmpfs("noexec")),
        (mounted(type="tmpfs", options=["size=1m", "exec"]), "mounts.mounts", tmpfs("exec", "tmpcopyup", "size=1m")),
        (mounted(**BIND), "mounts.mounts", bind()),
        (mounted(**BIND, options=["bind", "ro"]), "mounts.mounts", bind(recursive=False, read_only=True)),
        (mounted(**BIND, options=["rbind", "rw", "z"]), "mounts.mounts", bind()),
        (mounted(**BIND, options=["rshared"]), "mounts.mounts", bind(propagation="rshared")),
        (mounted(**BIND, options=["nosuid", "noexec"]), "mounts.mounts", bind(flags=("nosuid", "noexec"))),
        (
            {"volumes": [{"Name": "v", "Dest": "/t", "Options": ["nocopy"]}]},
            "mounts.mounts",
            volume(no_copy=True, flags=("nosuid", "nodev")),
        ),
        (
            {"volumes": [{"Name": "v", "Dest": "/t", "Options": ["suid", "noexec"]}]},
            "mounts.mounts",
            volume(flags=("suid", "noexec", "nodev")),
        ),
        ({"image_volume_mode": ""}, "mounts.image_volume_flags", ("nodev", "exec", "nosuid")),
        (
            {"volumes": [{"Dest": "/t", "IsAnonymous": True}]},
            "mounts.mounts",
            (Mount(MountKind.VOLUME, "/t", anonymous=True, flags=("nosuid", "nodev")),),
        ),
        ({"image_volume_mode": "bind"}, "mounts.image_volumes", ImageVolumes.ANONYMOUS),
        ({"image_volume_mode": "tmpfs"}, "mounts.image_volumes", ImageVolumes.TMPFS),
        ({"image_volume_mode": "ignore"}, "mounts.image_volumes", ImageVolumes.IGNORE),
        ({"read_only_filesystem": True}, "mounts.read_only_rootfs", True),
        ({"envmerge": ["A=${B}"]}, "process.env_merge", ("A=${B}",)),
        ({"volumes_from": ["a:ro"]}, "mounts.volumes_from", ("a:ro",)),
        ({}, "mounts.new_volumes_for_user", True),
        ({"cgroup_parent": "/x"}, "limits.cgroup_parent", "/x"),
        ({"shm_size": 1 << 20}, "mounts.shm_size_bytes", 1 << 20),
        ({"shm_size": None}, "mounts.shm_size_bytes", 64 << 20),
        ({"devices": [{"path": "/dev/a:/dev/b:r"}]}, "devices.devices", (Device("/dev/a", "/dev/b", "r"),)),
        ({"device_cgroup_rule": [DEVICE_RULE]}, "devices.rules", (DeviceRule("c", 1, None, "r"),)),
        ({"sysctl": {"net.a": "1"}}, "sysctls", {"net.a": "1"}),
        ({"pidns": {"nsmode": "host"}}, "namespaces.pid", Namespace.HOST),
        ({}, "namespaces.ipc", None),
        ({"ipcns": {"nsmode": "shareable"}}, "namespaces.ipc", Namespace.SHAREABLE),
        ({"ipcns": {"nsmode": "private"}}, "namespaces.ipc", Namespace.PRIVATE),
        ({"ipcns": {"nsmode": "none"}}, "namespaces.ipc", Namespace.NONE),
        ({"utsns": {"nsmode": "host"}}, "namespaces.uts", Namespace.HOST),
        ({"cgroupns": {"nsmode": "private"}}, "namespaces.cgroup", Namespace.PRIVATE),
        ({"cgroupns": {}}, "namespaces.cgroup", None),
        ({"netns": {"nsmode": "none"}}, "network.mode", "none"),
        ({"netns": {"nsmode": "bridge"}, "Networks": {"podman": {}}}, "network.asked_as", "podman"),
        ({"cni_networks": ["bridge"]}, "network.mode", DEFAULT),
        (
            {"portmappings": [{"container_port": 80, "host_port": 8080, "range": 2, "host_ip": "127.0.0.1"}]},
            "network.ports",
            (
                PortRequest(80, Transport.TCP, "127.0.0.1", 8080, 8080),
                PortRequest(81, Transport.TCP, "127.0.0.1", 8081, 8081),
            ),
        ),
        ({"portmappings": [{"container_port": 80}], "netns": {"nsmode": "none"}}, "network.ports", ()),
        ({"portmappings": [{"container_port": 80}], "netns": {"nsmode": "host"}}, "network.ports", ()),
        ({"expose": {"53": "udp"}, "terminal": None}, "network.exposed", ("53/udp",)),
        ({"publish_image_ports": True}, "network.publish_all", True),
        ({"expose": {"53": "udp,tcp"}}, "network.exposed", ("53/udp", "53/tcp")),
        ({"dns_server": ["1.2.3.4"]}, "network.dns_servers", ("1.2.3.4",)),
        ({"dns_search": ["x"]}, "network.dns_search", ("x",)),
        ({"dns_option": ["ndots:1"]}, "network.dns_options", ("ndots:1",)),
        ({"hostadd": ["a:1.2.3.4"]}, "network.extra_hosts", ("a:1.2.3.4",)),
        ({"use_image_hosts": True}, "network.image_files", ("/etc/hosts",)),
        ({"use_image_hostname": True}, "network.image_files", ("/etc/hostname",)),
        ({"use_image_resolve_conf": True}, "network.image_files", ("/etc/resolv.conf",)),
        ({"privileged": True}, "security.privileged", True),
        ({"cap_add": ["net_admin"]}, "security.cap_add", ("net_admin",)),
        ({"cap_drop": ["ALL"]}, "security.cap_drop", ("ALL",)),
        ({}, "security.users_hold_added", True),
        ({}, "security.apparmor_or_nothing", True),
        ({"no_new_privileges": True}, "security.no_new_privileges", True),
        ({"seccomp_profile_path": "unconfined"}, "security.seccomp", "unconfined"),
        ({"apparmor_profile": "x"}, "security.apparmor", "x"),
        ({"selinux_opts": ["disable"]}, "security.label_disabled", True),
        ({"mask": ["/a:/b", "/c"]}, "security.mask", ("/a", "/b", "/c")),
        ({"unmask": ["ALL"]}, "security.unmask", ("ALL",)),
        ({"resource_limits": {"memory": {"limit": 1 << 30}}}, "limits.memory_bytes", 1 << 30),
        ({"resource_limits": {"memory": {"swap": -1}}}, "limits.memory_swap_bytes", -1),
        ({"resource_limits": {"cpu": {"quota": 5, "period": 9}}}, "limits.cpu_quota_us", 5),
        ({"resource_limits": {"cpu": {"shares": 5}}}, "limits.cpu_shares", 5),
        ({"resource_limits": {"cpu": {"cpus": "0"}}}, "limits.cpuset_cpus", "0"),
        ({}, "limits.pids", 2048),
        ({"resource_limits": {"pids": {}}}, "limits.pids", 2048),
        ({"resource_limits": {"pids": {"limit": 0}}}, "limits.pids", None),
        ({"resource_limits": {"pids": {"limit": 7}}}, "limits.pids", 7),
        ({"r_limits": [{"type": "nofile", "soft": 1, "hard": 2}]}, "limits.ulimits", (Ulimit("nofile", 1, 2),)),
        ({"oom_score_adj": 5}, "limits.oom_score_adj", 5),
        ({"remove": True}, "lifecycle.auto_remove", True),
        ({"init": True}, "lifecycle.init", True),
        ({"init": True, "init_path": "/x"}, "lifecycle.init_program", "/x"),
        ({"init_path": "/x"}, "lifecycle.init_program", ""),
        ({"conmon_pid_file": "/x"}, "lifecycle.monitor_pid_file", "/x"),
        ({"timeout": 3}, "lifecycle.timeout", 3),
        ({"sdnotifyMode": "ignore"}, "lifecycle.notify_mode", "ignore"),
        ({"timezone": "local"}, "process.timezone", "local"),
        ({"seccomp_profile_path": "/p.json"}, "security.seccomp_path", "/p.json"),
        ({"restart_policy": "on-failure", "restart_tries": 3}, "lifecycle.restart", RestartPolicy("on-failure", 3)),
        ({"healthconfig": {"Test": ["CMD", "a"]}}, "lifecycle.health", Healthcheck(test=("CMD", "a"))),
        ({"log_configuration": {"driver": "none", "size": 5}}, "logging.driver", LogDriver.NONE),
        ({"log_configuration": {"size": 5000}}, "logging.max_size_bytes", 5000),
        ({"oci_runtime": "crun"}, "runtime", "crun"),
    ],
)
def test_a_field_becomes_its_option(fields: dict[str, Any], option: str, value: object) -> None:
    assert attrgetter(option)(read(**fields)) == value


def test_what_the_cli_sends_by_itself_asks_for_podmans_defaults() -> None:
    options = read(**CLI)
    plain = read(command=["true"])
    assert options.mounts == plain.mounts
    assert options.limits == plain.limits
    assert options.security == plain.security
    assert options.network == plain.network


def test_what_a_read_only_root_keeps_writable_is_told_from_what_was_asked_for() -> None:
    found = read(read_only_filesystem=True, read_write_tmpfs=True, **mounted(type="tmpfs", destination="/tmp"))
    assert {mount.target: mount.for_read_only for mount in found.mounts.mounts} == {
        "/tmp": False,
        "/run": True,
        "/var/tmp": True,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"volatile": True},
        {"create_working_dir": False},
        {"networkOrder": ["podman"]},
        {"host_device_list": []},
        {"raw_image_name": "b"},
        {"healthLogDestination": "local", "healthMaxLogCount": 5, "healthMaxLogSize": 500},
        {"image_volumes": [], "secrets": None, "overlay_volumes": []},
        {"never_heard_of": 1},
    ],
)
def test_what_makes_no_difference_is_accepted(fields: dict[str, Any]) -> None:
    assert read(**fields) == read()


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rootfs": "/x"}, "rootfs"),
        ({"storage_opts": {"size": "1"}}, "storage_opts"),
        ({"env_host": True}, "env_host"),
        ({"hostusers": ["a"]}, "hostusers"),
        ({"systemd": "always"}, "systemd=always"),
        ({"sdnotifyMode": "conmon"}, "sdnotifyMode=conmon"),
        ({"personality": {"domain": "LINUX32"}}, "personality"),
        ({"overlay_volumes": [{"destination": "/a"}]}, "overlay_volumes"),
        ({"image_volumes": [{"Source": "x"}]}, "image_volumes"),
        ({"artifact_volumes": [{"a": 1}]}, "artifact_volumes"),
        ({"chroot_directories": ["/a"]}, "chroot_directories"),
        ({"secrets": [{"Source": "a"}]}, "secrets"),
        ({"secret_env": {"A": "b"}}, "secret_env"),
        ({"shm_size_systemd": 1}, "shm_size_systemd"),
        ({"devices_from": ["a"]}, "devices_from"),
        ({"gpus": ["all"]}, "gpus"),
        ({"devices": [{"path": "nvidia.com/gpu=all"}]}, "devices of CDI (nvidia.com/gpu=all)"),
        ({"device_cgroup_rule": [{"allow": False, "type": "a"}]}, "device_cgroup_rule"),
        ({"cgroups_mode": "split"}, "cgroups_mode=split"),
        ({"userns": {"nsmode": "auto"}}, "userns=auto"),
        ({"idmappings": {"UIDMap": [{}]}}, "idmappings"),
        ({"pidns": {"nsmode": "container", "value": "x"}}, "pidns=container"),
        ({"netns": {"nsmode": "pasta"}}, "netns=pasta"),
        ({"netns": {"nsmode": "container"}}, "netns=container"),
        ({"Networks": {"bridge": {}, "podman": {}}}, "Networks"),
        ({"Networks": {"bridge": {"static_ips": ["10.0.0.9"]}}}, "Networks.static_ips"),
        ({"Networks": {"bridge": {"interface_name": "e"}}}, "Networks.interface_name"),
        ({"network_options": {"pasta": ["a"]}}, "network_options"),
        ({"base_hosts_file": "/x"}, "base_hosts_file"),
        ({"label_nested": True}, "label_nested"),
        ({"selinux_opts": ["type:x"]}, "selinux_opts"),
        ({"procfs_opts": ["hidepid=2"]}, "procfs_opts"),
        ({"seccomp_policy": "image"}, "seccomp_policy=image"),
        ({"unified": {"memory.high": "1"}}, "unified"),
        ({"intelRdt": {"closID": "a"}}, "intelRdt"),
        ({"weightDevice": {"/dev/a": {}}}, "weightDevice"),
        ({"throttleReadBpsDevice": {"/dev/a": {}}}, "throttleReadBpsDevice"),
        ({"throttleWriteIOPSDevice": {"/dev/a": {}}}, "throttleWriteIOPSDevice"),
        ({"resource_limits": {"blockIO": {"weight": 5}}}, "resource_limits.blockIO"),
        ({"resource_limits": {"hugepageLimits": [{}]}}, "resource_limits.hugepageLimits"),
        ({"resource_limits": {"memory": {"kernel": 5}}}, "resource_limits.memory.kernel"),
        ({"resource_limits": {"cpu": {"realtimePeriod": 5}}}, "resource_limits.cpu.realtimePeriod"),
        ({"pod": "x"}, "pod"),
        ({"init_container_type": "once"}, "init_container_type"),
        ({"dependencyContainers": ["a"]}, "dependencyContainers"),
        ({"removeImage": True}, "removeImage"),
        ({"startupHealthConfig": {"Test": ["a"]}}, "startupHealthConfig"),
        ({"health_check_on_failure_action": 2}, "health_check_on_failure_action"),
        ({"healthLogDestination": "/var"}, "healthLogDestination"),
        ({"healthMaxLogCount": 9}, "healthMaxLogCount"),
        ({"healthMaxLogSize": 9}, "healthMaxLogSize"),
        ({"log_configuration": {"driver": "journald"}}, "log_configuration.driver=journald"),
        ({"log_configuration": {"path": "/x"}}, "log_configuration.path"),
        ({"log_configuration": {"options": {"tag": "x"}}}, "log_configuration.options.tag"),
        (mounted(type="devpts"), "mounts of type devpts"),
        (mounted(type="tmpfs", options=["rshared"]), "mounts.options rshared"),
        (mounted(**BIND, options=["sync"]), "mounts.options sync"),
        (mounted(**BIND, uidMappings=[{}]), "mounts.uidMappings"),
        ({"volumes": [{"Name": "v", "Dest": "/t", "SubPath": "a"}]}, "volumes.SubPath"),
        ({"volumes": [{"Name": "v", "Dest": "/t", "Options": ["U"]}]}, "volumes.options U"),
        ({"volumes": [{"Name": "v", "Dest": "/t", "Options": ["shared"]}]}, "volumes.Options shared"),
    ],
)
def test_what_is_not_built_is_refused_by_name(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(NotImplementedYet) as caught:
        read(**fields)
    assert f"the option {named}" in str(caught.value) or f" in {named}" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"image": ""}, "image"),
        ({"terminal": "yes"}, "terminal"),
        ({"env": ["A=b"]}, "env"),
        ({"env": {"A=B": "c"}}, "env"),
        ({"unsetenv": ["A=b"]}, "unsetenv"),
        ({"command": "true"}, "command"),
        ({"umask": "9"}, "umask"),
        ({"stop_timeout": -1}, "stop_timeout"),
        ({"portmappings": [{"container_port": 70000}]}, "container_port"),
        ({"portmappings": [{"container_port": 7, "protocol": "x"}]}, "portmappings"),
        ({"resource_limits": {"memory": {"limit": "1g"}}}, "limit"),
        ({"image_volume_mode": "x"}, "image_volume_mode"),
        (mounted(**BIND, options=["nocopy"]), "mounts.options"),
        (mounted(type="tmpfs", options=[""]), "mounts.options"),
        ({"pidns": {"nsmode": "x"}}, "pidns"),
        ({"netns": {"nsmode": "x"}}, "netns"),
        ({"netns": {"nsmode": "none"}, "Networks": {"podman": {}}}, "Networks"),
        ({"Networks": {"host": {}}}, "Networks"),
        ({"log_configuration": {"driver": "x"}}, "log_configuration.driver"),
        ({"devices": [{"path": "a::b:c"}]}, "device"),
    ],
)
def test_what_is_wrong_is_refused_with_its_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read(**fields)
    assert named in str(caught.value)


def test_a_network_that_is_not_there_is_its_own_error() -> None:
    with pytest.raises(NoSuchNetwork):
        read(Networks={"nope": {}})
