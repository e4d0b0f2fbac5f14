from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from apiserver.engine.containers.model import ExecSession
from apiserver.engine.containers.options import ContainerOptions, Network
from apiserver.engine.events.match import matcher
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.ports.host import HostFacts, HostFigures
from apiserver.engine.system import Info
from apiserver.engine.volumes.model import Volume
from apiserver.errors import InvalidParameter
from apiserver.wire.docker import networks, volumes
from apiserver.wire.docker.events import action_word, event_filters, event_json
from apiserver.wire.docker.execs import CreateExecBody, exec_json
from apiserver.wire.docker.system import info_json, version_json
from apiserver.wire.libpod.system import info_json as libpod_info_json
from tests.support.containers import BRIDGE, CREATED, HOST, NETWORKS, NONE, container, running

AT = datetime(2026, 11, 24, 11, 0, 0, 5, tzinfo=UTC)
V1_51, V1_52 = (1, 51, 0), (1, 52, 0)


def event(kind: Kind, action: Action, **attributes: str) -> Event:
    return Event(kind, action, "c" * 64, AT, attributes)


def test_a_death_is_die_with_its_code_image_name_and_labels() -> None:
    died = event(Kind.CONTAINER, Action.DIED, exitCode="3", image="bb:t", name="web", label="x")
    assert event_json(died, V1_51) == {
        "status": "die",
        "id": "c" * 64,
        "from": "bb:t",
        "Type": "container",
        "Action": "die",
        "Actor": {"ID": "c" * 64, "Attributes": {"exitCode": "3", "image": "bb:t", "label": "x", "name": "web"}},
        "scope": "local",
        "time": 1795518000,
        "timeNano": 1795518000000005000,
    }
    assert {"status", "id", "from"}.isdisjoint(event_json(died, V1_52))


def test_the_removal_of_an_image_is_delete_and_of_a_container_destroy() -> None:
    deleted: Any = event_json(event(Kind.IMAGE, Action.REMOVE, name="bb:t"), V1_51)
    assert (deleted["Action"], deleted["Actor"]["ID"], deleted["id"]) == ("delete", *["sha256:" + "c" * 64] * 2)
    assert "from" not in deleted
    assert action_word(event(Kind.CONTAINER, Action.REMOVE)) == "destroy"
    assert action_word(event(Kind.IMAGE, Action.UNTAG)) == "untag"


def test_a_removal_has_no_exit_code_for_dockers_clients_and_an_image_no_second_name() -> None:
    destroyed: Any = event_json(event(Kind.CONTAINER, Action.DESTROY, exitCode="3", name="web"), V1_51)
    assert destroyed["Actor"]["Attributes"] == {"name": "web"}
    untagged: Any = event_json(event(Kind.IMAGE, Action.UNTAG, name="bb", reference="docker.io/library/bb:t"), V1_51)
    assert untagged["Actor"]["Attributes"] == {"name": "bb"}


def test_docker_never_hears_our_own_words() -> None:
    native = {"died", "exec_died", "remove", "init", "cleanup", "history"}
    assert native.isdisjoint(action_word(event(Kind.CONTAINER, action)) for action in Action)


def test_the_end_of_an_exec_is_exec_die() -> None:
    assert action_word(event(Kind.CONTAINER, Action.EXEC_DIED)) == "exec_die"


def test_an_exec_is_told_with_its_command() -> None:
    created: Any = event_json(event(Kind.CONTAINER, Action.EXEC_CREATE, command="ls -l", execID="e"), V1_51)
    assert (created["Action"], created["Actor"]["Attributes"]) == ("exec_create: ls -l", {"execID": "e"})


def test_the_default_network_is_bridge_in_events_and_filters() -> None:
    connected = event(Kind.NETWORK, Action.CONNECT, name="apiserver", container="c", type="bridge")
    shown: Any = event_json(connected, V1_51)
    assert shown["Actor"]["Attributes"] == {"container": "c", "name": "bridge", "type": "bridge"}
    assert "status" not in shown
    assert matcher(event_filters({"network": ("bridge",)}), action_word)(connected)


def test_filters_take_dockers_words_and_image_ids() -> None:
    died = event(Kind.CONTAINER, Action.DIED, name="web")
    assert matcher(event_filters({"event": ("die",), "container": ("web",)}), action_word)(died)
    assert not matcher(event_filters({"event": ("died",)}), action_word)(died)
    tagged = event(Kind.IMAGE, Action.TAG)
    assert matcher(event_filters({"image": ("sha256:" + "c" * 64,), "type": ()}), action_word)(tagged)


def test_networks_are_listed_with_dockers_names_and_drivers() -> None:
    shown: list[Any] = [networks.network_json(each, (), V1_51) for each in (BRIDGE, HOST, NONE)]
    assert [(each["Name"], each["Driver"]) for each in shown] == [
        ("bridge", "bridge"),
        ("host", "host"),
        ("none", "null"),
    ]
    assert [each["IPAM"]["Config"] for each in shown] == [
        [{"Subnet": "10.89.0.0/16", "Gateway": "10.89.0.1"}],
        None,
        None,
    ]
    assert shown[1]["Options"] == shown[1]["Labels"] == {}


def test_a_networks_containers_are_those_that_run_on_it_with_a_prefix() -> None:
    on_host = running(id="e" * 64, options=ContainerOptions(network=Network(mode="host")))
    shown: Any = networks.network_json(BRIDGE, (running(), on_host, container(id="f" * 64)), V1_51)
    (member,) = shown["Containers"].values()
    assert (member["Name"], member["IPv4Address"], member["MacAddress"]) == (
        "web",
        "10.89.0.2/16",
        "02:42:0a:59:00:02",
    )


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, "apiserver host none"),
        ({"name": ("bri",)}, "apiserver"),
        ({"driver": ("null",)}, "none"),
        ({"id": ("a",)}, "host"),
        ({"type": ("builtin",)}, "apiserver host none"),
        ({"type": ("custom",)}, ""),
        ({"dangling": ("true",)}, ""),
        ({"scope": ("local",), "driver": ("host",)}, "host"),
    ],
)
def test_filters_of_networks(filters: dict[str, tuple[str, ...]], names: str) -> None:
    assert [each.name for each in networks.select(NETWORKS.values(), filters, ())] == names.split()


@pytest.mark.parametrize("filters", [{"foo": ("x",)}, {"type": ("x",)}, {"dangling": ("x",)}])
def test_a_wrong_filter_of_networks_is_refused(filters: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InvalidParameter):
        networks.select(NETWORKS.values(), filters, ())


NAMED = Volume("db", CREATED, labels={"a": "1"}, mountpoint="/v/db/_data")
ANONYMOUS = Volume("e" * 64, CREATED, anonymous=True)


def test_a_volume_has_null_where_there_are_no_labels_or_options() -> None:
    assert volumes.volume_json(NAMED) == {
        "CreatedAt": "2026-11-24T11:00:00Z",
        "Driver": "local",
        "Labels": {"a": "1"},
        "Mountpoint": "/v/db/_data",
        "Name": "db",
        "Options": None,
        "Scope": "local",
    }
    assert volumes.volume_json(ANONYMOUS)["Labels"] == {"com.docker.volume.anonymous": ""}
    assert volumes.volume_json(Volume("x", CREATED))["Labels"] is None


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["db", "e" * 64]),
        ({"dangling": ("true",)}, ["e" * 64]),
        ({"dangling": ("0",)}, ["db"]),
        ({"name": ("d",), "driver": ("local",)}, ["db"]),
        ({"label": ("com.docker.volume.anonymous",)}, ["e" * 64]),
    ],
)
def test_filters_of_volumes(filters: dict[str, tuple[str, ...]], names: list[str]) -> None:
    assert [each.name for each in volumes.select((ANONYMOUS, NAMED), filters, "db".__eq__)] == names


def test_a_wrong_filter_of_volumes_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="invalid filter 'foo'"):
        volumes.select((NAMED,), {"foo": ("x",)}, "db".__eq__)


HOST_FACTS = HostFacts(
    name="box",
    operating_system="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0",
    architecture="x86_64",
    processors=2,
    memory_bytes=1 << 30,
    cgroup_version="1",
    cgroup_manager="cgroupfs",
    storage_driver="overlay",
    root="/var/lib/apiserver",
    runtimes={"crun": "/usr/bin/crun"},
    default_runtime="crun",
    components={"crun": "1.8"},
    security=("seccomp", "apparmor"),
    limits=frozenset({"memory", "pids"}),
)


def test_versions_are_plain_digits_and_our_own_is_a_component() -> None:
    shown: Any = version_json(HOST_FACTS, "0.1.0", "1.51", "1.24")
    assert (shown["Version"], shown["ApiVersion"], shown["MinAPIVersion"]) == ("28.5.2", "1.51", "1.24")
    components = {each["Name"]: each["Version"] for each in shown["Components"]}
    assert components == {"Engine": "28.5.2", "Podman Engine": "6.0.0", "apiserver": "0.1.0", "crun": "1.8"}
    assert shown["Arch"] == "amd64"


def test_info_says_what_the_command_line_prints() -> None:
    info = Info(HOST_FACTS, "0.1.0", AT, containers=3, running=1, paused=0, stopped=2, images=4, event_listeners=1)
    shown: Any = info_json(info, V1_51)
    assert (shown["ServerVersion"], shown["Swarm"]["LocalNodeState"]) == ("28.5.2", "inactive")
    assert (shown["Containers"], shown["ContainersStopped"], shown["Images"]) == (3, 2, 4)
    assert (shown["MemoryLimit"], shown["SwapLimit"], shown["PidsLimit"]) == (True, False, True)
    assert shown["SecurityOptions"] == ["name=seccomp,profile=builtin", "name=apparmor"]
    assert (shown["Runtimes"], shown["DefaultRuntime"]) == ({"crun": {"path": "/usr/bin/crun"}}, "crun")
    assert shown["Architecture"] == "x86_64"
    assert shown["RegistryConfig"]["IndexConfigs"]["docker.io"]["Official"] is True


FIGURES = HostFigures(
    memory_free_bytes=5,
    swap_total_bytes=9,
    swap_free_bytes=8,
    uptime_seconds=31947.9,
    user_percent=17.8512,
    system_percent=8.4,
    idle_percent=73.71,
    storage_bytes=1000,
    storage_used_bytes=400,
    storage={"Using metacopy": "false", "Backing Filesystem": "extfs"},
    distribution={"ID": "debian", "VERSION_ID": "13", "VERSION_CODENAME": "trixie"},
    search_registries=("one.example",),
    open_descriptors=12,
    forwards_ipv4=True,
    bridges_filter_ipv6=True,
)
MEASURED = Info(HOST_FACTS, "0.1.0", AT, 3, 1, 0, 2, 4, event_listeners=1, figures=FIGURES)


def test_info_has_the_figures_of_this_moment() -> None:
    shown: Any = info_json(MEASURED, (1, 49, 0))
    assert shown["DriverStatus"] == [["Backing Filesystem", "extfs"], ["Using metacopy", "false"]]
    assert (shown["NFd"], shown["OSVersion"], shown["IPv4Forwarding"]) == (12, "13", True)
    assert (shown["BridgeNfIptables"], shown["BridgeNfIp6tables"]) == (False, True)
    assert info_json(replace(MEASURED, figures=HostFigures()), V1_51)["IPv4Forwarding"] is False


def test_podmans_info_has_the_figures_of_this_moment() -> None:
    facts = replace(
        HOST_FACTS,
        programs={"conmon": "/usr/bin/conmon", "netavark": "/n", "aardvark-dns": "/a"},
        components={"conmon": "2.1.12", "netavark": "1.14.0"},
        controllers=("cpu", "memory"),
        capabilities=("CAP_KILL", "CAP_CHOWN"),
        seccomp_profile="/s.json",
        storage="/r/storage",
        storage_configuration="/r/storage.conf",
        copies="/r/tmp",
    )
    figures = replace(FIGURES, packages={"conmon": "conmon_2.1.12-4_amd64"})
    shown: Any = libpod_info_json(replace(MEASURED, host=facts, figures=figures))
    host, store = shown["host"], shown["store"]
    assert (host["memFree"], host["swapTotal"], host["swapFree"]) == (5, 9, 8)
    assert host["uptime"] == "8h 52m 27.00s (Approximately 0.33 days)"
    young: Any = libpod_info_json(replace(MEASURED, host=facts, figures=replace(FIGURES, uptime_seconds=3599.9)))
    assert young["host"]["uptime"] == "0h 59m 59.00s"
    assert host["cpuUtilization"] == {"userPercent": 17.85, "systemPercent": 8.4, "idlePercent": 73.71}
    assert host["distribution"] == {"distribution": "debian", "version": "13", "codename": "trixie"}
    conmon = {"package": "conmon_2.1.12-4_amd64", "path": "/usr/bin/conmon", "version": "conmon version 2.1.12"}
    dns = {"package": "Unknown", "path": "/a", "version": ""}
    netavark = {"backend": "netavark", "package": "Unknown", "path": "/n", "version": "netavark 1.14.0", "dns": dns}
    assert (host["conmon"], host["networkBackendInfo"]) == (conmon, netavark)
    assert host["ociRuntime"] == {"name": "crun", "package": "Unknown", "path": "/usr/bin/crun", "version": ""}
    assert host["cgroupControllers"] == ["cpu", "memory"]
    assert (host["security"]["capabilities"], host["security"]["seccompProfilePath"]) == (
        "CAP_CHOWN,CAP_KILL",
        "/s.json",
    )
    assert (store["graphRoot"], store["graphRootAllocated"], store["graphRootUsed"]) == ("/r/storage", 1000, 400)
    assert store["graphStatus"] == {"Backing Filesystem": "extfs", "Using metacopy": "false"}
    assert shown["registries"] == {"search": ["one.example"]}
    assert libpod_info_json(replace(MEASURED, figures=HostFigures()))["registries"] == {}
    assert (store["configFile"], store["imageCopyTmpDir"]) == ("/r/storage.conf", "/r/tmp")


SESSION = ExecSession(
    id="9" * 64, container_id="c" * 64, run=1, created=AT, argv=("echo", "hi"), user="0", attach_stdout=True
)


def test_an_exec_session_is_shown_as_docker_shows_it() -> None:
    assert exec_json(SESSION, "app") == {
        "ID": "9" * 64,
        "Running": False,
        "ExitCode": None,
        "ProcessConfig": {
            "tty": False,
            "entrypoint": "echo",
            "arguments": ["hi"],
            "privileged": False,
            "user": "0",
        },
        "OpenStdin": False,
        "OpenStderr": True,
        "OpenStdout": True,
        "CanRemove": False,
        "ContainerID": "c" * 64,
        "DetachKeys": "",
        "Pid": 0,
    }


@pytest.mark.parametrize(("code", "shown"), [(0, 0), (127, 127), (None, 255)])
def test_an_ended_exec_session_has_a_code(code: int | None, shown: int) -> None:
    assert exec_json(replace(SESSION, finished=AT, exit_code=code), "")["ExitCode"] == shown


def test_a_session_that_the_runtime_never_saw_is_126_to_docker() -> None:
    vain = replace(SESSION, finished=AT, exit_code=125, error="unable to find user")
    assert (exec_json(vain, "")["ExitCode"], exec_json(replace(vain, error=""), "")["ExitCode"]) == (126, 125)


def test_an_exec_session_without_a_user_is_its_containers_users() -> None:
    shown: Any = exec_json(replace(SESSION, user=""), "1000:1000")
    assert shown["ProcessConfig"]["user"] == "1000:1000"
    nobodys: Any = exec_json(replace(SESSION, user=""), "")
    assert "user" not in nobodys["ProcessConfig"]


def test_an_exec_body_takes_a_word_for_a_list() -> None:
    assert msgspec.json.decode(b'{"Cmd":"ls","ConsoleSize":null}', type=CreateExecBody).argv == ("ls",)
