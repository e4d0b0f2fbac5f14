"""What a client sends wrongly, or asks for in vain, is refused by name, and nothing of it stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apiserver.wire.docker.execs import CreateExecBody
from apiserver.wire.docker.options.body import (
    BindOptions,
    Body,
    CreateBody,
    EndpointBody,
    EndpointIPAM,
    HealthConfig,
    HostConfig,
    MountBody,
    TmpfsOptions,
    VolumeOptions,
)
from tests.support.docker import Docker
from tests.support.service import Service

BOX: dict[str, Any] = {"Image": "busybox", "Cmd": ["sleep", "100"]}


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RATE = [{"Path": "/dev/sda", "Rate": 1000}]

UNBUILT_HOST: dict[str, Any] = {
    "BlkioDeviceReadBps": RATE,
    "BlkioDeviceReadIOps": RATE,
    "BlkioDeviceWriteBps": RATE,
    "BlkioDeviceWriteIOps": RATE,
    "BlkioWeight": 300,
    "BlkioWeightDevice": [{"Path": "/dev/sda", "Weight": 300}],
    "Capabilities": ["CAP_CHOWN"],
    "Cgroup": "container:x",
    "CpuCount": 1,
    "CpuPercent": 50,
    "CpuRealtimePeriod": 1_000_000,
    "CpuRealtimeRuntime": 950_000,
    "DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}],
    "IOMaximumBandwidth": 1,
    "IOMaximumIOps": 1,
    "KernelMemory": 1 << 26,
    "KernelMemoryTCP": 1 << 26,
    "Links": ["other:alias"],
    "StorageOpt": {"size": "1G"},
    "UsernsMode": "private",
    "VolumeDriver": "nfs",
}
"""Keys of `HostConfig` that no value but the default of is built."""

UNBUILT_VALUES: tuple[tuple[str, Any], ...] = (
    ("PidMode", "container:x"),
    ("IpcMode", "container:x"),
    ("UTSMode", "container:x"),
    ("NetworkMode", "container:x"),
    ("LogConfig", {"Type": "journald"}),
    ("LogConfig", {"Type": "syslog"}),
    ("LogConfig", {"Type": "json-file", "Config": {"mode": "non-blocking"}}),
    ("SecurityOpt", ["label=type:svirt_t"]),
    ("SecurityOpt", ["writable-cgroups=true"]),
    ("Mounts", [{"Type": "image", "Source": "busybox", "Target": "/x"}]),
    ("Mounts", [{"Type": "cluster", "Source": "x", "Target": "/x"}]),
    ("Mounts", [{"Type": "npipe", "Source": "x", "Target": "/x"}]),
    ("Mounts", [{"Type": "volume", "Source": "v", "Target": "/x", "VolumeOptions": {"Subpath": "a"}}]),
    (
        "Mounts",
        [{"Type": "volume", "Source": "v", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "nfs"}}}],
    ),
)
"""Values that are not built, of keys of `HostConfig` that are."""

BUILT_HOST = words(
    "Annotations AutoRemove Binds CapAdd CapDrop CgroupParent CgroupnsMode ConsoleSize CpuPeriod CpuQuota CpuShares"
    " CpusetCpus CpusetMems DeviceCgroupRules Devices Dns DnsOptions DnsSearch ExtraHosts GroupAdd Init IpcMode"
    " LogConfig MaskedPaths Memory MemoryReservation MemorySwap MemorySwappiness Mounts NanoCpus NetworkMode"
    " OomKillDisable OomScoreAdj PidMode PidsLimit PortBindings Privileged PublishAllPorts ReadonlyPaths ReadonlyRootfs"
    " RestartPolicy Runtime SecurityOpt ShmSize Sysctls Tmpfs UTSMode Ulimits VolumesFrom"
)
"""They act, or a warning says that they do not yet; what they do is seen elsewhere."""

OF_NO_EFFECT_HOST = {
    "ContainerIDFile": "the docker command writes it",
    "Isolation": "but for Windows there is one value",
}

UNBUILT_ENDPOINT: dict[str, Any] = {
    "DriverOpts": {"a": "b"},
    "IPAMConfig": {"IPv4Address": "10.0.0.9"},
    "Links": ["other:alias"],
}
BUILT_ENDPOINT = {"Aliases", "MacAddress"}
OF_NO_EFFECT_ENDPOINT = {"GwPriority": "there is one network, so its gateway comes first"}
UNBUILT_IPAM: dict[str, Any] = {
    "IPv4Address": "10.0.0.9",
    "IPv6Address": "fd00::9",
    "LinkLocalIPs": ["169.254.1.1"],
}

BUILT_CREATE = words(
    "AttachStderr AttachStdin AttachStdout Cmd Domainname Entrypoint Env ExposedPorts Healthcheck HostConfig Hostname"
    " Image Labels MacAddress NetworkDisabled NetworkingConfig OpenStdin StdinOnce StopSignal StopTimeout Tty User"
    " Volumes WorkingDir"
)
OF_NO_EFFECT_CREATE = {
    "ArgsEscaped": "Windows",
    "OnBuild": "builds read it from an image, never from a container",
    "Shell": "builds read it, and health checks of images",
}


@pytest.fixture(autouse=True)
def nothing_half_made(service: Service) -> Iterator[None]:
    """Whatever a test sends in vain, neither container nor volume is there after it."""
    yield
    assert service.containers() == []
    assert json.loads(service.request("GET", "/volumes")[1])["Volumes"] == []


def create(service: Service, body: object, name: str = "box") -> tuple[int, str]:
    status, answer = service.request("POST", f"/containers/create?name={name}", body)
    said = json.loads(answer)
    if status == 201:
        assert service.request("DELETE", f"/containers/{said['Id']}?v=1")[0] == 204
    return status, said.get("message", "")


def keys(kind: type[Body]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def test_every_known_key_of_a_create_acts_is_refused_or_has_no_effect() -> None:
    assert keys(HostConfig) == {*UNBUILT_HOST, *BUILT_HOST, *OF_NO_EFFECT_HOST}
    assert keys(CreateBody) == {*BUILT_CREATE, *OF_NO_EFFECT_CREATE}
    assert keys(EndpointBody) == {*UNBUILT_ENDPOINT, *BUILT_ENDPOINT, *OF_NO_EFFECT_ENDPOINT}
    assert keys(EndpointIPAM) == set(UNBUILT_IPAM)


def test_unknown_keys_are_ignored(service: Service) -> None:
    body = BOX | {"Nonsense": {"a": [1]}, "HostConfig": {"Nonsense": 5}, "NetworkingConfig": {"Nonsense": None}}
    assert create(service, body)[0] == 201


def test_a_known_option_that_is_not_built_is_501_with_its_name(service: Service) -> None:
    asked = [(key, {"HostConfig": {key: value}}) for key, value in (*UNBUILT_HOST.items(), *UNBUILT_VALUES)]
    for place, values in (("", UNBUILT_ENDPOINT), ("IPAMConfig", UNBUILT_IPAM)):
        for key, value in values.items():
            endpoint = {place: {key: value}} if place else {key: value}
            asked.append((key, {"NetworkingConfig": {"EndpointsConfig": {"bridge": endpoint}}}))
    wrong = []
    for key, body in asked:
        status, message = create(service, BOX | body)
        if (status, key in message) != (501, True):
            wrong.append((key, body, status, message))
    assert wrong == []


def test_options_at_their_defaults_are_what_a_client_sends_for_nothing(service: Service) -> None:
    """The docker command sends every field; empty values of each type ask for nothing."""
    empty = {str: "", int: 0, bool: False, list: [], dict: {}}
    host = {key: empty[type(value)] for key, value in UNBUILT_HOST.items()}
    endpoint = {key: empty[type(value)] for key, value in UNBUILT_ENDPOINT.items()}
    body = BOX | {"HostConfig": host, "NetworkingConfig": {"EndpointsConfig": {"default": endpoint}}}
    assert create(service, body) == (201, "")
    assert create(service, BOX | {"HostConfig": dict.fromkeys(keys(HostConfig))}) == (201, "")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--userns", "host", "--storage-opt", "size=1G"), "--storage-opt"),
        (("--network", "bridge", "--ip", "10.89.0.77"), "--ip"),
        (("--gpus", "all"), "--gpus"),
        (("--log-driver", "journald"), "--log-driver"),
        (("--link", "other"), "--link"),
        (("--pid", "container:x"), "--pid"),
        (("--network", "container:x"), "--network"),
    ],
)
def test_a_flag_of_docker_run_that_is_not_built_is_named(docker: Docker, options: tuple[str, ...], name: str) -> None:
    said = docker("run", "--rm", *options, "busybox", "true")
    assert said.code == 125
    assert name in said.stderr
    assert "not supported by this version of apiserver" in said.stderr


def test_an_alias_needs_a_network_with_names(service: Service) -> None:
    endpoints = {"EndpointsConfig": {"bridge": {"Aliases": ["db"]}}}
    status, message = create(service, BOX | {"NetworkingConfig": endpoints})
    assert status == 400
    assert "network-scoped alias is supported only for containers in user defined networks" in message


def test_a_value_of_a_wrong_type_is_400_with_the_path_of_its_field(service: Service) -> None:
    """`[[[]]]` is of no field's type."""
    places: tuple[tuple[type[Body], str, Any], ...] = (
        (CreateBody, "", lambda value: value),
        (HostConfig, "HostConfig.", lambda value: {"HostConfig": value}),
        (HealthConfig, "Healthcheck.", lambda value: {"Healthcheck": value}),
        (MountBody, "HostConfig.Mounts[0].", lambda value: {"HostConfig": {"Mounts": [value]}}),
        (
            BindOptions,
            "HostConfig.Mounts[0].BindOptions.",
            lambda value: {"HostConfig": {"Mounts": [{"BindOptions": value}]}},
        ),
        (
            VolumeOptions,
            "HostConfig.Mounts[0].VolumeOptions.",
            lambda value: {"HostConfig": {"Mounts": [{"VolumeOptions": value}]}},
        ),
        (
            TmpfsOptions,
            "HostConfig.Mounts[0].TmpfsOptions.",
            lambda value: {"HostConfig": {"Mounts": [{"TmpfsOptions": value}]}},
        ),
        (
            EndpointBody,
            "NetworkingConfig.EndpointsConfig[...].",
            lambda value: {"NetworkingConfig": {"EndpointsConfig": {"bridge": value}}},
        ),
    )
    wrong = []
    for kind, path, around in places:
        for key in sorted(keys(kind)):
            status, message = create(service, BOX | around({key: [[[]]]}))
            if (status, f"{path}{key}" in message) != (400, True):
                wrong.append((path, key, status, message))
    assert wrong == []


@pytest.mark.parametrize("body", [b"{bad", b"[]", b'"x"', b"5", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_object_of_json_is_400(service: Service, body: bytes) -> None:
    status, message = create(service, body)
    assert status == 400
    assert message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"Image": ""}, "Image"),
        ({"Image": "UPPER"}, "must be lowercase"),
        ({"Image": "a b"}, "invalid reference format"),
        ({"Env": ["=x"]}, "environment variable"),
        ({"Env": ["A\nB=1"]}, "Env"),
        ({"Env": ["A=\0"]}, "Env"),
        ({"Hostname": "a b"}, "Hostname"),
        ({"Hostname": "a\nb"}, "Hostname"),
        ({"Hostname": "x" * 65}, "Hostname"),
        ({"Domainname": "a\nb"}, "Domainname"),
        ({"WorkingDir": "relative"}, "working directory"),
        ({"WorkingDir": "/a\nb"}, "WorkingDir"),
        ({"WorkingDir": "/" + "x" * 100_000}, "WorkingDir"),
        ({"Cmd": ["x" * 100_000]}, "Cmd"),
        ({"Entrypoint": ["x" * 100_000]}, "Cmd"),
        ({"HostConfig": {"MaskedPaths": ["/" + "x" * 100_000]}}, "MaskedPaths"),
        ({"StopSignal": "SIGNOTHING"}, "signal"),
        ({"StopSignal": "0"}, "signal"),
        ({"ExposedPorts": {"70000/tcp": {}}}, "ExposedPorts"),
        ({"ExposedPorts": {"80/xyz": {}}}, "80/xyz"),
        ({"MacAddress": "zz"}, "MacAddress"),
        ({"Labels": {"": "x"}}, "Labels"),
        ({"Healthcheck": {"Retries": -1}}, "Healthcheck"),
        ({"Volumes": {"relative": {}}}, "relative"),
        ({"Volumes": {"/": {}}}, "destination can't be '/'"),
        ({"HostConfig": {"Memory": -1}}, "Memory"),
        ({"HostConfig": {"Memory": 1024}}, "memory"),
        ({"HostConfig": {"Memory": 2**63}}, "HostConfig.Memory"),
        ({"HostConfig": {"Memory": 1 << 26, "MemorySwap": 1 << 25}}, "memoryswap"),
        ({"HostConfig": {"MemorySwappiness": 101}}, "swappiness"),
        ({"HostConfig": {"NanoCpus": -1}}, "CPUs"),
        ({"HostConfig": {"NanoCpus": 10**15}}, "CPUs"),
        ({"HostConfig": {"NanoCpus": 10**9, "CpuQuota": 5000}}, "CPU Quota"),
        ({"HostConfig": {"CpuShares": -1}}, "CPU shares"),
        ({"HostConfig": {"CpuPeriod": 1}}, "CPU cfs period"),
        ({"HostConfig": {"CpuPeriod": -1}}, "CPU cfs period"),
        ({"HostConfig": {"CpuQuota": 1}}, "CPU cfs quota"),
        ({"HostConfig": {"CpusetCpus": "x"}}, "cpuset"),
        ({"HostConfig": {"CpusetCpus": "8000"}}, "Requested CPUs"),
        ({"HostConfig": {"CpusetMems": "1-"}}, "cpuset"),
        ({"HostConfig": {"OomScoreAdj": 1001}}, "oom score adj"),
        ({"HostConfig": {"ShmSize": -1}}, "ShmSize"),
        ({"HostConfig": {"CapAdd": ["NOTHING"]}}, "CapAdd"),
        ({"HostConfig": {"CapDrop": ["NOTHING"]}}, "CapDrop"),
        ({"HostConfig": {"GroupAdd": ["a\nb"]}}, "GroupAdd"),
        ({"HostConfig": {"SecurityOpt": ["nonsense"]}}, "security-opt"),
        ({"HostConfig": {"SecurityOpt": ["seccomp=[]"]}}, "seccomp"),
        ({"HostConfig": {"SecurityOpt": [f'seccomp={{"defaultAction": "{"x" * 70_000}"}}']}}, "seccomp"),
        ({"HostConfig": {"SecurityOpt": ['seccomp={"defaultAction": "SCMP_ACT_NOTIFY"}']}}, "seccomp"),
        (
            {"HostConfig": {"SecurityOpt": ['seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"args": 5}]}']}},
            "$.syscalls[0]",
        ),
        ({"HostConfig": {"MaskedPaths": ["relative"]}}, "MaskedPaths"),
        ({"HostConfig": {"ReadonlyPaths": ["/a/../b"]}}, "ReadonlyPaths"),
        ({"HostConfig": {"RestartPolicy": {"Name": "x"}}}, "RestartPolicy"),
        ({"HostConfig": {"Runtime": "nope"}}, "nope"),
        ({"HostConfig": {"PidMode": "x"}}, "PidMode"),
        ({"HostConfig": {"IpcMode": "x"}}, "IpcMode"),
        ({"HostConfig": {"UTSMode": "x"}}, "UTSMode"),
        ({"HostConfig": {"CgroupnsMode": "x"}}, "CgroupnsMode"),
        ({"HostConfig": {"CgroupParent": "/a/../../b"}}, "CgroupParent"),
        ({"HostConfig": {"CgroupParent": "a\nb"}}, "CgroupParent"),
        ({"HostConfig": {"CgroupParent": "./apiserver/x"}}, "CgroupParent"),
        ({"HostConfig": {"CgroupParent": "x" * 256}}, "CgroupParent"),
        ({"HostConfig": {"VolumesFrom": ["nobody"]}}, "No such container: nobody"),
        ({"HostConfig": {"VolumesFrom": ["box:nocopy"]}}, "invalid mode: nocopy"),
        ({"HostConfig": {"VolumesFrom": [":ro"]}}, "volumes-from"),
        ({"HostConfig": {"Isolation": "hyperv"}}, "Isolation"),
        ({"HostConfig": {"LogConfig": {"Type": "x"}}}, "LogConfig"),
        ({"HostConfig": {"LogConfig": {"Config": {"max-size": "x"}}}}, "max-size"),
        ({"HostConfig": {"Dns": ["x"]}}, "Dns"),
        ({"HostConfig": {"DnsSearch": ["a\nnameserver 6.6.6.6"]}}, "DnsSearch"),
        ({"HostConfig": {"DnsOptions": ["a\nb"]}}, "DnsOptions"),
        ({"HostConfig": {"ExtraHosts": ["a\n1.1.1.1 b:2.2.2.2"]}}, "add-host"),
        ({"HostConfig": {"ExtraHosts": ["a:x"]}}, "ExtraHosts"),
        ({"HostConfig": {"PortBindings": {"80": [{"HostPort": "70000"}]}}}, "70000"),
        ({"HostConfig": {"PortBindings": {"80": [{"HostIp": "x"}]}}}, "HostIp"),
        ({"HostConfig": {"Binds": ["a"]}}, "a"),
        ({"HostConfig": {"Binds": ["/a:/b:nonsense"]}}, "nonsense"),
        ({"WorkingDir": "/" + "x" * 256}, "WorkingDir"),
        ({"HostConfig": {"Binds": ["/tmp:/" + "x" * 256]}}, "mount target"),
        ({"HostConfig": {"Binds": ["/" + "x" * 256 + ":/x"]}}, "mount source"),
        ({"HostConfig": {"Binds": ["x" * 256 + ":/x"]}}, "volume name"),
        ({"HostConfig": {"Tmpfs": {"/" + "x" * 256: ""}}}, "mount target"),
        ({"Volumes": {"/" + "x" * 256: {}}}, "mount target"),
        ({"HostConfig": {"Binds": ["/tmp:/"]}}, "destination can't be '/'"),
        ({"HostConfig": {"Binds": ["/tmp:/x", "/usr:/x/"]}}, "Duplicate mount point"),
        ({"HostConfig": {"Mounts": [{"Type": "x", "Target": "/x"}]}}, "mount type unknown"),
        ({"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/no/such", "Target": "/x"}]}}, "does not exist"),
        ({"HostConfig": {"Tmpfs": {"/x": "nonsense"}}}, "nonsense"),
        ({"HostConfig": {"Tmpfs": {"/x": "size=1m,lowerdir=/"}}}, "lowerdir"),
        ({"HostConfig": {"ConsoleSize": [1]}}, "ConsoleSize"),
        ({"HostConfig": {"Annotations": {"": "x"}}}, "Annotations"),
    ],
)
def test_an_impossible_value_is_400_and_says_of_what(service: Service, body: dict[str, Any], field: str) -> None:
    status, message = create(service, BOX | body)
    assert status == 400, message
    assert field in message


@pytest.mark.parametrize("name", ["a", "-bad", "a b", "a/b", "a%0Ab", "é", "..", "x" * 300 + "/"])
def test_an_impossible_name_is_400(service: Service, name: str) -> None:
    status, message = create(service, BOX, name.replace(" ", "%20").replace("é", "%C3%A9"))
    assert status == 400
    assert "name" in message


@pytest.mark.parametrize(
    "path",
    [
        "/containers/json?limit=x",
        "/containers/json?filters={bad",
        "/containers/json?filters=%7B%22nonsense%22%3A%5B%22x%22%5D%7D",
        "/containers/json?filters=%7B%22status%22%3A%5B%22x%22%5D%7D",
        "/images/json?filters=%7B%22nonsense%22%3A%5B%22x%22%5D%7D",
        "/networks?filters=%7B%22nonsense%22%3A%5B%22x%22%5D%7D",
        "/volumes?filters=%7B%22nonsense%22%3A%5B%22x%22%5D%7D",
        "/events?since=x",
        "/events?filters=x",
    ],
)
def test_a_wrong_query_is_400(service: Service, path: str) -> None:
    status, body = service.request("GET", path)
    assert status == 400, body
    assert json.loads(body)["message"]


def test_a_name_that_is_taken_is_409_in_dockers_words(service: Service) -> None:
    status, body = service.request("POST", "/containers/create?name=box", BOX)
    assert status == 201
    try:
        taken = service.request("POST", "/containers/create?name=/box", BOX)
        assert taken[0] == 409
        assert 'The container name "/box" is already in use by container' in json.loads(taken[1])["message"]
    finally:
        assert service.request("DELETE", f"/containers/{json.loads(body)['Id']}")[0] == 204
    assert create(service, BOX)[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        *(
            (method, f"/containers/nope{path}", "No such container: nope")
            for method, path in (
                ("GET", "/json"),
                ("GET", "/logs?stdout=1"),
                ("POST", "/start"),
                ("POST", "/stop"),
                ("POST", "/kill"),
                ("POST", "/restart"),
                ("POST", "/wait"),
                ("POST", "/attach?stream=1&stdout=1"),
                ("POST", "/resize?h=1&w=1"),
                ("DELETE", ""),
            )
        ),
        ("GET", "/images/nope/json", "No such image: nope"),
        ("GET", "/images/nope/history", "No such image: nope"),
        ("DELETE", "/images/nope", "No such image: nope"),
        ("POST", "/images/nope/tag?repo=x", "No such image: nope"),
        ("GET", "/networks/nope", "network nope not found"),
        ("GET", "/volumes/nope", "get nope: no such volume"),
        ("DELETE", "/volumes/nope", "get nope: no such volume"),
        ("GET", "/exec/nope/json", "No such exec instance: nope"),
        ("POST", "/exec/nope/start", "No such exec instance: nope"),
        ("POST", "/exec/nope/resize?h=1&w=1", "No such exec instance: nope"),
    ],
)
def test_what_is_missing_is_404_in_the_words_that_clients_match(
    service: Service, method: str, path: str, words: str
) -> None:
    status, body = service.request(method, path)
    assert status == 404
    assert words in json.loads(body)["message"]


def test_a_name_that_is_no_utf_8_is_that_of_nothing(service: Service) -> None:
    assert service.request("GET", "/containers/%ff/json")[0] == 404
    assert service.request("PATCH", "/containers/x/json")[0] == 405


def test_an_image_that_is_missing_is_404_so_that_clients_pull(service: Service) -> None:
    status, message = create(service, BOX | {"Image": "nope"})
    assert status == 404
    assert message.startswith("No such image: nope")


def test_a_network_that_is_missing_is_404_at_start_where_no_client_pulls(service: Service) -> None:
    status, created = service.request("POST", "/containers/create", BOX | {"HostConfig": {"NetworkMode": "nope"}})
    assert status == 201
    identity = json.loads(created)["Id"]
    status, answer = service.request("POST", f"/containers/{identity}/start")
    assert (status, json.loads(answer)["message"]) == (404, "network nope not found")
    assert service.request("GET", f"/containers/{identity}/json")[0] == 200
    assert service.request("DELETE", f"/containers/{identity}")[0] == 204


def test_an_exec_that_asks_for_the_impossible_is_400_and_names_it(service: Service) -> None:
    status, body = service.request("POST", "/containers/create?name=box", BOX | {"HostConfig": {"NetworkMode": "none"}})
    assert status == 201, body
    try:
        assert service.request("POST", "/containers/box/start")[0] == 204
        wrong = []
        asked: list[tuple[dict[str, Any], str]] = [({key: [[[]]]}, key) for key in keys(CreateExecBody)]
        asked += [
            ({"Cmd": ["x" * 100_000]}, "Cmd"),
            ({"WorkingDir": "/" + "x" * 100_000}, "WorkingDir"),
            ({"WorkingDir": "/" + "x" * 256}, "WorkingDir"),
            ({"User": "-1"}, "User"),
            ({"WorkingDir": "x"}, "working directory"),
            ({"Env": ["=x"]}, "environment"),
            ({"DetachKeys": "nonsense"}, "nonsense"),
        ]
        for body_of_exec, field in asked:
            got, answer = service.request("POST", "/containers/box/exec", {"Cmd": ["true"], **body_of_exec})
            if (got, field in json.loads(answer).get("message", "")) != (400, True):
                wrong.append((body_of_exec, got, answer))
        assert wrong == []
    finally:
        service.remove_containers()


def test_an_exec_in_vain_says_why_where_its_client_looks_and_is_no_failure_of_the_service(
    service: Service, docker: Docker
) -> None:
    docker.ok("run", "-d", "--name", "box", "--network", "none", "busybox", "sleep", "100")
    try:
        for options, code, words in (
            (("-w", "/missing"), 127, 'chdir to cwd ("/missing") set in config.json failed: no such file or directory'),
            (("-w", "/bin/sh"), 127, 'chdir to cwd ("/bin/sh") set in config.json failed: not a directory'),
            (("-u", "nobody-here"), 126, "unable to find user nobody-here: no matching entries in passwd file"),
        ):
            said = docker("exec", *options, "box", "true")
            assert (said.code, words in said.stdout + said.stderr) == (code, True), said
            assert "executable file" not in said.stdout + said.stderr
            said = docker("exec", "-d", *options, "box", "true")
            assert (said.code, words in said.stderr) == (1, True), said
        body = {"Cmd": ["true"], "WorkingDir": "/missing"}
        session = json.loads(service.request("POST", "/containers/box/exec", body)[1])["Id"]
        assert service.request("POST", f"/exec/{session}/start", {"Detach": True})[0] == 400
        assert "Traceback" not in service.log()
    finally:
        service.remove_containers()


def test_what_a_runtime_refuses_is_one_line_of_the_log_with_its_reason(service: Service, docker: Docker) -> None:
    for options, command, reason in (
        (("--sysctl", "net.nothing=1"), "true", "/proc/sys/net/nothing"),
        (("--cpu-shares", "1"), "true", "the minimum allowed cpu-shares is 2"),
        (("-v", "/etc/hostname:/bin"), "true", "ot a directory"),
        ((), "/etc", "ermission denied"),
    ):
        before = len(service.log())
        said = docker("run", "--rm", "--network", "none", *options, "busybox", command)
        if said.code == 0:
            continue  # this host's runtime takes such a weight for the least that there is
        assert (said.code in (125, 126, 127), reason in said.stderr) == (True, True), said
        lines = [line for line in service.log()[before:].splitlines() if " info " not in line]
        assert len(lines) <= 1, lines
        assert all(" warning " in line and reason in line for line in lines)
    assert "Traceback" not in service.log()


def test_a_start_in_vain_leaves_nothing_and_the_next_works(service: Service, docker: Docker) -> None:
    folder = service.runroot
    for options, command, words in (
        (("-u", "nobody-here"), "true", "unable to find user"),
        ((), "/no/such", "no such file"),
        (("-w", "/etc/passwd"), "true", "not a directory"),
        (("--group-add", "nobody-here"), "true", "unable to find group"),
        (("-v", "/tmp:/etc/passwd"), "true", "/etc/passwd"),
    ):
        said = docker("run", "--name", "box", "--network", "none", *options, "busybox", command)
        assert said.code in (125, 126, 127)
        assert words in said.stderr.lower(), said.stderr
        container = docker.ok("inspect", "-f", "{{.Id}} {{.State.Status}} {{.State.Pid}}", "box").split()
        assert container[1:] == ["created", "0"]
        assert container[0] not in Path("/proc/self/mountinfo").read_text()
        assert not [path for path in folder.rglob("*") if container[0] in path.name and path.is_socket()]
        docker.ok("rm", "box")
        assert docker.ok("run", "--rm", "--name", "box", "--network", "none", "busybox", "echo", "fine") == "fine"


def test_a_load_or_an_import_in_vain_leaves_nothing(service: Service) -> None:
    before = service.request("GET", "/images/json?all=1")
    stored = sorted(path.name for path in (service.root / "storage").rglob("*"))
    for path, archive, status in (
        ("/images/load", b"nonsense", 400),
        ("/images/load", b"", 400),
        ("/images/load", b"\x1f\x8b\x08nonsense", 400),
        ("/images/create?fromSrc=-", b"nonsense" * 200, 400),
        ("/images/create?fromSrc=-&repo=UPPER", b"", 400),
        ("/images/create?fromSrc=-&repo=x&changes=NONSENSE", b"", 400),
        ("/images/create?fromSrc=http://example.org/x.tar", b"", 501),
        ("/images/create?fromImage=UPPER", b"", 400),
    ):
        got, answer = service.request("POST", path, archive)
        assert got == status, (path, answer)
        assert json.loads(answer)["message"]
    assert service.request("GET", "/images/json?all=1") == before
    assert sorted(path.name for path in (service.root / "storage").rglob("*")) == stored
    assert list((service.root / "tmp").iterdir()) == []


def test_lists_are_whole_while_fifty_others_create_and_remove(service: Service) -> None:
    def come_and_go(number: int) -> list[int]:
        name = f"busy{number}"
        answers = [service.request("POST", f"/containers/create?name={name}", BOX | {"Volumes": {"/v": {}}})[0]]
        answers += [service.request("GET", path)[0] for path in ("/containers/json?all=1&size=0", "/networks")]
        answers += [service.request("DELETE", f"/containers/{name}?v=1")[0]]
        return answers + [service.request("GET", path)[0] for path in ("/containers/json?all=1", "/volumes")]

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(come_and_go, range(150)))
    assert {tuple(each) for each in answers} == {(201, 200, 200, 204, 200, 200)}
