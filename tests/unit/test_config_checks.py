"""What `apiserver check` says."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from apiserver.cli.check import lines
from apiserver.config.checks import Check, Result, checks, containers_can_run
from apiserver.config.host import Hierarchy, Host
from apiserver.config.host.programs import PACKAGES

UNIFIED = Hierarchy(Path("/sys/fs/cgroup"), frozenset({"cpu", "memory", "pids", "io", "cpuset"}), 2)
HYBRID = (Hierarchy(Path("/v1"), UNIFIED.controllers | {"blkio"}, 1), Hierarchy(Path("/v2"), frozenset({"hugetlb"}), 2))

GOOD = Host(
    uid=0,
    name="host",
    operating_system="Debian",
    machine="x86_64",
    kernel="6.1.0",
    kernel_version=(6, 1),
    boot_id="boot",
    memory_bytes=1 << 30,
    processors=2,
    hierarchies=(UNIFIED,),
    programs={name: Path("/usr/bin", name) for name in PACKAGES},
    default_runtime="crun",
    unusable_runtimes={},
    overlay=True,
    seccomp=True,
    seccomp_profile=Path("/usr/share/containers/seccomp.json"),
    apparmor=True,
    capabilities=("CAP_SYS_ADMIN",),
    open_files=(20000, 20000),
    processes=(-1, -1),
    systemd=True,
    journal=Path("/"),
    system_bus=Path("/"),
)


def without(*names: str) -> Host:
    return replace(GOOD, programs={name: path for name, path in GOOD.programs.items() if name not in names})


def test_nothing_is_wrong_with_a_good_machine() -> None:
    assert {check.result for check in checks(GOOD, {"crun": "1.28", "runc": "1.3.6"})} == {Result.OK}


@pytest.mark.parametrize(
    ("host", "item", "advice"),
    [
        (replace(GOOD, uid=1000), "user", "root"),
        (replace(GOOD, capabilities=()), "user", "capability"),
        (replace(GOOD, hierarchies=()), "cgroups", "mount -t cgroup2"),
        (replace(GOOD, hierarchies=(replace(UNIFIED, writable=False),)), "cgroups", "read-write"),
        (replace(without("crun", "runc"), default_runtime=None), "OCI runtime", "apt-get install crun"),
        (
            replace(without("runc"), default_runtime=None, unusable_runtimes={"crun": "no"}),
            "OCI runtime",
            "apt-get install runc",
        ),
        (replace(GOOD, default_runtime=None), "OCI runtime", "choose one of these"),
        (without("conmon"), "conmon", "apt-get install conmon"),
        (without("unshare"), "unshare", "apt-get install util-linux"),
        (replace(GOOD, overlay=False), "overlay", "modprobe"),
    ],
)
def test_containers_cannot_run_without_what_is_necessary(host: Host, item: str, advice: str) -> None:
    results = checks(host, {})
    assert not containers_can_run(results)
    (failed,) = [check for check in results if check.result is Result.FAILED]
    assert failed.item == item
    assert advice in failed.advice


@pytest.mark.parametrize(
    ("host", "item", "advice"),
    [
        (without("skopeo"), "skopeo", "apt-get install skopeo"),
        (without("aardvark-dns"), "aardvark-dns", "apt-get install aardvark-dns"),
        (without("nft", "iptables"), "firewall", "apt-get install nftables"),
        (replace(GOOD, hierarchies=(Hierarchy(Path("/"), frozenset({"memory"}), 2),)), "limits", "kernel"),
        (replace(GOOD, seccomp_profile=None), "seccomp", "golang-github-containers-common"),
        (replace(GOOD, seccomp=False), "seccomp", ""),
        (replace(GOOD, apparmor=False), "apparmor", ""),
        (replace(GOOD, open_files=(1024, 1024)), "rlimits", "raise"),
        (replace(GOOD, systemd=False), "systemd", ""),
        (replace(GOOD, system_bus=None), "D-Bus", "apt-get install dbus"),
        (replace(GOOD, journal=None), "journal", ""),
    ],
)
def test_what_one_can_do_without_is_only_reported(host: Host, item: str, advice: str) -> None:
    results = checks(host, {})
    assert containers_can_run(results)
    (missing,) = [check for check in results if check.result is Result.MISSING]
    assert missing.item == item
    assert advice in missing.advice


def test_an_old_netavark_needs_iptables() -> None:
    results = checks(without("iptables"), {"netavark": "1.4.0"})
    assert [check.item for check in results if check.result is Result.MISSING] == ["firewall"]


@pytest.mark.parametrize(
    ("versions", "warned"),
    [
        ({"runc": "1.1.5+ds1"}, True),
        ({"runc": "1.3.2"}, True),
        ({"runc": "1.3.6"}, False),
        ({"crun": "1.21"}, True),
        ({"crun": "1.28"}, False),
        ({"aardvark-dns": "1.17.0"}, True),
        ({"aardvark-dns": "1.4.0"}, False),
    ],
)
def test_versions_with_known_faults_are_warned_of(versions: dict[str, str], warned: bool) -> None:
    results = checks(GOOD, versions)
    assert any(check.result is Result.WARNING for check in results) is warned
    assert containers_can_run(results)


def test_advice_has_a_line_of_its_own_where_something_is_wrong() -> None:
    rows = [Check("a", Result.OK, "fine", "unused"), Check("long", Result.FAILED, "gone", "install it")]
    assert lines(rows) == ["a     ok       fine", "long  FAILED   gone", "               -> install it"]
