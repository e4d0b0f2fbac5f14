from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.model import Container, Run, State
from apiserver.engine.containers.options import (
    ContainerOptions,
    Identity,
    Lifecycle,
    Mounts,
    Namespaces,
    Network,
    Process,
    Security,
)
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.containers.wait import WaitResult
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.images import Healthcheck
from apiserver.engine.ports.networks import NetworkPlan
from apiserver.engine.ports.publish import PortRequest, PublishedPort, Transport
from apiserver.errors import InvalidParameter, NoSuchContainer
from apiserver.wire.docker.container_filters import LookUps, select, shows_stopped
from apiserver.wire.docker.inspect import Surroundings, container_json
from apiserver.wire.docker.listing import summary_json
from apiserver.wire.docker.status import state_json, state_word, status_text
from apiserver.wire.docker.wait import wait_json
from tests.support.containers import BRIDGE, CREATED, FINISHED, NETWORKS, STARTED, container, exited, running

V1_51, V1_52, V1_43 = (1, 51, 0), (1, 52, 0), (1, 43, 0)
AROUND = Surroundings(networks=NETWORKS, mountpoints={"vol": "/v/vol/_data"})
NOW = STARTED + timedelta(minutes=3)
WEB_PORT = PublishedPort(80, Transport.TCP, "0.0.0.0", 32768)


def inspect(shown: Container, version: tuple[int, ...] = V1_51) -> Any:
    return container_json(shown, AROUND, version)


def summary(shown: Container, version: tuple[int, ...] = V1_51) -> Any:
    return summary_json(shown, NETWORKS, AROUND.mountpoints, lambda _: shown.image_id, version, NOW)


def with_options(**options: Any) -> Container:
    return container(options=ContainerOptions(**options))


def test_inspect_has_all_the_keys_of_docker() -> None:
    shown = inspect(container())
    # those of a Docker 26.1.5 for the same container
    assert set(shown) == {
        *("Id", "Created", "Path", "Args", "State", "Image", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath"),
        *("Name", "RestartCount", "Driver", "Platform", "MountLabel", "ProcessLabel", "AppArmorProfile", "ExecIDs"),
        *("HostConfig", "GraphDriver", "Mounts", "Config", "NetworkSettings"),
    }
    assert set(shown["HostConfig"]) == {
        *("Binds", "ContainerIDFile", "LogConfig", "NetworkMode", "PortBindings", "RestartPolicy", "AutoRemove"),
        *("VolumeDriver", "VolumesFrom", "ConsoleSize", "CapAdd", "CapDrop", "CgroupnsMode", "Dns", "DnsOptions"),
        *("DnsSearch", "ExtraHosts", "GroupAdd", "IpcMode", "Cgroup", "Links", "OomScoreAdj", "PidMode", "Privileged"),
        *("PublishAllPorts", "ReadonlyRootfs", "SecurityOpt", "UTSMode", "UsernsMode", "ShmSize", "Runtime"),
        *("Isolation", "CpuShares", "Memory", "NanoCpus", "CgroupParent", "BlkioWeight", "BlkioWeightDevice"),
        *("BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "CpuPeriod"),
        *("CpuQuota", "CpuRealtimePeriod", "CpuRealtimeRuntime", "CpusetCpus", "CpusetMems", "Devices"),
        *("DeviceCgroupRules", "DeviceRequests", "MemoryReservation", "MemorySwap", "MemorySwappiness"),
        *("OomKillDisable", "PidsLimit", "Ulimits", "CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"),
        *("MaskedPaths", "ReadonlyPaths"),
    }
    assert set(shown["Config"]) == {
        *("Hostname", "Domainname", "User", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin"),
        *("StdinOnce", "Env", "Cmd", "Image", "Volumes", "WorkingDir", "Entrypoint", "OnBuild", "Labels"),
    }
    assert set(shown["NetworkSettings"]) == {
        *("Bridge", "SandboxID", "SandboxKey", "Ports", "HairpinMode", "LinkLocalIPv6Address"),
        *("LinkLocalIPv6PrefixLen", "SecondaryIPAddresses", "SecondaryIPv6Addresses", "EndpointID", "Gateway"),
        *("GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPAddress", "IPPrefixLen", "IPv6Gateway", "MacAddress"),
        "Networks",
    }


def test_the_image_is_its_id_and_the_name_stays_as_it_was_given() -> None:
    shown = inspect(container())
    assert (shown["Image"], shown["Config"]["Image"]) == ("sha256:" + "d" * 64, "bb:t")
    listed = summary(container())
    assert (listed["Image"], listed["ImageID"]) == ("bb:t", "sha256:" + "d" * 64)


def test_times_are_rfc_3339_and_the_year_one_where_none() -> None:
    shown = inspect(container())
    assert shown["Created"] == "2026-11-24T11:00:00.123456Z"
    assert (shown["State"]["StartedAt"], shown["State"]["FinishedAt"]) == ("0001-01-01T00:00:00Z",) * 2
    assert state_json(exited(0))["FinishedAt"] == "2026-11-24T11:05:00.123456Z"


def test_path_and_arguments_are_entrypoint_and_command() -> None:
    shown = inspect(with_options(process=Process(entrypoint=("/init",), command=("a", "b c"))))
    assert (shown["Path"], shown["Args"]) == ("/init", ["a", "b c"])
    assert summary(with_options(process=Process(command=("sh", "-c", "echo hi"))))["Command"] == "sh -c 'echo hi'"


def test_the_host_name_is_the_beginning_of_the_id_where_none_was_asked_for() -> None:
    assert inspect(container())["Config"]["Hostname"] == "c" * 12
    assert inspect(with_options(identity=Identity(hostname="db")))["Config"]["Hostname"] == "db"


@pytest.mark.parametrize(
    ("shown", "word", "text"),
    [
        (container(), "created", "Created"),
        (container(state=State.INITIALIZED), "created", "Created"),
        (running(), "running", "Up 3 minutes"),
        (replace(running(), state=State.STOPPING), "running", "Up 3 minutes"),
        (replace(running(), state=State.PAUSED), "paused", "Up 3 minutes (Paused)"),
        (replace(running(), state=State.STOPPED), "running", "Up 3 minutes"),
        (replace(exited(0), state=State.STOPPED), "exited", "Exited (0) Less than a second ago"),
        (exited(137), "exited", "Exited (137) Less than a second ago"),
        (exited(None), "exited", "Exited (255) Less than a second ago"),
        (container(state=State.REMOVING), "removing", "Removal In Progress"),
    ],
)
def test_states_are_said_in_dockers_words_alone(shown: Container, word: str, text: str) -> None:
    assert (state_word(shown), status_text(shown, NOW)) == (word, text)


def test_an_exit_is_told_with_its_age() -> None:
    assert status_text(exited(0), FINISHED + timedelta(minutes=2)) == "Exited (0) 2 minutes ago"


def test_a_paused_container_is_running_too() -> None:
    state = state_json(replace(running(), state=State.PAUSED))
    assert (state["Running"], state["Paused"], state["Pid"]) == (True, True, 4711)


def test_what_could_not_be_started_is_created_with_its_error_and_code() -> None:
    failed = container(run=Run(number=1, exit_code=127, ended=True, error="no such program"))
    state = state_json(failed)
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("created", 127, "no such program")


def test_health_is_absent_where_none_is_defined() -> None:
    assert "Health" not in state_json(running())
    disabled = with_options(lifecycle=Lifecycle(health=Healthcheck(("NONE",))))
    assert "Health" not in state_json(disabled)
    defined = with_options(lifecycle=Lifecycle(health=Healthcheck(("CMD", "true"), interval_ns=5)))
    assert state_json(defined)["Health"] == {"Status": "none", "FailingStreak": 0, "Log": []}
    assert inspect(defined)["Config"]["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 5}


def test_networks_are_never_empty_and_have_the_id_of_the_network() -> None:
    for mode, name, identity in (("apiserver", "bridge", "b"), ("host", "host", "a"), ("none", "none", "0")):
        networks = inspect(with_options(network=Network(mode=mode)))["NetworkSettings"]["Networks"]
        assert {key: value["NetworkID"] for key, value in networks.items()} == {name: identity * 64}
        assert summary(with_options(network=Network(mode=mode)))["NetworkSettings"]["Networks"].keys() == {name}


def test_addresses_are_shown_flat_until_1_51_and_in_the_network_always() -> None:
    old, new = inspect(running())["NetworkSettings"], inspect(running(), V1_52)["NetworkSettings"]
    assert (old["IPAddress"], old["Gateway"], old["IPPrefixLen"]) == ("10.89.0.2", "10.89.0.1", 16)
    assert old["MacAddress"] == "02:42:0a:59:00:02"
    assert set(new) == {"SandboxID", "SandboxKey", "Ports", "Networks"}
    for settings in (old, new):
        assert settings["Networks"]["bridge"]["IPAddress"] == "10.89.0.2"


def test_an_endpoint_has_dns_names_from_1_44_and_a_priority_from_1_48() -> None:
    keys = {v: set(inspect(running(), v)["NetworkSettings"]["Networks"]["bridge"]) for v in (V1_43, (1, 44), V1_51)}
    assert keys[V1_51] - keys[1, 44] == {"GwPriority"}
    assert keys[1, 44] - keys[V1_43] == {"DNSNames"}


def test_a_random_port_is_shown_as_asked_and_as_bound() -> None:
    network = Network(ports=(PortRequest(80),), exposed=("80/tcp", "443/tcp"))
    shown = inspect(running(WEB_PORT, options=ContainerOptions(network=network)))
    assert shown["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": ""}]}
    assert shown["NetworkSettings"]["Ports"] == {
        "443/tcp": None,
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}],
    }


def test_a_container_that_does_not_run_has_no_ports() -> None:
    shown = container(options=ContainerOptions(network=Network(ports=(PortRequest(80),), exposed=("80/tcp",))))
    assert inspect(shown)["NetworkSettings"]["Ports"] == {}
    assert summary(shown)["Ports"] == []


def test_a_listing_has_published_and_exposed_ports() -> None:
    shown = running(WEB_PORT, options=ContainerOptions(network=Network(exposed=("80/tcp", "53/udp"))))
    assert summary(shown)["Ports"] == [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 32768, "Type": "tcp"},
        {"PrivatePort": 53, "Type": "udp"},
    ]


def test_a_listing_has_the_keys_of_docker() -> None:
    keys = {
        *("Id", "Names", "Image", "ImageID", "Command", "Created", "Ports", "Labels", "State", "Status"),
        *("HostConfig", "NetworkSettings", "Mounts"),
    }
    assert set(summary(running())) == keys
    assert set(summary(running(), V1_52)) == keys | {"Health"}
    assert summary(running())["HostConfig"] == {"NetworkMode": "bridge"}


MOUNTS = Mounts(
    mounts=(
        Mount(MountKind.BIND, "/h", "/src", read_only=True, create_source=True, asked_as="/src:/h:ro"),
        Mount(MountKind.VOLUME, "/v", "vol", asked_as="vol:/v"),
        Mount(MountKind.VOLUME, "/anon", "e" * 64, anonymous=True),
        Mount(MountKind.TMPFS, "/t", tmpfs_options=("size=1m",), asked_as="/t:size=1m"),
        Mount(MountKind.TMPFS, "/t2", tmpfs_size_bytes=9),
        Mount(MountKind.BIND, "/b", "/src2", propagation="rslave"),
    )
)


def test_mounts_are_shown_as_they_were_asked_for() -> None:
    shown = inspect(with_options(mounts=MOUNTS))
    assert shown["HostConfig"]["Binds"] == ["/src:/h:ro", "vol:/v"]
    assert shown["HostConfig"]["Tmpfs"] == {"/t": "size=1m"}
    assert shown["HostConfig"]["Mounts"] == [
        {"Type": "tmpfs", "Target": "/t2", "TmpfsOptions": {"SizeBytes": 9}},
        {"Type": "bind", "Source": "/src2", "Target": "/b", "BindOptions": {"Propagation": "rslave"}},
    ]
    assert shown["Config"]["Volumes"] == {"/anon": {}}


def test_mount_points_are_listed_by_destination() -> None:
    volume = {"Type": "volume", "Driver": "local", "RW": True, "Propagation": ""}
    assert inspect(with_options(mounts=MOUNTS))["Mounts"] == [
        volume | {"Name": "e" * 64, "Source": "", "Destination": "/anon", "Mode": ""},
        {"Type": "bind", "Source": "/src2", "Destination": "/b", "Mode": "", "RW": True, "Propagation": "rslave"},
        {"Type": "bind", "Source": "/src", "Destination": "/h", "Mode": "ro", "RW": False, "Propagation": "rprivate"},
        {"Type": "tmpfs", "Source": "", "Destination": "/t2", "Mode": "", "RW": True, "Propagation": ""},
        volume | {"Name": "vol", "Source": "/v/vol/_data", "Destination": "/v", "Mode": "z"},
    ]
    assert summary(with_options(mounts=MOUNTS))["Mounts"] == inspect(with_options(mounts=MOUNTS))["Mounts"]


def test_security_options_are_shown_again() -> None:
    shown = inspect(with_options(security=Security(no_new_privileges=True, seccomp="unconfined")))["HostConfig"]
    assert shown["SecurityOpt"] == ["no-new-privileges", "seccomp=unconfined"]
    assert inspect(container())["HostConfig"]["SecurityOpt"] is None
    assert "/proc/kcore" in inspect(container())["HostConfig"]["MaskedPaths"]
    assert inspect(with_options(security=Security(masked_paths=())))["HostConfig"]["MaskedPaths"] == []


def test_wait_says_null_where_nothing_went_wrong_and_255_where_nobody_knows() -> None:
    assert wait_json(WaitResult(0)) == {"StatusCode": 0, "Error": None}
    assert wait_json(WaitResult(None, "oops")) == {"StatusCode": 255, "Error": {"Message": "oops"}}


OLD = container(id="1" * 64, name="db-old", created=CREATED - timedelta(days=1))
LABELLED = container(
    id="2" * 64, name="db", image_id="e" * 64, options=ContainerOptions(identity=Identity(labels={"a": "1", "b": ""}))
)
ON_HOST = exited(3, id="3" * 64, name="cron", options=ContainerOptions(network=Network(mode="host"), mounts=MOUNTS))
WEB = running(WEB_PORT, options=ContainerOptions(network=Network(exposed=("80/tcp",))))
ALL = (WEB, ON_HOST, LABELLED, OLD)


def find(name: str) -> Container:
    for each in ALL:
        if each.name == name:
            return each
    raise NoSuchContainer(name)


LOOK_UPS = LookUps(find, lambda name: frozenset({"e" * 64}) if name == "app" else frozenset(), NETWORKS)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, "web cron db db-old"),
        ({"id": ("cc", "11")}, "web db-old"),
        ({"name": ("db",)}, "db db-old"),
        ({"name": ("^/db$",)}, "db"),
        ({"name": ("^db$", "we.")}, "web db"),
        ({"name": ("db",), "label": ("a",)}, "db"),
        ({"label": ("a=1", "b")}, "db"),
        ({"label": ("a=2",)}, ""),
        ({"status": ("running",)}, "web"),
        ({"status": ("created", "exited")}, "cron db db-old"),
        ({"exited": ("3",)}, "cron"),
        ({"exited": ("0",)}, ""),
        ({"health": ("none",)}, "web cron db db-old"),
        ({"health": ("healthy",)}, ""),
        ({"ancestor": ("app", "nope")}, "db"),
        ({"before": ("db",)}, "db-old"),
        ({"since": ("db-old",)}, "web cron db"),
        ({"volume": ("vol",)}, "cron"),
        ({"volume": ("/h/",)}, "cron"),
        ({"network": ("host",)}, "cron"),
        ({"network": (BRIDGE.id,)}, "web db db-old"),
        ({"network": ("bridge",), "status": ("running",)}, "web"),
        ({"publish": ("80",)}, "web"),
        ({"publish": ("32768/tcp",)}, "web"),
        ({"publish": ("80/udp",)}, ""),
        ({"expose": ("70-90",)}, "web"),
        ({"is-task": ("true",)}, ""),
        ({"is-task": ("0",)}, "web cron db db-old"),
    ],
)
def test_filters_are_and_between_keys_and_or_within_one(filters: dict[str, tuple[str, ...]], names: str) -> None:
    assert [each.name for each in select(ALL, filters, LOOK_UPS)] == names.split()


@pytest.mark.parametrize(
    "filters",
    [
        {"foo": ("x",)},
        {"status": ("x",)},
        {"exited": ("x",)},
        {"health": ("x",)},
        {"is-task": ("x",)},
        {"publish": ("x",)},
        {"name": ("(a+)+$",)},
        {"name": ("a*a*a*a*b",)},
    ],
)
def test_a_wrong_filter_is_refused(filters: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InvalidParameter):
        select(ALL, filters, LOOK_UPS)


def test_before_a_container_that_is_not_there_is_missing() -> None:
    with pytest.raises(NoSuchContainer):
        select(ALL, {"before": ("nope",)}, LOOK_UPS)


def test_some_filters_look_at_stopped_containers_too() -> None:
    assert shows_stopped({"status": ("exited",)})
    assert not shows_stopped({"label": ("a",), "status": ()})


FACTS = RunFacts(
    hostname_file="/c/hostname",
    hosts_file="/c/hosts",
    resolv_conf="/c/resolv.conf",
    log="/c/log",
    upper="/c/upper",
    work="/c/work",
    merged="/c/merged",
)


def test_the_places_of_a_container_are_those_of_the_back_end() -> None:
    what = running()
    assert what.run is not None
    network = NetworkPlan("c" * 64, "web", 1, (), namespace="/r/netns/c-1")
    what = replace(what, run=replace(what.run, network=network))
    shown: Any = container_json(what, replace(AROUND, facts=FACTS, lower=("/s/2", "/s/1")), V1_51)
    assert [shown[f"{key}Path"] for key in ("Hostname", "Hosts", "ResolvConf", "Log")] == [
        *("/c/hostname", "/c/hosts", "/c/resolv.conf", "/c/log")
    ]
    assert shown["GraphDriver"]["Data"] == {
        "LowerDir": "/s/2:/s/1",
        "MergedDir": "/c/merged",
        "UpperDir": "/c/upper",
        "WorkDir": "/c/work",
    }
    settings = shown["NetworkSettings"]
    assert (settings["SandboxKey"], len(settings["SandboxID"])) == ("/r/netns/c-1", 64)


def test_the_profile_of_apparmor_is_the_one_in_force_and_not_the_one_asked_for() -> None:
    asked = replace(container().options, security=Security(apparmor="mine"))
    shown = container_json(container(options=asked), AROUND, V1_51)
    assert shown["AppArmorProfile"] == ""
    confined = container_json(container(), replace(AROUND, facts=replace(FACTS, apparmor="docker-default")), V1_51)
    assert confined["AppArmorProfile"] == "docker-default"


def test_another_start_has_another_sandbox_and_what_does_not_run_has_none() -> None:
    def sandbox(namespace: str) -> Any:
        what = running()
        assert what.run is not None
        plan = NetworkPlan("c" * 64, "web", 1, (), namespace=namespace)
        shown: Any = container_json(replace(what, run=replace(what.run, network=plan)), AROUND, V1_51)
        return shown["NetworkSettings"]["SandboxID"]

    assert sandbox("/r/netns/c-1") != sandbox("/r/netns/c-2")
    ended: Any = container_json(exited(0), AROUND, V1_51)
    assert (ended["NetworkSettings"]["SandboxID"], ended["NetworkSettings"]["SandboxKey"]) == ("", "")


def test_before_its_first_start_a_container_has_no_log_yet() -> None:
    assert container_json(container(), replace(AROUND, facts=FACTS), V1_51)["LogPath"] == ""


def test_nothing_is_made_up_where_the_back_end_says_nothing() -> None:
    shown: Any = container_json(running(), AROUND, V1_51)
    assert (shown["HostsPath"], shown["LogPath"], shown["GraphDriver"]["Data"]) == ("", "", None)


def test_on_the_hosts_network_nothing_is_exposed_and_with_its_uts_namespace_the_name_is_the_hosts() -> None:
    network, namespaces = Network(mode="host", exposed=("80/tcp",)), Namespaces(uts=Namespace.HOST)
    shown = running(options=ContainerOptions(network=network, namespaces=namespaces))
    inspected: Any = container_json(shown, replace(AROUND, host_name="machine"), V1_51)
    assert (inspected["NetworkSettings"]["Ports"], inspected["Config"]["Hostname"]) == ({}, "machine")
    assert summary(shown)["Ports"] == []


def test_a_mac_address_that_was_asked_for_is_shown_before_the_start_too() -> None:
    asked = with_options(network=Network(mac_address="02:42:0a:59:00:77"))
    assert inspect(asked)["NetworkSettings"]["MacAddress"] == "02:42:0a:59:00:77"
