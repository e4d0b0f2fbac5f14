"""Each option's limits: what cannot be is refused in words that name it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from apiserver.engine.containers.model import TRANSITIONS, Container, IllegalTransition, State
from apiserver.engine.containers.options import (
    ContainerOptions,
    Identity,
    Lifecycle,
    Limits,
    Logging,
    Mounts,
    Namespaces,
    Network,
    Process,
    Security,
    checked,
)
from apiserver.engine.containers.options.lifecycle import RestartPolicy
from apiserver.engine.containers.options.logging import LogDriver
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.containers.options.security import full_name
from apiserver.engine.containers.signals import InvalidSignal, signal_name, signal_number
from apiserver.engine.ports.images import Healthcheck
from apiserver.engine.ports.publish import PortRequest
from apiserver.errors import InvalidParameter
from tests.support.engine import NOON

SH = Process(command=("sh",))


def validated(**options: Any) -> ContainerOptions:
    return checked.validated(ContainerOptions(**{"process": SH, **options}), processors=2)


def process(**changes: Any) -> dict[str, Any]:
    return {"process": replace(SH, **changes)}


def limits(**changes: Any) -> dict[str, Any]:
    return {"limits": Limits(**changes)}


def network(**changes: Any) -> dict[str, Any]:
    return {"network": Network(**changes)}


LONG_NAME = "x" * 256


def bind(target: str = "/a", source: str = "/b", **changes: Any) -> dict[str, Any]:
    return {"mounts": Mounts((Mount(MountKind.BIND, target, source=source, **changes),))}


def tmpfs(*options: str, **changes: Any) -> dict[str, Any]:
    return {"mounts": Mounts((Mount(MountKind.TMPFS, "/t", tmpfs_options=options, **changes),))}


def health(**changes: Any) -> dict[str, Any]:
    return {"lifecycle": Lifecycle(health=Healthcheck(**{"test": ("CMD", "true"), **changes}))}


MIB = 1 << 20


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (process(command=()), "no command"),
        (process(command=("",)), "no command"),
        (process(command=("a\0b",)), "Cmd"),
        (process(entrypoint=("a\0b",)), "Entrypoint"),
        (process(env=("=x",)), "environment"),
        (process(env=("A\nB=x",)), "Env"),
        (process(env=("A=x\0",)), "Env"),
        (process(env=("HOME=/x\nroot::0:0::/:/bin/sh",)), "HOME"),
        (process(working_dir="srv"), "absolute"),
        (process(working_dir="/a\nb"), "WorkingDir"),
        (process(working_dir="/proc/self/fd/7"), "WorkingDir"),
        (process(working_dir="/proc/./1/fd/7/../x"), "WorkingDir"),
        (process(user="4294967296"), "User"),
        (process(user="2147483648"), "User"),
        (process(user="-1"), "User"),
        (process(user="0x0"), "User"),
        (process(user="01000"), "User"),
        (process(user="root\n"), "User"),
        (process(user=":-1"), "User"),
        (process(user="-1:"), "User"),
        (process(user="a:b:c"), "User"),
        (process(user="٣"), "User"),
        (process(stop_signal="SIGNOPE"), "signal"),
        ({"identity": Identity(hostname="a b")}, "Hostname"),
        ({"identity": Identity(hostname="-a")}, "Hostname"),
        ({"identity": Identity(hostname="a\n127.0.0.1 x")}, "Hostname"),
        ({"identity": Identity(hostname="a" * 65)}, "Hostname"),
        ({"identity": Identity(domainname="a\nb")}, "Domainname"),
        ({"identity": Identity(hostname="a"), "namespaces": Namespaces(uts=Namespace.HOST)}, "UTS"),
        ({"identity": Identity(labels={"": "x"})}, "Labels"),
        (limits(memory_bytes=6 * MIB - 1), "memory limit"),
        (limits(memory_bytes=-1), "Memory"),
        (limits(memory_bytes=64 * MIB, memory_swap_bytes=32 * MIB), "memoryswap"),
        (limits(memory_swap_bytes=32 * MIB), "Memory"),
        (limits(memory_bytes=64 * MIB, memory_swap_bytes=-2), "MemorySwap"),
        (limits(memory_bytes=64 * MIB, memory_reservation_bytes=65 * MIB), "reservation"),
        (limits(memory_reservation_bytes=1), "reservation"),
        (limits(memory_swappiness=101), "swappiness"),
        (limits(oom_score_adj=1001), "oom score"),
        (limits(nano_cpus=2_000_000_001), "CPUs"),
        (limits(nano_cpus=-1), "CPUs"),
        (limits(nano_cpus=1, cpu_quota_us=5000), "CPU Quota"),
        (limits(nano_cpus=1, cpu_period_us=5000), "CPU Period"),
        (limits(cpu_period_us=999), "period"),
        (limits(cpu_quota_us=999), "quota"),
        (limits(cpu_shares=-1), "shares"),
        (limits(cpuset_cpus="0-"), "cpuset cpus"),
        (limits(cpuset_cpus="1-0"), "cpuset cpus"),
        (limits(cpuset_cpus="0,9"), "available"),
        (limits(cpuset_mems="x"), "cpuset mems"),
        (limits(pids=-2), "PidsLimit"),
        ({"mounts": Mounts(shm_size_bytes=-1)}, "SHM"),
        (bind("a"), "absolute"),
        (bind("/"), "'/'"),
        (bind("/a/.."), "'/'"),
        (bind("/proc"), "/proc"),
        (bind("/x/../proc/self"), "/proc"),
        (bind("/a\nb"), "mount path"),
        (bind("/a", "b"), "absolute"),
        (bind(propagation="wide"), "propagation"),
        ({"mounts": Mounts((Mount(MountKind.VOLUME, "/a", source="../x"),))}, "volume name"),
        ({"mounts": Mounts((Mount(MountKind.VOLUME, "/a", source=LONG_NAME),))}, "volume name"),
        ({"mounts": Mounts((Mount(MountKind.VOLUME, f"/a/{LONG_NAME}"),))}, "mount target"),
        ({"mounts": Mounts((Mount(MountKind.TMPFS, f"/{LONG_NAME}/a"),))}, "mount target"),
        ({"mounts": Mounts((Mount(MountKind.TMPFS, "/a" * 3000),))}, "mount target"),
        (bind(source=f"/{LONG_NAME}"), "mount source"),
        (bind(source=f"/{'ü' * 128}"), "mount source"),
        ({"mounts": Mounts((Mount(MountKind.TMPFS, "/a", source="/x"),))}, "source"),
        (tmpfs("bind"), "bind"),
        (tmpfs("size=lots"), "size"),
        (tmpfs("context=x"), "context"),
        (tmpfs("exec,suid"), "tmpfs"),
        (tmpfs("uid=4294967295"), "uid"),  # the kernel's own for "none"
        (tmpfs("nr_inodes=99999999999999g"), "nr_inodes"),
        (tmpfs("nr_blocks=999999999999999g"), "nr_blocks"),
        (tmpfs("size=999999999999999g"), "size"),
        (tmpfs("mpol=default,huge=always"), "mpol"),
        (tmpfs("mpol=bind"), "mpol"),
        (tmpfs("mpol=local:0"), "mpol"),
        (tmpfs("mpol"), "mpol"),
        (tmpfs("dirsync=1"), "dirsync"),
        (tmpfs(tmpfs_mode=0o10000), "mode"),
        (tmpfs(tmpfs_size_bytes=-1), "size"),
        ({"security": Security(cap_add=("NOPE",))}, "CapAdd"),
        ({"security": Security(cap_drop=("CAP_NOPE",))}, "CapDrop"),
        ({"security": Security(seccomp="{")}, "seccomp"),
        ({"security": Security(seccomp="[]")}, "seccomp"),
        ({"security": Security(apparmor="a b")}, "apparmor"),
        ({"security": Security(masked_paths=("etc",))}, "MaskedPaths"),
        ({"security": Security(read_only_paths=("/a/../b",))}, "ReadonlyPaths"),
        ({"security": Security(supplementary_groups=("-1",))}, "GroupAdd"),
        ({"security": Security(supplementary_groups=("",))}, "GroupAdd"),
        (network(ports=(PortRequest(0),)), "PortBindings"),
        (network(ports=(PortRequest(65536),)), "PortBindings"),
        (network(ports=(PortRequest(80, host_port_first=10, host_port_last=9),)), "PortBindings"),
        (network(ports=(PortRequest(80, host_port_first=1, host_port_last=65536),)), "PortBindings"),
        (network(ports=(PortRequest(80, host_ip="1.2.3"),)), "PortBindings"),
        (network(exposed=("0/tcp",)), "ExposedPorts"),
        (network(exposed=("80/icmp",)), "ExposedPorts"),
        (network(exposed=("90-80",)), "ExposedPorts"),
        (network(dns_servers=("dns",)), "Dns"),
        (network(dns_search=("a b",)), "DnsSearch"),
        (network(dns_options=("a\nb",)), "DnsOptions"),
        (network(aliases=("a\nb",)), "Aliases"),
        (network(extra_hosts=("x",)), "add-host"),
        (network(extra_hosts=("x:1.2.3",)), "ExtraHosts"),
        (network(extra_hosts=("x:1.2.3.4\n5.6.7.8 y",)), "ExtraHosts"),
        (network(extra_hosts=("x\n1.2.3.4 y:1.2.3.4",)), "add-host"),
        (network(mac_address="02:42"), "MacAddress"),
        (network(mode="host", mac_address="02:42:ac:11:00:02"), "mac-address"),
        ({"logging": Logging(options={"max-size": "0"})}, "max-size"),
        ({"logging": Logging(options={"max-size": "10x"})}, "max-size"),
        ({"logging": Logging(options={"max-file": "0"})}, "max-file"),
        ({"logging": Logging(options={"nope": "1"})}, "nope"),
        ({"logging": Logging(LogDriver.NONE, options={"max-size": "1m"})}, "max-size"),
        ({"lifecycle": Lifecycle(init=True, init_program="init")}, "init_path"),
        ({"lifecycle": Lifecycle(monitor_pid_file="pid")}, "conmon_pid_file"),
        ({"lifecycle": Lifecycle(restart=RestartPolicy("sometimes"))}, "restart policy"),
        ({"lifecycle": Lifecycle(restart=RestartPolicy("on-failure", -1))}, "retry"),
        ({"lifecycle": Lifecycle(restart=RestartPolicy("always", 3))}, "retry"),
        ({"lifecycle": Lifecycle(auto_remove=True, restart=RestartPolicy("always"))}, "AutoRemove"),
        (health(interval_ns=1), "Interval"),
        (health(retries=-1), "Retries"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name(options: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        validated(**options)
    assert word in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        process(env=("CERT=-----BEGIN\nEND-----", "EMPTY=", "a.b-c=1")),
        process(user="1000:1000"),
        process(user="www-data"),
        process(user="root:"),
        process(user=":root"),
        process(user=":"),  # "${UID}:${GID}" of a compose file, where the shell has none of the two
        process(user="2147483647"),
        process(working_dir="/proc/self"),
        process(stop_signal="RTMIN+3"),
        {"identity": Identity(hostname="a.b-c_d")},
        limits(memory_bytes=64 * MIB, memory_swap_bytes=-1),
        limits(nano_cpus=2_000_000_000, cpuset_cpus="0-1,1", pids=-1),
        bind("/sys/x", propagation="rshared"),
        tmpfs("rw", "noexec", "size=10%", "mode=1777", "uid=0"),
        tmpfs("uid=4294967294", "nr_inodes=9g", "mpol=interleave=static:0-1,3", "dirsync", "unbindable", "defaults"),
        {"security": Security(seccomp='{"defaultAction": "SCMP_ACT_ALLOW"}', apparmor="unconfined")},
        network(extra_hosts=("a:1.2.3.4", "b:host-gateway", "c:::1"), dns_search=(".",)),
        {"logging": Logging(options={"max-size": "-1", "max-file": "3"})},
        health(test=("NONE",)),
    ],
    ids=str,
)
def test_what_can_be_is_taken(options: dict[str, Any]) -> None:
    validated(**options)


def test_a_capability_is_kept_once_as_it_was_spelled_first() -> None:
    security = validated(security=Security(cap_add=("net_admin", "CAP_NET_ADMIN", "all"))).security
    assert security.cap_add == ("net_admin", "all")
    assert [full_name(name) for name in security.cap_add] == ["CAP_NET_ADMIN", "ALL"]


def test_a_flag_of_a_mount_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="mount options: size=1"):
        validated(**bind(source="/s", flags=("nosuid", "size=1")))
    assert validated(**bind(source="/s", flags=("nosuid", "exec"))).mounts.mounts[0].flags == ("nosuid", "exec")


def test_ranges_of_exposed_ports_are_single_ports_and_published_ones_are_exposed() -> None:
    exposed = validated(**network(exposed=("8000-8001", "53/UDP"), ports=(PortRequest(80),))).network.exposed
    assert exposed == ("8000/tcp", "8001/tcp", "53/udp", "80/tcp")


def test_targets_are_clean() -> None:
    (mount,) = validated(**bind("//a/./b/", "//c/")).mounts.mounts
    assert (mount.target, mount.source) == ("/a/b", "/c")


@pytest.mark.parametrize(
    ("text", "size"),
    [("10m", 10_000_000), ("1k", 1000), ("1.5G", 1_500_000_000), ("7", 7), ("10MB", 10_000_000), ("-1", -1)],
)
def test_the_size_of_a_log_is_in_decimal_units(text: str, size: int) -> None:
    assert validated(logging=Logging(options={"max-size": text})).logging.max_size_bytes == size


def test_zero_is_no_limit() -> None:
    unlimited = validated(**limits(memory_bytes=0, memory_swap_bytes=0, pids=0, memory_swappiness=-1)).limits
    assert unlimited == Limits()
    assert validated(mounts=Mounts(shm_size_bytes=0)).mounts.shm_size_bytes == 64 * MIB


@pytest.mark.parametrize(
    ("text", "number"),
    [("TERM", 15), ("SIGTERM", 15), ("sigterm", 15), ("9", 9), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-1", 63)],
)
def test_signals_have_names_and_numbers(text: str, number: int) -> None:
    assert signal_number(text) == number


@pytest.mark.parametrize("text", ["", "SIG", "0", "65", "-1", "RTMIN+31", "RTMAX+1", "RTMIN-1", "9999", "TERM\n1", "٩"])
def test_other_words_are_no_signals(text: str) -> None:
    with pytest.raises(InvalidSignal):
        signal_number(text)


def test_a_signal_is_shown_by_its_name() -> None:
    assert (signal_name(15), signal_name(36)) == ("SIGTERM", "36")


def test_only_the_steps_of_the_table_are_legal() -> None:
    container = Container("a" * 64, "box", NOON, "b" * 64, "busybox", ContainerOptions())
    for before in State:
        for after in State:
            one = replace(container, state=before)
            if after in TRANSITIONS[before]:
                assert one.become(after).state is after
            else:
                with pytest.raises(IllegalTransition):
                    one.become(after)


def test_nothing_comes_after_removing_and_what_runs_is_not_removed() -> None:
    assert TRANSITIONS[State.REMOVING] == frozenset()
    assert State.REMOVING not in TRANSITIONS[State.RUNNING]
