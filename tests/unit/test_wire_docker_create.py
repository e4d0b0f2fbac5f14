from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from apiserver.engine.containers.options import ContainerOptions
from apiserver.engine.containers.options.devices import Device
from apiserver.engine.containers.options.lifecycle import RestartPolicy
from apiserver.engine.containers.options.logging import DEFAULT_MAX_SIZE, LogDriver
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.containers.options.ulimits import Ulimit
from apiserver.engine.ports.images import Healthcheck
from apiserver.engine.ports.publish import PortRequest, Transport
from apiserver.errors import InvalidParameter, NoSuchNetwork, NotImplementedYet
from apiserver.wire.docker.create import CreateBody, read_create
from apiserver.wire.docker.options.devices import show_devices
from apiserver.wire.docker.options.limits import show_limits
from apiserver.wire.docker.options.logging import ignored

# What `docker run bb echo hi` of docker 28.2.2 sends, every field at its default.
CLI_HOST_CONFIG: dict[str, Any] = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "", "Config": {}},
    "NetworkMode": "default",
    "PortBindings": {},
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "ConsoleSize": [0, 0],
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "",
    "Dns": [],
    "DnsOptions": [],
    "DnsSearch": [],
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "",
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 0,
    "Isolation": "",
    "CpuShares": 0,
    "Memory": 0,
    "NanoCpus": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": [],
    "BlkioDeviceReadBps": [],
    "BlkioDeviceWriteBps": [],
    "BlkioDeviceReadIOps": [],
    "BlkioDeviceWriteIOps": [],
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": [],
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "MemorySwappiness": -1,
    "OomKillDisable": False,
    "PidsLimit": 0,
    "Ulimits": [],
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "MaskedPaths": None,
    "ReadonlyPaths": None,
}
CLI_BODY: dict[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": True,
    "AttachStderr": True,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": ["echo", "hi"],
    "Image": "bb",
    "Volumes": {},
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": {},
    "HostConfig": CLI_HOST_CONFIG,
    "NetworkingConfig": {"EndpointsConfig": {"default": {"IPAMConfig": None, "Links": None, "MacAddress": ""}}},
}
NETWORKS = {"custom": "custom", "c0ffee": "custom"}


def name_of(name: str) -> str:
    try:
        return NETWORKS[name]
    except KeyError:
        raise NoSuchNetwork(name) from None


def read(body: dict[str, Any]) -> ContainerOptions:
    decoded = msgspec.json.decode(msgspec.json.encode({"Image": "bb", **body}), type=CreateBody)
    return read_create(decoded, name_of)


def with_host(**host: Any) -> ContainerOptions:
    return read({"HostConfig": host})


def test_what_the_command_line_sends_for_a_plain_run_asks_for_nothing() -> None:
    plain, empty = read(CLI_BODY), read({"Cmd": ["echo", "hi"], "AttachStdout": True, "AttachStderr": True})
    assert plain == empty


def test_unknown_keys_are_ignored() -> None:
    assert read({"Nonsense": {"a": 1}, "HostConfig": {"Nonsense": True}}) == read({})


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ({"UsernsMode": "private"}, "UsernsMode"),
        ({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}, "--gpus"),
        ({"Links": ["a:b"]}, "Links"),
        ({"StorageOpt": {"size": "1G"}}, "StorageOpt"),
        ({"BlkioWeight": 10}, "BlkioWeight"),
        ({"BlkioDeviceReadIOps": [{"Path": "/dev/sda", "Rate": 1}]}, "BlkioDeviceReadIOps"),
        ({"CpuRealtimeRuntime": 1}, "CpuRealtimeRuntime"),
        ({"KernelMemory": 1 << 30}, "KernelMemory"),
        ({"IOMaximumIOps": 1}, "IOMaximumIOps"),
        ({"VolumeDriver": "nfs"}, "VolumeDriver"),
        ({"NetworkMode": "container:x"}, "NetworkMode"),
        ({"PidMode": "container:x"}, "PidMode"),
        ({"IpcMode": "container:x"}, "IpcMode"),
        ({"LogConfig": {"Type": "journald"}}, "journald"),
        ({"LogConfig": {"Type": "syslog"}}, "syslog"),
        ({"LogConfig": {"Config": {"tag": "{{.Nonsense}}"}}}, "tag"),
        ({"LogConfig": {"Config": {"tag": "{{.Name}}{{with .ID}}x{{end}}"}}}, "tag"),
        ({"LogConfig": {"Config": {"mode": "non-blocking"}}}, "mode"),
        ({"SecurityOpt": ["label=type:x"]}, "label"),
        ({"Mounts": [{"Type": "image", "Source": "a", "Target": "/x"}]}, "image"),
        ({"Mounts": [{"Type": "volume", "Source": "a", "Target": "/x", "VolumeOptions": {"Subpath": "y"}}]}, "Subpath"),
    ],
)
def test_a_known_option_that_is_not_built_is_named_and_never_dropped(host: dict[str, Any], name: str) -> None:
    with pytest.raises(NotImplementedYet, match=name):
        with_host(**host)


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ({"IPAMConfig": {"IPv4Address": "10.0.0.2"}}, "--ip"),
        ({"IPAMConfig": {"IPv6Address": "::2"}}, "--ip6"),
        ({"IPAMConfig": {"LinkLocalIPs": ["169.254.1.1"]}}, "LinkLocalIPs"),
        ({"Links": ["a:b"]}, "Links"),
        ({"DriverOpts": {"a": "b"}}, "DriverOpts"),
    ],
)
def test_an_endpoint_option_that_is_not_built_is_named(endpoint: dict[str, Any], name: str) -> None:
    with pytest.raises(NotImplementedYet, match=name):
        read({"HostConfig": {"NetworkMode": "custom"}, "NetworkingConfig": {"EndpointsConfig": {"custom": endpoint}}})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"Image": ""}, "Image"),
        ({"HostConfig": {"ShmSize": -1}}, "ShmSize"),
        ({"HostConfig": {"RestartPolicy": {"Name": "foo"}}}, "RestartPolicy"),
        ({"HostConfig": {"RestartPolicy": {"Name": "always"}, "AutoRemove": True}}, "RestartPolicy"),
        ({"HostConfig": {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 2}}}, "MaximumRetryCount"),
        ({"HostConfig": {"SecurityOpt": ["foo"]}}, "--security-opt 1"),
        ({"HostConfig": {"SecurityOpt": ["seccomp={"]}}, "seccomp"),
        ({"HostConfig": {"SecurityOpt": ["no-new-privileges=maybe"]}}, "no-new-privileges"),
        ({"HostConfig": {"LogConfig": {"Type": "foo"}}}, "LogConfig"),
        ({"HostConfig": {"LogConfig": {"Config": {"foo": "x"}}}}, "unknown log opt 'foo'"),
        ({"HostConfig": {"PidMode": "foo"}}, "invalid PID mode: foo"),
        ({"HostConfig": {"UTSMode": "foo"}}, "UTSMode"),
        ({"HostConfig": {"CgroupnsMode": "x"}}, "CgroupnsMode"),
        ({"HostConfig": {"Isolation": "hyperv"}}, "Isolation"),
        ({"HostConfig": {"PortBindings": {"a": [{"HostPort": "1"}]}}}, 'invalid port specification: "a"'),
        ({"HostConfig": {"PortBindings": {"80/foo": []}}}, "80/foo"),
        ({"HostConfig": {"PortBindings": {"80": [{"HostPort": "99999"}]}}}, "99999"),
        ({"HostConfig": {"PortBindings": {"80": [{"HostPort": "9-8"}]}}}, "9-8"),
        ({"HostConfig": {"PortBindings": {"80": [{"HostIp": "x"}]}}}, "HostIp"),
        ({"ExposedPorts": {"0/tcp": {}}}, "ExposedPorts"),
        ({"HostConfig": {"ExtraHosts": ["a"]}}, 'bad format for add-host: "a"'),
        ({"HostConfig": {"ExtraHosts": ["a:x"]}}, "ExtraHosts"),
        ({"HostConfig": {"Dns": ["x"]}}, "Dns"),
        ({"HostConfig": {"CapAdd": [""]}}, "CapAdd"),
        ({"HostConfig": {"Annotations": {"": "x"}}}, "Annotations"),
        ({"HostConfig": {"ConsoleSize": [1]}}, "ConsoleSize"),
        ({"MacAddress": "zz"}, "MacAddress"),
        ({"Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}}, "Interval"),
        ({"Volumes": {"x": {}}}, "Volumes"),
    ],
)
def test_an_impossible_value_is_refused_with_the_name_of_its_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read(body)
    assert field in caught.value.subject


def test_a_network_that_does_not_exist_is_missing() -> None:
    with pytest.raises(NoSuchNetwork):
        with_host(NetworkMode="nope")


def test_a_network_is_found_by_its_id_and_its_endpoint_by_either_name() -> None:
    for key in ("custom", "c0ffee"):
        options = read(
            {
                "HostConfig": {"NetworkMode": "c0ffee"},
                "NetworkingConfig": {"EndpointsConfig": {key: {"Aliases": ["db"], "MacAddress": "02:42:AC:11:00:09"}}},
            }
        ).network
        assert (options.mode, options.asked_as) == ("custom", "c0ffee")
        assert (options.aliases, options.mac_address) == (("db",), "02:42:ac:11:00:09")


@pytest.mark.parametrize("mode", ["", "default", "bridge"])
def test_default_and_bridge_are_the_default_network(mode: str) -> None:
    assert with_host(NetworkMode=mode).network.mode == "apiserver"


def test_a_disabled_network_is_none() -> None:
    assert read({"NetworkDisabled": True}).network.mode == "none"


def test_an_empty_entrypoint_is_not_the_same_as_none() -> None:
    assert read({"Entrypoint": []}).process.entrypoint == ()
    assert read({"Entrypoint": None}).process.entrypoint is None
    assert read({"Entrypoint": "/x"}).process.entrypoint == ("/x",)
    assert read({"Cmd": "ls"}).process.command == ("ls",)


def test_one_target_named_in_volumes_too_is_one_mount() -> None:
    options = read({"Volumes": {"/data/": {}, "/other": {}}, "HostConfig": {"Binds": ["/src:/data"]}})
    assert [(m.target, m.kind) for m in options.mounts.mounts] == [
        ("/data", MountKind.BIND),
        ("/other", MountKind.VOLUME),
    ]


def test_two_mounts_at_one_target_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="Duplicate mount point: /b"):
        with_host(Binds=["/a:/b", "/c:/b/"])


@pytest.mark.parametrize(
    ("spec", "mount"),
    [
        ("/a:/b", Mount(MountKind.BIND, "/b", "/a", create_source=True, asked_as="/a:/b")),
        ("/a/:/b/./c/:ro", Mount(MountKind.BIND, "/b/c", "/a", True, create_source=True, asked_as="/a/:/b/./c/:ro")),
        (
            "/a:/b:rw,Z,rslave",
            Mount(MountKind.BIND, "/b", "/a", propagation="rslave", create_source=True, asked_as="/a:/b:rw,Z,rslave"),
        ),
        ("vol:/b", Mount(MountKind.VOLUME, "/b", "vol", asked_as="vol:/b")),
        (
            "vol:/b:ro,nocopy",
            Mount(MountKind.VOLUME, "/b", "vol", read_only=True, no_copy=True, asked_as="vol:/b:ro,nocopy"),
        ),
        ("/b", Mount(MountKind.VOLUME, "/b", anonymous=True)),
    ],
)
def test_a_bind_in_short_form(spec: str, mount: Mount) -> None:
    assert with_host(Binds=[spec]).mounts.mounts == (mount,)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("a:b", "mount path must be absolute"),
        ("/a:/b:foo", "invalid mode: foo"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:/b:nocopy", "invalid mode"),
        ("vol:/b:rslave", "invalid mode"),
        ("/a:/b:ro:x", "invalid volume specification"),
        ("/a:/", "destination can't be '/'"),
        ("/a:/x/..", "destination can't be '/'"),
        ("../a:/b", "invalid characters for a local volume name"),
        (":/b", "invalid volume specification"),
        ("", "invalid volume specification"),
    ],
)
def test_a_wrong_bind_is_refused_in_dockers_words(spec: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        with_host(Binds=[spec])
    assert words in caught.value.subject


def test_a_bind_as_an_object_does_not_make_its_source() -> None:
    (mount,) = with_host(Mounts=[{"Type": "bind", "Source": "/a", "Target": "/x/", "ReadOnly": True}]).mounts.mounts
    assert mount == Mount(MountKind.BIND, "/x", "/a", read_only=True, create_source=False)


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ({"Type": "foo", "Target": "/x"}, "mount type unknown"),
        ({"Type": "bind", "Target": "/x"}, "field Source must not be empty"),
        ({"Type": "bind", "Source": "a", "Target": "/x"}, "mount path must be absolute"),
        ({"Type": "tmpfs", "Target": ""}, "field Target must not be empty"),
        ({"Type": "tmpfs", "Target": "/x", "Source": "/y"}, "field Source must not be specified"),
        ({"Type": "tmpfs", "Target": "/x", "BindOptions": {}}, "field BindOptions must not be specified"),
        ({"Type": "bind", "Source": "/a", "Target": "/x", "BindOptions": {"Propagation": "up"}}, "propagation"),
        ({"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"Mode": -1}}, "Mode"),
    ],
)
def test_a_wrong_mount_object_is_refused_in_dockers_words(mount: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        with_host(Mounts=[mount])
    assert words in caught.value.subject


def test_tmpfs_options_are_kept() -> None:
    (mount,) = with_host(Tmpfs={"/t": "size=1m,noexec"}).mounts.mounts
    assert (mount.kind, mount.target, mount.tmpfs_options) == (MountKind.TMPFS, "/t", ("size=1m", "noexec"))
    (mount,) = with_host(
        Mounts=[{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 9, "Mode": 0o700, "Options": [["ro"]]}}]
    ).mounts.mounts
    assert (mount.tmpfs_size_bytes, mount.tmpfs_mode, mount.tmpfs_options) == (9, 0o700, ("ro",))


def test_ports_are_requests_and_exposed() -> None:
    network = read(
        {
            "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "7000-7001/tcp": {}},
            "HostConfig": {
                "PortBindings": {
                    "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": ""}],
                    "81": [{"HostPort": "9000-9002"}],
                    "82/sctp": None,
                }
            },
        }
    ).network
    assert network.ports == (
        PortRequest(80, Transport.TCP, "", 8080, 8080),
        PortRequest(80, Transport.TCP, "127.0.0.1"),
        PortRequest(81, Transport.TCP, "", 9000, 9002),
    )
    assert network.exposed == ("80/tcp", "53/udp", "7000/tcp", "7001/tcp", "81/tcp", "82/sctp")


def test_capabilities_keep_the_spelling_that_clients_compare() -> None:
    security = with_host(CapAdd=["net_admin", "CAP_SYS_TIME", "all"], CapDrop=["MKNOD"]).security
    assert (security.cap_add, security.cap_drop) == (("net_admin", "CAP_SYS_TIME", "all"), ("MKNOD",))


def test_a_health_check_of_no_kind_is_kept_as_it_came() -> None:
    health = read({"Healthcheck": {"Test": ["true"]}}).lifecycle.health
    assert health is not None
    assert health.test == ("true",)


def test_security_options_in_their_new_and_old_forms() -> None:
    security = with_host(
        SecurityOpt=["no-new-privileges:true", "seccomp=unconfined", "apparmor:mine", "label=disable"]
    ).security
    assert (security.no_new_privileges, security.seccomp, security.apparmor) == (True, "unconfined", "mine")
    assert security.label_disabled
    assert with_host(SecurityOpt=["no-new-privileges=false"]).security.no_new_privileges is False
    assert with_host(SecurityOpt=['seccomp={"defaultAction": "SCMP_ACT_ALLOW"}']).security.seccomp.startswith("{")
    assert with_host(SecurityOpt=["seccomp=builtin"]).security.seccomp == ""


def test_unconfined_system_paths_mask_nothing() -> None:
    security = with_host(SecurityOpt=["systempaths=unconfined"]).security
    assert (security.masked_paths, security.read_only_paths) == ((), ())
    assert with_host(MaskedPaths=["/x"]).security.masked_paths == ("/x",)
    assert with_host().security.masked_paths is None


def test_log_options_that_say_what_is_done_anyway_are_taken_and_shown() -> None:
    options = {"mode": "blocking", "compress": "false"}
    assert with_host(LogConfig={"Type": "json-file", "Config": options}).logging.options == options


def test_a_log_is_bounded_where_nothing_is_said_and_none_is_none() -> None:
    assert with_host().logging.max_size_bytes == DEFAULT_MAX_SIZE
    assert with_host(LogConfig={"Type": "none"}).logging.driver is LogDriver.NONE
    assert with_host(LogConfig={"Type": "local"}).logging.driver is LogDriver.K8S_FILE


def test_max_file_is_accepted_and_warned_about() -> None:
    assert "max-file" in ignored(with_host(LogConfig={"Config": {"max-file": "3"}}).logging)[0]
    assert ignored(with_host(LogConfig={"Config": {"max-file": "1"}}).logging) == ()
    several = {"max-file": "3", "max-size": "1m", "compress": "true"}
    assert [each.split()[3] for each in ignored(with_host(LogConfig={"Config": several}).logging)] == [
        "max-file",
        "compress",
    ]


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("json-file", {"compress": "true"}, "max-file is less than 2 or max-size is not set"),
        ("json-file", {"compress": "true", "max-file": "1", "max-size": "1m"}, "max-file is less than 2"),
        ("json-file", {"compress": "maybe"}, "'maybe' is not a boolean"),
        ("json-file", {"mode": "x"}, "logging mode not supported: x"),
        ("json-file", {"max-buffer-size": "1m"}, "only supported with 'mode=non-blocking'"),
        ("json-file", {"env-regex": "("}, "log opt env-regex: missing )"),
        ("json-file", {"labels-regex": "(a+)+"}, "log opt labels-regex: the expression is too complex"),
        ("json-file", {"nonsense": "1"}, "unknown log opt 'nonsense' for json-file log driver"),
        ("local", {"labels": "a"}, "unknown log opt 'labels' for local log driver"),
    ],
)
def test_log_options_that_make_no_sense_are_refused_when_a_container_is_made(
    driver: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidParameter, match=re.escape(words)):
        with_host(LogConfig={"Type": driver, "Config": options})


def test_the_local_driver_may_compress_what_it_keeps() -> None:
    assert with_host(LogConfig={"Type": "local", "Config": {"compress": "true"}}).logging.asked_as == "local"


def test_a_log_that_may_lose_lines_is_not_built() -> None:
    with pytest.raises(NotImplementedYet, match="mode=non-blocking"):
        with_host(LogConfig={"Config": {"mode": "non-blocking", "max-buffer-size": "1m"}})


def test_namespaces_of_the_host() -> None:
    namespaces = with_host(PidMode="host", IpcMode="host", UTSMode="host", CgroupnsMode="private").namespaces
    assert (namespaces.pid, namespaces.ipc, namespaces.uts) == (Namespace.HOST,) * 3
    assert namespaces.cgroup is Namespace.PRIVATE
    for mode in (Namespace.PRIVATE, Namespace.SHAREABLE, Namespace.NONE):
        assert with_host(IpcMode=mode.value).namespaces.ipc is mode
    with pytest.raises(InvalidParameter, match="PidMode"):
        with_host(PidMode="shareable")


def test_limits_at_zero_are_not_asked_for() -> None:
    limits = with_host(Memory=64 << 20, MemorySwap=-1, NanoCpus=5, PidsLimit=-1, MemorySwappiness=0).limits
    assert (limits.memory_bytes, limits.memory_swap_bytes, limits.nano_cpus) == (64 << 20, -1, 5)
    assert (limits.pids, limits.memory_swappiness, limits.cpu_shares) == (None, 0, None)


def test_restart_policy_and_health_check_are_kept() -> None:
    lifecycle = read(
        {
            "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 10**9},
            "HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        }
    ).lifecycle
    assert lifecycle.restart == RestartPolicy("on-failure", 3)
    assert lifecycle.health == Healthcheck(("CMD-SHELL", "true"), interval_ns=10**9)
    assert read({"Healthcheck": {"Test": ["NONE"]}}).lifecycle.health == Healthcheck(("NONE",))
    assert read({"Healthcheck": {}}).lifecycle.health is None


def test_extra_hosts_take_addresses_and_the_gateway() -> None:
    hosts = with_host(ExtraHosts=["a:10.0.0.1", "b:::1", "c:[::2]", "d:host-gateway"]).network.extra_hosts
    assert hosts == ("a:10.0.0.1", "b:::1", "c:::2", "d:host-gateway")


def test_a_number_beyond_64_bits_has_the_wrong_type() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$.HostConfig.Memory"):
        with_host(Memory=2**63)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"HostConfig": {"Memory": "x"}}, "$.HostConfig.Memory"),
        ({"HostConfig": {"Binds": 5}}, "$.HostConfig.Binds"),
        ({"StopTimeout": "x"}, "$.StopTimeout"),
        ({"Image": 5}, "$.Image"),
    ],
)
def test_a_wrong_type_names_its_field(body: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        read(body)
    assert path in str(caught.value)


def test_kernel_parameters_are_taken_as_they_are_given() -> None:
    assert with_host(Sysctls={"net.ipv4.ip_forward": "1"}).sysctls == {"net.ipv4.ip_forward": "1"}
    assert with_host(Sysctls=None).sysctls == {}


def test_ulimits_are_taken_and_shown_again() -> None:
    shown = [{"Name": "nofile", "Soft": 10, "Hard": 20}]
    limits = with_host(Ulimits=shown).limits
    assert limits.ulimits == (Ulimit("nofile", 10, 20),)
    assert show_limits(limits)["Ulimits"] == shown


def test_devices_and_their_rules_are_taken_and_shown_again() -> None:
    asked = [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}]
    devices = with_host(Devices=asked, DeviceCgroupRules=["c 1:3 rwm", "b *:1 r"]).devices
    assert devices.devices == (Device("/dev/a", "/dev/b", "r"),)
    shown = {"Devices": asked, "DeviceCgroupRules": ["c 1:3 rwm", "b *:1 r"], "DeviceRequests": None}
    assert show_devices(devices) == shown
    with pytest.raises(InvalidParameter, match="invalid device cgroup rule format"):
        with_host(DeviceCgroupRules=["x"])
