"""What this machine is: the rules by which it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from apiserver.config.host import CgroupMode, Hierarchy, cgroups, read_host
from apiserver.config.host.capabilities import ALL, bounding_set, from_mask, normalized
from apiserver.config.host.mountinfo import mounts, mounts_under
from apiserver.config.host.programs import (
    VersionCache,
    choose_runtime,
    parse_version,
    unusable_runtimes,
    version_numbers,
    which,
)

BOTH = {"crun": Path("/usr/bin/crun"), "runc": Path("/usr/sbin/runc")}
HUGETLB = frozenset({"hugetlb"})
NONE: frozenset[str] = frozenset()

HYBRID = """\
28 23 0:26 / {root} rw,relatime - tmpfs tmpfs rw,mode=755
29 28 0:27 / {root}/memory rw,relatime - cgroup cgroup rw,memory
30 28 0:28 / {root}/systemd ro,relatime - cgroup cgroup rw,name=systemd
31 28 0:29 / {root}/unified rw,relatime - cgroup2 cgroup2 rw
"""


def test_a_hybrid_machine_has_v1_trees_and_cgroup2_beside_them(tmp_path: Path) -> None:
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified/cgroup.controllers").write_text("hugetlb\n")
    trees = cgroups.find_hierarchies(mounts(HYBRID.format(root=tmp_path)), tmp_path)
    assert cgroups.mode(trees) is CgroupMode.HYBRID
    assert trees == (
        Hierarchy(tmp_path / "memory", frozenset({"memory"}), 1),
        Hierarchy(tmp_path / "systemd", NONE, 1, writable=False),
        Hierarchy(tmp_path / "unified", HUGETLB, 2),
    )
    assert cgroups.controllers(trees) == {"memory", "hugetlb"}
    assert cgroups.controllers(trees, 2) == HUGETLB


NOT_CRUN = {"crun": "it refuses"}


def test_v1_alone_is_legacy_and_cgroup2_alone_unified() -> None:
    one, two = Hierarchy(Path("/a"), NONE, 1), Hierarchy(Path("/b"), NONE, 2)
    assert (cgroups.mode([one]), cgroups.mode([two])) == (CgroupMode.LEGACY, CgroupMode.UNIFIED)


def test_a_tree_that_is_mounted_over_does_not_count(tmp_path: Path) -> None:
    text = f"1 0 0:1 / {tmp_path} rw - cgroup2 none rw\n2 1 0:2 / {tmp_path} rw - tmpfs none rw\n"
    assert cgroups.find_hierarchies(mounts(text), tmp_path) == ()


@pytest.mark.parametrize(
    ("mode", "unified", "may_lock_memory", "refused"),
    [
        (CgroupMode.UNIFIED, HUGETLB, True, set()),
        (CgroupMode.UNIFIED, HUGETLB, False, {"crun"}),
        (CgroupMode.LEGACY, NONE, False, set()),
        (CgroupMode.HYBRID, NONE, False, set()),
        (CgroupMode.HYBRID, HUGETLB, True, {"crun"}),
    ],
)
def test_crun_refuses_some_hierarchies_and_runc_none(
    mode: CgroupMode, unified: frozenset[str], may_lock_memory: bool, refused: set[str]
) -> None:
    assert unusable_runtimes(mode, unified, may_lock_memory=may_lock_memory).keys() == refused


@pytest.mark.parametrize(
    ("unusable", "configured", "chosen"),
    [({}, None, "crun"), (NOT_CRUN, None, "runc"), (NOT_CRUN, "crun", "crun"), ({}, "youki", None)],
)
def test_crun_is_chosen_where_it_works(unusable: dict[str, str], configured: str | None, chosen: str | None) -> None:
    assert choose_runtime(BOTH, unusable, configured) == chosen


def test_without_a_runtime_that_works_none_is_chosen() -> None:
    assert choose_runtime({}, {}) is None
    assert choose_runtime({"crun": BOTH["crun"]}, NOT_CRUN) is None
    assert choose_runtime({"runc": BOTH["runc"]}, {}) == "runc"


def test_mounts_below_a_directory_come_in_the_order_to_unmount_them() -> None:
    text = """1 0 0:1 / /a rw - tmpfs t rw
2 1 0:1 / /a/b\\040c rw,nosuid - tmpfs t rw,size=1k
3 0 0:1 /sub /ab rw - tmpfs t rw
"""
    found = mounts_under(Path("/a"), text)
    assert [str(mount.target) for mount in found] == ["/a/b c", "/a"]
    assert found[0].options == {"rw", "nosuid"}
    assert mounts(text)[2].root == "/sub"


def test_optional_fields_of_a_mount_are_passed_over() -> None:
    (mount,) = mounts("1 0 0:1 / /a rw shared:5 master:3 - ext4 /dev/vda rw\n")
    assert (mount.fstype, mount.source) == ("ext4", "/dev/vda")


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("crun version 1.8.1\ncommit: f8a0\n", "1.8.1"),
        ("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1", "1.1.5+ds1"),
        ("iptables v1.8.9 (nf_tables)", "1.8.9"),
        ("tini version 0.1.7_catatonit", "0.1.7"),
        ("tar (GNU tar) 1.34", "1.34"),
        ("", None),
    ],
)
def test_a_version_is_found_in_what_a_program_says(output: str, version: str | None) -> None:
    assert parse_version(output) == version


def test_versions_compare_by_their_numbers() -> None:
    assert version_numbers("1.10.0") > version_numbers("1.9.3+ds1")
    assert version_numbers("1.1.5+ds1") == (1, 1, 5)


def test_a_version_is_known_until_the_file_is_replaced(tmp_path: Path) -> None:
    program = tmp_path / "crun"
    program.write_text("old")
    VersionCache(tmp_path / "versions").put({program: "1.0"})
    assert VersionCache(tmp_path / "versions").get(program) == "1.0"
    program.write_text("newer")
    assert VersionCache(tmp_path / "versions").get(program) is None


@pytest.mark.parametrize("text", ["", "[1]", "{broken"])
def test_a_broken_cache_is_written_anew(tmp_path: Path, text: str) -> None:
    file = tmp_path / "versions"
    file.write_text(text)
    cache = VersionCache(file)
    cache.put({file: "1"})
    assert VersionCache(tmp_path / "versions").get(tmp_path / "missing") is None


def test_a_program_is_found_only_where_it_can_be_executed(tmp_path: Path) -> None:
    (tmp_path / "plain").touch(0o644)
    (tmp_path / "good").touch(0o755)
    (tmp_path / "dir").mkdir()
    path = [str(tmp_path)]
    assert which("good", path) == tmp_path / "good"
    assert which(str(tmp_path / "good"), []) == tmp_path / "good"
    assert [which(name, path) for name in ("plain", "dir", "none")] == [None, None, None]


def test_capabilities_have_the_kernels_numbers() -> None:
    assert (ALL[0], ALL[12], ALL[21], ALL[40]) == (
        "CAP_CHOWN",
        "CAP_NET_ADMIN",
        "CAP_SYS_ADMIN",
        "CAP_CHECKPOINT_RESTORE",
    )
    assert from_mask(1 << 21 | 1 | 1 << 60) == ("CAP_CHOWN", "CAP_SYS_ADMIN")


def test_a_capability_may_be_written_in_four_ways() -> None:
    assert {normalized(name) for name in ("net_admin", "NET_ADMIN", "cap_net_admin", "CAP_NET_ADMIN")} == {
        "CAP_NET_ADMIN"
    }
    assert normalized("ALL") is None
    assert normalized("") is None


def test_the_bounding_set_is_read_from_the_process(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tx\nCapBnd:\t0000000000200001\n")
    assert bounding_set(tmp_path / "status") == ("CAP_CHOWN", "CAP_SYS_ADMIN")


def test_this_machine_can_be_read() -> None:
    host = read_host()
    assert (host.uid, host.kernel) == (os.geteuid(), os.uname().release)
    assert host.boot_id
    assert host.memory_bytes > 0
    assert set(host.runtimes) <= {"crun", "runc"}


def test_a_machine_without_programs_has_no_runtime() -> None:
    host = read_host(search_path=["/nonexistent"])
    assert (host.default_runtime, dict(host.programs), host.apparmor) == (None, {}, False)
