"""A container in the shape of Podman's inspection."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.model import Container, Run, State
from apiserver.engine.containers.options import Identity, Lifecycle, Limits, Mounts, Namespaces, Network, Security
from apiserver.engine.containers.options.logging import Logging
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.images import Image, ImageConfig, Layer
from apiserver.engine.ports.networks import NetworkPlan
from apiserver.engine.ports.publish import PortRequest, Transport
from apiserver.wire.libpod.inspect import Surroundings, container_json
from apiserver.wire.libpod.listing import summary_json
from tests.support.containers import CREATED, NETWORKS, container, exited, running

V5 = (5, 4, 2)
FACTS = RunFacts(
    directory="/c",
    hostname_file="/c/hostname",
    hosts_file="/c/hosts",
    resolv_conf="/c/resolv.conf",
    log="/c/log",
    pid_file="/r/pid",
    monitor_pid_file="/r/conmon.pid",
    monitor_pid=99,
    configuration="/r/config.json",
    oci_version="1.0.2",
    cgroup="/apiserver/c",
    upper="/c/upper",
    work="/c/work",
    merged="/c/merged",
    bounding=("CAP_KILL", "CAP_CHOWN"),
    effective=("CAP_KILL",),
)
IMAGE = Image(
    id="d" * 64,
    names=("bb:t",),
    digests=(),
    created=CREATED,
    size_bytes=3,
    config=ImageConfig(),
    manifest_digest="sha256:" + "e" * 64,
    layers=(Layer("1", "", 1, "/s/1/diff", "/s/1/work"), Layer("2", "", 2, "/s/2/diff", "/s/2/work")),
)


def shown(what: Container, **around: Any) -> Any:
    return container_json(what, Surroundings(networks=NETWORKS, **around), V5, 15)


def mounted(what: Container) -> Container:
    assert what.run is not None
    network = NetworkPlan("c" * 64, "web", 1, (), namespace="/r/netns/c-1")
    return replace(what, run=replace(what.run, plan={"run": 1}, network=network))


def test_the_places_of_a_running_container_are_those_of_the_back_end() -> None:
    found = shown(mounted(running()), facts=FACTS, image=IMAGE)
    keys = ("HostnamePath", "HostsPath", "ResolvConfPath", "StaticDir", "PidFile", "ConmonPidFile", "OCIConfigPath")
    assert [found[key] for key in keys] == [
        *("/c/hostname", "/c/hosts", "/c/resolv.conf", "/c", "/r/pid", "/r/conmon.pid", "/r/config.json")
    ]
    assert found["HostConfig"]["LogConfig"]["Path"] == "/c/log"
    assert found["NetworkSettings"]["SandboxKey"] == "/r/netns/c-1"
    assert found["GraphDriver"]["Data"] == {
        "LowerDir": "/s/2/diff:/s/1/diff",
        "MergedDir": "/c/merged",
        "UpperDir": "/c/upper",
        "WorkDir": "/c/work",
    }
    state = found["State"]
    assert (state["CgroupPath"], state["ConmonPid"], state["OciVersion"]) == ("/apiserver/c", 99, "1.0.2")


@pytest.mark.parametrize("what", [container(), exited(3)])
def test_what_does_not_run_has_no_monitor_no_cgroup_and_nothing_mounted(what: Container) -> None:
    found = shown(what, facts=replace(FACTS, configuration=""), image=IMAGE)
    assert {"CgroupPath", "ConmonPid"}.isdisjoint(found["State"])
    assert "MergedDir" not in found["GraphDriver"]["Data"]
    assert (found["NetworkSettings"]["SandboxKey"], "OCIConfigPath" in found) == ("", False)


def test_nothing_is_made_up_where_the_back_end_says_nothing() -> None:
    found = shown(container(state=State.RUNNING, run=Run(1, plan={"run": 1})))
    assert found["GraphDriver"] == {"Name": "overlay", "Data": {}}
    assert [found[key] for key in ("HostsPath", "PidFile", "StaticDir", "ImageDigest")] == [""] * 4


def test_capabilities_are_sorted_and_null_where_there_are_none() -> None:
    found = shown(container(), facts=replace(FACTS, effective=()))
    assert (found["BoundingCaps"], found["EffectiveCaps"]) == (["CAP_CHOWN", "CAP_KILL"], None)


def test_the_profile_of_apparmor_is_the_one_in_force() -> None:
    asked = replace(container().options, security=Security(apparmor="unconfined"))
    assert shown(container(options=asked))["AppArmorProfile"] == ""
    assert shown(container(), facts=replace(FACTS, apparmor="containers-default"))["AppArmorProfile"] == (
        "containers-default"
    )


def test_the_digest_is_the_images_for_as_long_as_that_is_there() -> None:
    assert shown(container(), image=IMAGE)["ImageDigest"] == "sha256:" + "e" * 64
    assert shown(container())["ImageDigest"] == ""


def test_annotations_are_those_asked_for_and_null_where_none_were() -> None:
    plain = shown(container())
    assert (plain["Config"]["Annotations"], plain["HostConfig"]["Annotations"]) == (None, None)
    options = replace(container().options, identity=Identity(annotations={"b": "2", "a": "1"}))
    asked = shown(container(options=options))
    assert asked["Config"]["Annotations"] == asked["HostConfig"]["Annotations"] == {"a": "1", "b": "2"}


def test_how_some_options_were_set_is_among_podmans_own_annotations() -> None:
    options = replace(
        container().options,
        identity=Identity(annotations={"io.podman.annotations.init": "mine", "x": "y"}),
        security=Security(privileged=True, seccomp="unconfined", apparmor="mine", label_disabled=True),
        lifecycle=Lifecycle(auto_remove=True, init=True),
        network=Network(publish_all=True),
    )
    found = shown(container(options=options))
    assert found["Config"]["Annotations"] == found["HostConfig"]["Annotations"]
    assert found["HostConfig"]["Annotations"] == {
        "io.podman.annotations.apparmor": "mine",
        "io.podman.annotations.autoremove": "TRUE",
        "io.podman.annotations.init": "mine",
        "io.podman.annotations.label": "disable",
        "io.podman.annotations.privileged": "TRUE",
        "io.podman.annotations.publish-all": "TRUE",
        "io.podman.annotations.seccomp": "unconfined",
        "x": "y",
    }


def test_the_log_of_health_checks_is_as_podman_has_it_by_default() -> None:
    config = shown(container())["Config"]
    assert [config[key] for key in ("HealthLogDestination", "HealthcheckMaxLogCount", "HealthcheckMaxLogSize")] == [
        *("local", 5, 500)
    ]


def with_options(**options: Any) -> Container:
    return container(options=replace(container().options, **options))


def test_a_stop_signal_is_a_name_from_5_on_however_it_was_asked_for() -> None:
    asked = with_options(process=replace(container().options.process, stop_signal="2"))
    new: Any = container_json(asked, Surroundings(), V5, 2)
    old: Any = container_json(asked, Surroundings(), (4, 9), 2)
    assert (new["Config"]["StopSignal"], old["Config"]["StopSignal"]) == ("SIGINT", 2)


def test_a_tmpfs_is_shown_with_the_options_that_act_and_among_no_mounts() -> None:
    mounts = Mounts(
        (
            Mount(MountKind.TMPFS, "/docker", tmpfs_size_bytes=1 << 20, tmpfs_mode=0o700),
            Mount(MountKind.TMPFS, "/podman", tmpfs_options=("exec", "tmpcopyup", "size=1m")),
            Mount(MountKind.TMPFS, "/free", tmpfs_options=("suid", "dev", "ro")),
            Mount(MountKind.TMPFS, "/run", for_read_only=True),
        )
    )
    found = shown(with_options(mounts=mounts))
    assert found["Mounts"] == []
    assert found["HostConfig"]["Tmpfs"] == {
        "/docker": "size=1048576,mode=700,rw,rprivate,nosuid,nodev,noexec",
        "/podman": "size=1m,rw,rprivate,nosuid,nodev,tmpcopyup",
        "/free": "suid,dev,ro,rprivate,noexec",
    }


def test_the_init_is_what_is_run_where_there_is_one() -> None:
    path, *arguments = container().options.process.argv
    plain, with_init = shown(container()), shown(container(), facts=RunFacts(arguments=("/init", "--", path)))
    assert (plain["Path"], plain["Args"]) == (path, arguments)
    assert (with_init["Path"], with_init["Args"]) == ("/init", ["--", path])


def test_the_mode_of_notification_is_the_clients_and_missing_where_it_says_none() -> None:
    assert "sdNotifyMode" not in shown(container())["Config"]
    assert shown(with_options(lifecycle=Lifecycle(notify_mode="ignore")))["Config"]["sdNotifyMode"] == "ignore"


def test_aliases_are_the_clients_the_short_id_and_the_host_name_where_it_was_asked_for() -> None:
    plain = with_options(network=Network(aliases=("a",)))
    named = with_options(network=Network(aliases=("a",)), identity=Identity(hostname="web"))
    found = [shown(each)["NetworkSettings"]["Networks"]["podman"]["Aliases"] for each in (plain, named)]
    assert found == [["a", plain.id[:12]], ["a", named.id[:12], "web"]]


def test_a_mount_is_shown_with_its_flags() -> None:
    mounts = Mounts((Mount(MountKind.VOLUME, "/v", source="vol", read_only=True, flags=("nosuid", "nodev")),))
    found = shown(with_options(mounts=mounts), mountpoints={"vol": "/v/vol/_data"})
    assert found["HostConfig"]["Binds"] == ["vol:/v:ro,rprivate,nosuid,nodev,rbind"]
    assert (found["Mounts"][0]["Options"], found["Mounts"][0]["RW"]) == (["nosuid", "nodev", "rbind"], False)


@pytest.mark.parametrize(
    ("limits", "swap", "swappiness"),
    [
        (Limits(), 0, 0),
        (Limits(memory_bytes=64), 128, -1),
        (Limits(memory_bytes=64, memory_swap_bytes=-1), -1, -1),
        (Limits(memory_swappiness=7), 0, 7),
    ],
)
def test_swap_is_shown_as_it_acts(limits: Limits, swap: int, swappiness: int) -> None:
    config = shown(with_options(limits=limits))["HostConfig"]
    assert (config["MemorySwap"], config["MemorySwappiness"]) == (swap, swappiness)


@pytest.mark.parametrize(
    ("limits", "swappiness"), [(Limits(), None), (Limits(memory_bytes=64), None), (Limits(memory_swappiness=0), 0)]
)
def test_no_swappiness_of_its_own_is_null_since_version_6(limits: Limits, swappiness: int | None) -> None:
    found: Any = container_json(with_options(limits=limits), Surroundings(), (6, 0, 0), 15)
    assert found["HostConfig"]["MemorySwappiness"] == swappiness


def test_capabilities_have_their_whole_names() -> None:
    config = shown(with_options(security=Security(cap_add=("net_admin", "all"), cap_drop=("MKNOD",))))["HostConfig"]
    assert (config["CapAdd"], config["CapDrop"]) == (["CAP_NET_ADMIN", "ALL"], ["CAP_MKNOD"])


def test_what_does_not_run_has_the_ports_that_are_known_beforehand() -> None:
    ports = (
        PortRequest(80, host_port_first=8080, host_port_last=8080),
        PortRequest(81),
        PortRequest(82, Transport.UDP, "", 1, 9),
    )
    stopped = with_options(network=Network(ports=ports, exposed=("80/tcp", "81/tcp", "82/udp")))
    assert shown(stopped)["NetworkSettings"]["Ports"] == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
        "81/tcp": None,
        "82/udp": None,
    }


@pytest.mark.parametrize("mode", ["host", "none"])
def test_without_a_network_of_its_own_a_container_has_an_entry_with_its_mode(mode: str) -> None:
    found = shown(with_options(network=Network(mode=mode, exposed=("80/tcp",))))
    (entry,) = found["NetworkSettings"]["Networks"].values()
    assert (list(found["NetworkSettings"]["Networks"]), entry["NetworkID"], entry["IPAddress"]) == ([mode], mode, "")
    assert "Aliases" not in entry
    assert found["NetworkSettings"]["Ports"] == ({} if mode == "host" else {"80/tcp": None})


def test_with_the_hosts_uts_namespace_the_name_is_the_hosts() -> None:
    sharing = with_options(namespaces=Namespaces(uts=Namespace.HOST))
    assert shown(sharing, host_name="machine")["Config"]["Hostname"] == "machine"
    assert shown(container(), host_name="machine")["Config"]["Hostname"] == "c" * 12


@pytest.mark.parametrize(
    ("security", "options"),
    [
        (Security(), []),
        (Security(no_new_privileges=True, seccomp="unconfined"), ["no-new-privileges", "seccomp=unconfined"]),
        (Security(label_disabled=True, apparmor="mine"), ["label=disable", "apparmor=mine"]),
        (Security(privileged=True), ["unmask=all"]),
        (Security(unmask=("ALL",)), ["unmask=all"]),
        (Security(masked_paths=()), ["unmask=all"]),
        (Security(privileged=True, mask=("/x",)), []),
        (Security(masked_paths=("/x",)), []),
    ],
)
def test_security_options_are_podmans(security: Security, options: list[str]) -> None:
    assert shown(with_options(security=security))["HostConfig"]["SecurityOpt"] == options


def test_processors_are_shown_as_the_quota_that_acts() -> None:
    config = shown(with_options(limits=Limits(nano_cpus=500_000_000)))["HostConfig"]
    assert (config["NanoCpus"], config["CpuPeriod"], config["CpuQuota"]) == (500_000_000, 100_000, 50_000)
    config = shown(with_options(limits=Limits(cpu_period_us=20_000, cpu_quota_us=5_000)))["HostConfig"]
    assert (config["NanoCpus"], config["CpuPeriod"], config["CpuQuota"]) == (250_000_000, 20_000, 5_000)
    config = shown(with_options(limits=Limits(cpu_quota_us=-1)))["HostConfig"]
    assert (config["NanoCpus"], config["CpuPeriod"], config["CpuQuota"]) == (0, 0, -1)


def test_a_listing_has_the_command_without_the_entry_point_and_a_failed_start_is_no_end() -> None:
    process = replace(container().options.process, entrypoint=("sh", "-c"))
    failed = Run(1, ended=True, exit_code=127, error="no such program")
    entry = summary_json(with_options(process=process))
    assert entry["Command"] == ["sleep", "100"]
    assert summary_json(container(run=failed))["Exited"] is False
    assert summary_json(exited(3))["Exited"] is True


@pytest.mark.parametrize(
    ("asked", "unified", "mode"),
    [(None, True, "private"), (None, False, "host"), (Namespace.PRIVATE, False, "private")],
)
def test_the_cgroup_namespace_is_private_of_itself_on_version_2_alone(
    asked: Namespace | None, unified: bool, mode: str
) -> None:
    found = shown(with_options(namespaces=Namespaces(cgroup=asked)), unified=unified)
    assert found["HostConfig"]["CgroupMode"] == mode


def test_a_listing_has_consecutive_ports_as_one_range() -> None:
    everywhere = [PortRequest(90 + n, host_port_first=8100 + n, host_port_last=8100 + n) for n in (2, 0, 1)]
    others = [
        PortRequest(93, Transport.UDP, "", 8103, 8103),
        PortRequest(95, host_port_first=8104, host_port_last=8104),
        PortRequest(96, Transport.TCP, "127.0.0.1", 8105, 8105),
    ]
    entry: Any = summary_json(with_options(network=Network(ports=(*everywhere, *others))))
    keys = ("host_ip", "container_port", "host_port", "range", "protocol")
    assert [tuple(port[key] for key in keys) for port in entry["Ports"]] == [
        ("", 90, 8100, 3, "tcp"),
        ("", 95, 8104, 1, "tcp"),
        ("127.0.0.1", 96, 8105, 1, "tcp"),
        ("", 93, 8103, 1, "udp"),
    ]
    assert summary_json(with_options(network=Network()))["Ports"] is None


@pytest.mark.parametrize(("kept", "shown_size"), [(Logging(), "0B"), (Logging(max_size_bytes=1_000_000), "1MB")])
def test_the_size_of_a_log_is_shown_where_it_was_asked_for(kept: Logging, shown_size: str) -> None:
    assert shown(with_options(logging=kept))["HostConfig"]["LogConfig"]["Size"] == shown_size


def test_a_port_that_is_published_everywhere_says_so() -> None:
    asked = with_options(network=Network(ports=(PortRequest(80), PortRequest(81, Transport.UDP, "127.0.0.1", 9, 9))))
    assert shown(asked)["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": ""}],
        "81/udp": [{"HostIp": "127.0.0.1", "HostPort": "9"}],
    }
