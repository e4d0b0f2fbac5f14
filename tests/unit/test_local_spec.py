"""The OCI configuration from options: pure parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from apiserver.engine.containers.options import (
    ContainerOptions,
    Identity,
    Limits,
    Mounts,
    Namespaces,
    Network,
    Security,
)
from apiserver.engine.containers.options.mounts import Mount, MountKind
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.errors import InvalidParameter
from apiserver.local.runs.spec import devices, identity, limits, mounts, namespaces, process, security, users
from apiserver.local.runs.spec.limits import Acting
from apiserver.local.runs.spec.tmpfs import tmpfs_options
from apiserver.local.runs.spec.users import User

PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\nbad\nodd:x:01:1::/o:/\n"
GROUP = b"root:x:0:\nstaff:x:50:app,other\nextra:x:2000:\n"
ALL = Acting(frozenset({"memory", "swap", "cpu", "cpuset", "pids", "swappiness", "oom-disable"}))
AVAILABLE = ("CAP_CHOWN", "CAP_KILL", "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SETFCAP")


# users


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("", User(0, 0, (0,), "/root")),
        ("app", User(1000, 1001, (1001, 50), "/home/app")),
        ("1000", User(1000, 1001, (1001, 50), "/home/app")),
        ("app:extra", User(1000, 2000, (2000,), "/home/app")),
        ("77", User(77, 0, (0,), "/")),
        ("77:88", User(77, 88, (88,), "/")),
        ("2147483647", User(2147483647, 0, (0,), "/")),
        ("app:", User(1000, 1001, (1001, 50), "/home/app")),
        (":extra", User(0, 2000, (2000,), "/root")),
        (":", User(0, 0, (0,), "/root")),
    ],
)
def test_users_are_those_of_the_containers_files(text: str, user: User) -> None:
    assert users.resolve(text, (), PASSWD, GROUP) == user


@pytest.mark.parametrize(
    "text",
    [
        "4294967296",
        "2147483648",
        "-1",
        "+1",
        "01000",
        "0x0",
        "root\n",
        "a b",
        "app:-1",
        "app::",
        "app:nope",
        "a:b:c",
        "1:00",
    ],
)
def test_what_could_become_another_user_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        users.resolve(text, (), PASSWD, GROUP)


def test_an_unknown_user_is_refused_in_dockers_words() -> None:
    with pytest.raises(InvalidParameter, match="unable to find user x: no matching entries in passwd file"):
        users.resolve("x", (), PASSWD, GROUP)
    with pytest.raises(InvalidParameter, match="unable to find group y: no matching entries in group file"):
        users.resolve("0", ("y",), PASSWD, GROUP)


def test_a_user_without_a_passwd_file_is_still_a_number() -> None:
    assert users.resolve("", ("3",), b"", b"") == User(0, 0, (0, 3), "/")


def test_a_home_that_is_no_plain_path_is_not_used() -> None:
    assert users.resolve("a", (), b"a:x:1:1::/h\x01:/\n", b"").home == "/"


@given(st.text(max_size=30), st.binary(max_size=200), st.binary(max_size=200))
def test_any_user_text_and_any_files_give_a_user_in_range_or_a_refusal(text: str, passwd: bytes, group: bytes) -> None:
    try:
        user = users.resolve(text, (), passwd, group)
    except InvalidParameter:
        return
    assert 0 <= user.uid <= users.ID_MAX
    assert all(0 <= gid <= users.ID_MAX for gid in (user.gid, *user.groups))


# process


def test_the_environment_has_defaults_below_what_was_asked() -> None:
    env = process.environment(["A=1", "PATH=/x", "A=2"], hostname="h", terminal=True, home="/h")
    assert env == ["PATH=/x", "HOSTNAME=h", "TERM=xterm", "A=2", "HOME=/h"]
    assert "HOME=/own" in process.environment(["HOME=/own"], hostname="h", terminal=False, home="/h")
    assert "TERM=xterm" not in process.environment(["TERM"], hostname="h", terminal=True, home="/h")


@pytest.mark.parametrize("variable", ["=x", "A\n=1", "A=\0", "HOME=/x\ny"])
def test_variables_that_could_inject_are_refused(variable: str) -> None:
    with pytest.raises(InvalidParameter):
        process.environment([variable], hostname="h", terminal=False, home="/")


def test_a_value_of_several_lines_is_a_certificate_and_stays() -> None:
    assert "KEY=a\nb" in process.environment(["KEY=a\nb"], hostname="h", terminal=False, home="/")


@pytest.mark.parametrize("path", ["x", "/a\nb", "/proc/self/fd/3", "/a/../proc/1/cwd", "//proc/self"])
def test_working_directories_that_are_refused(path: str) -> None:
    with pytest.raises(InvalidParameter):
        process.working_dir(path)


@given(st.lists(st.sampled_from(["a", "..", ".", "", "b"])).map(lambda parts: "/" + "/".join(parts)))
def test_a_cleaned_path_has_no_dots_and_no_double_slash(path: str) -> None:
    assert not set(process.cleaned(path).split("/")[1:]) & {".."}
    assert process.cleaned(process.cleaned(path)) == process.cleaned(path)


def test_nothing_to_run_is_refused() -> None:
    for argv in ((), ("",), ("a\0b",)):
        with pytest.raises(InvalidParameter):
            process.arguments(argv)


# identity and namespaces


@pytest.mark.parametrize("name", ["a\nb", "a b", "-a", "a..b", "x" * 65, "a/b"])
def test_host_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(InvalidParameter):
        identity.hostname(ContainerOptions(identity=Identity(hostname=name)), "0" * 64, "host")


def test_the_host_name_is_the_short_id_or_the_hosts() -> None:
    own = "0123456789abcdef" * 4
    assert identity.hostname(ContainerOptions(), own, "host") == "0123456789ab"
    assert identity.hostname(ContainerOptions(namespaces=Namespaces(uts=Namespace.HOST)), own, "host") == "host"
    assert identity.hostname(ContainerOptions(Identity(hostname="named")), own, "host") == "named"


def test_the_cgroup_namespace_is_private_on_a_unified_machine() -> None:
    assert namespaces.private_cgroup(Namespaces(), unified=True)
    assert not namespaces.private_cgroup(Namespaces(), unified=False)
    assert namespaces.private_cgroup(Namespaces(cgroup=Namespace.PRIVATE), unified=False)


def test_a_bridged_run_joins_the_namespace_that_was_made_for_it() -> None:
    found = namespaces.entries(Namespaces(), Network(), unified=False, network_namespace="/run/n")
    assert {"type": "network", "path": "/run/n"} in found


# limits


def test_a_limit_whose_controller_is_absent_is_left_out_with_a_warning() -> None:
    asked = Limits(memory_bytes=1 << 20, nano_cpus=10, pids=3, cpu_shares=2, cpuset_cpus="0")
    nothing = Acting(frozenset())
    assert limits.resources(asked, nothing) == {}
    assert len(limits.warnings(asked, nothing)) == 5
    assert limits.warnings(asked, ALL) == ()


def test_no_oom_killer_without_a_limit_is_warned_of_in_dockers_words() -> None:
    asked = Limits(oom_kill_disable=True)
    (words,) = limits.warnings(asked, ALL)
    assert words.startswith("OOM killer is disabled for the container, but no memory limit is set")
    assert limits.warnings(replace(asked, memory_bytes=1 << 30), ALL) == ()
    (words,) = limits.warnings(asked, Acting(ALL.kinds - {"oom-disable"}))
    assert "does not support OomKillDisable" in words


def test_memory_alone_allows_as_much_swap_and_minus_one_is_unlimited() -> None:
    assert limits.resources(Limits(memory_bytes=100), ALL)["memory"] == {"limit": 100, "swap": 200}
    unlimited = limits.resources(Limits(memory_bytes=100, memory_swap_bytes=-1), ALL)
    assert unlimited["memory"] == {"limit": 100, "swap": -1}
    assert limits.resources(Limits(memory_bytes=100), Acting(frozenset({"memory"})))["memory"] == {"limit": 100}


def test_processors_become_a_quota_that_the_kernel_takes() -> None:
    assert limits.resources(Limits(nano_cpus=1_500_000_000), ALL)["cpu"] == {"period": 100_000, "quota": 150_000}
    assert limits.resources(Limits(nano_cpus=1), ALL)["cpu"] == {"period": 100_000, "quota": 1000}


def test_the_oom_score_is_not_lowered_without_the_right_to() -> None:
    assert limits.oom_score_adj(Limits(oom_score_adj=-500), 0, may_lower=False) == 0
    assert limits.oom_score_adj(Limits(oom_score_adj=-500), 0, may_lower=True) == -500
    assert limits.oom_score_adj(Limits(), 0, may_lower=True) is None


# security


def test_capabilities_never_exceed_what_the_service_has() -> None:
    assert security.capabilities(Security(), AVAILABLE) == ["CAP_CHOWN", "CAP_KILL", "CAP_SETFCAP"]
    assert security.capabilities(Security(privileged=True), AVAILABLE) == list(AVAILABLE)
    assert security.clamped(Security(cap_add=("CAP_SYS_TIME", "CAP_KILL")), AVAILABLE) == ("CAP_SYS_TIME",)


def test_all_is_a_capability_to_add_or_drop() -> None:
    assert security.capabilities(Security(cap_drop=("ALL",), cap_add=("kill",)), AVAILABLE) == ["CAP_KILL"]
    assert security.capabilities(Security(cap_add=("ALL",), cap_drop=("CHOWN",)), AVAILABLE) == list(AVAILABLE[1:])


def test_a_capability_that_is_added_and_dropped_by_name_is_there() -> None:
    both = Security(cap_add=("KILL",), cap_drop=("kill", "CHOWN"))
    assert security.capabilities(both, AVAILABLE) == ["CAP_KILL", "CAP_SETFCAP"]


def test_the_inheritable_set_is_empty_and_a_plain_user_holds_nothing() -> None:
    root, other = security.capability_sets(["CAP_KILL"], 0), security.capability_sets(["CAP_KILL"], 5)
    assert (root["inheritable"], root["ambient"], root["effective"]) == ([], [], ["CAP_KILL"])
    assert (other["bounding"], other["effective"], other["permitted"]) == (["CAP_KILL"], [], [])


def test_a_plain_user_holds_what_is_added_by_name_where_that_is_so() -> None:
    added = Security(cap_add=("kill",), users_hold_added=True)
    assert security.held_by_users(added, AVAILABLE) == ["CAP_KILL"]
    assert security.held_by_users(Security(cap_add=("kill",)), AVAILABLE) == []
    assert security.held_by_users(Security(users_hold_added=True, privileged=True), AVAILABLE) == []
    but_one = Security(cap_add=("ALL",), cap_drop=("CHOWN",), users_hold_added=True)
    assert security.held_by_users(but_one, AVAILABLE) == list(AVAILABLE[1:])
    user = security.capability_sets(["CAP_CHOWN", "CAP_KILL"], 5, ["CAP_KILL"])
    assert user.pop("bounding") == ["CAP_CHOWN", "CAP_KILL"]
    assert user == {key: ["CAP_KILL"] for key in ("effective", "permitted", "inheritable", "ambient")}
    assert security.capability_sets(["CAP_KILL"], 0, ["CAP_KILL"])["ambient"] == []


def test_the_masked_list_has_the_newest_side_channels() -> None:
    found = security.masked_paths(Security(), ["/sys/devices/system/cpu/cpu0/thermal_throttle"])
    for path in ("/proc/interrupts", "/sys/devices/virtual/powercap", "/sys/devices/system/cpu/cpu0/thermal_throttle"):
        assert path in found
    assert security.masked_paths(Security(privileged=True), []) == []
    assert security.masked_paths(Security(masked_paths=()), ["/x"]) == []


def test_single_paths_can_be_masked_and_unmasked() -> None:
    default = security.masked_paths(Security(), [])
    assert security.masked_paths(Security(mask=("/a", "/proc/keys")), []) == [*default, "/a"]
    assert security.masked_paths(Security(mask=("/a",), privileged=True), []) == ["/a"]
    assert security.masked_paths(Security(unmask=("/proc/k*", "/sys/*"), mask=("/a",)), []) == [
        *(path for path in default if path not in ("/proc/kcore", "/proc/keys", "/sys/firmware")),
        "/a",
    ]
    assert security.masked_paths(Security(unmask=("all",)), []) == []
    assert security.read_only_paths(Security(unmask=("ALL",))) == []
    assert "/proc/sys" not in security.read_only_paths(Security(unmask=("/proc/sys",)))


def test_a_bind_is_with_what_is_mounted_below_it_unless_asked_otherwise() -> None:
    binds = tuple(
        Mount(MountKind.BIND, target, source="/s", read_only=True, recursive=recursive)
        for target, recursive in (("/a", True), ("/b", False))
    )
    whole, alone = mounts.asked_mounts(Mounts(binds), {}, recursive_read_only=True)
    assert (whole.options, alone.options) == (("rbind", "rprivate", "ro", "rro"), ("bind", "rprivate", "ro"))


def test_the_flags_of_a_mount_act_on_binds_and_volumes() -> None:
    asked = (
        Mount(MountKind.BIND, "/a", source="/s", flags=("nosuid", "noexec")),
        Mount(MountKind.VOLUME, "/b", source="v", flags=("nodev",), read_only=True),
    )
    bound, volume = mounts.asked_mounts(Mounts(asked), {"v": "/v"}, recursive_read_only=True)
    assert bound.options == ("rbind", "rprivate", "nosuid", "noexec", "rw")
    assert volume.options == ("rbind", "rprivate", "nodev", "ro")


def test_capabilities_are_given_however_they_are_spelled() -> None:
    asked = Security(cap_add=("net_admin",), cap_drop=("KILL", "cap_chown"))
    assert security.capabilities(asked, AVAILABLE) == ["CAP_NET_ADMIN", "CAP_SETFCAP"]


def test_a_profile_of_apparmor_is_used_only_where_it_is_loaded() -> None:
    loaded = frozenset({"docker-default", "mine"})
    assert security.apparmor_profile(Security(), None) == ""
    assert security.apparmor_profile(Security(), loaded) == "docker-default"
    assert security.apparmor_profile(Security(), frozenset()) == ""
    assert security.apparmor_profile(Security(apparmor="mine"), loaded) == "mine"
    assert security.apparmor_profile(Security(apparmor="unconfined"), loaded) == "unconfined"
    assert security.ignored_apparmor(Security(apparmor="mine"), loaded) == ""
    with pytest.raises(InvalidParameter, match="'other' is not loaded"):
        security.ignored_apparmor(Security(apparmor="other"), loaded)


@pytest.mark.parametrize("name", ["", "unconfined"])
def test_who_asks_for_no_profile_of_apparmor_by_name_needs_none(name: str) -> None:
    for strict in (False, True):
        asked = Security(apparmor=name, apparmor_or_nothing=strict)
        assert (security.ignored_apparmor(asked, None), security.apparmor_profile(asked, None)) == ("", "")


def test_without_apparmor_a_named_profile_is_refused_or_said_to_be_ignored() -> None:
    assert security.ignored_apparmor(Security(apparmor="mine"), None) == "mine"
    with pytest.raises(InvalidParameter, match='apparmor profile "mine" specified, but Apparmor is not enabled'):
        security.ignored_apparmor(Security(apparmor="mine", apparmor_or_nothing=True), None)


def test_devices_are_denied_before_any_is_allowed() -> None:
    assert devices.rules(privileged=False)[0] == {"allow": False, "access": "rwm"}
    assert devices.rules(privileged=True) == [{"allow": True, "access": "rwm"}]


# mounts


@pytest.mark.parametrize("target", ["/", "/proc", "/proc/x", "/a/../proc", "x", "/a\nb"])
def test_targets_that_are_refused(target: str) -> None:
    with pytest.raises(InvalidParameter):
        mounts.checked_target(target)


def test_mounts_are_sorted_so_that_parents_come_first_and_each_target_is_once() -> None:
    asked = Mounts((Mount(MountKind.TMPFS, "/a/b/c"), Mount(MountKind.TMPFS, "/a/"), Mount(MountKind.TMPFS, "/z/y")))
    found = mounts.asked_mounts(asked, {}, recursive_read_only=True)
    assert [mount.target for mount in found] == ["/a", "/z/y", "/a/b/c"]
    twice = Mounts((Mount(MountKind.TMPFS, "/a"), Mount(MountKind.TMPFS, "/a/")))
    with pytest.raises(InvalidParameter, match="Duplicate mount point"):
        mounts.asked_mounts(twice, {}, recursive_read_only=True)


def test_a_clients_mount_takes_the_place_of_ours() -> None:
    ours = mounts.kernel_mounts(Mounts(), privileged=False, ipc=Namespace.PRIVATE)
    asked = mounts.asked_mounts(Mounts((Mount(MountKind.TMPFS, "/dev/shm"),)), {}, recursive_read_only=True)
    merged = mounts.merged(ours, asked)
    assert [m.ours for m in merged if m.target == "/dev/shm"] == [False]


def test_a_shared_mount_needs_a_shared_root() -> None:
    def propagation(*kinds: str) -> str:
        binds = Mounts(tuple(Mount(MountKind.BIND, f"/{n}", "/s", propagation=kind) for n, kind in enumerate(kinds)))
        return mounts.rootfs_propagation(mounts.asked_mounts(binds, {}, recursive_read_only=True))

    assert propagation("rprivate") == "rprivate"
    assert propagation("rprivate", "rslave") == "rslave"
    assert propagation("rshared", "slave") == "shared"


def test_options_of_a_tmpfs_are_from_a_list() -> None:
    asked = Mount(MountKind.TMPFS, "/t", tmpfs_options=("exec", "uid=5", "size=1m"), tmpfs_size_bytes=7, read_only=True)
    assert tmpfs_options(asked) == ("nosuid", "nodev", "exec", "uid=5", "size=1m", "ro", "size=7")
    words = ("private", "defaults", "noatime", "dirsync", "mpol=bind:0", "atime", "rshared")
    assert tmpfs_options(Mount(MountKind.TMPFS, "/t", tmpfs_options=words)) == (
        *("noexec", "nosuid", "nodev", "rw", "dirsync", "mpol=bind:0", "atime", "rshared"),
    )
    for option in ("lowerdir=/x", "size=1;2", "bogus", "mode=9", ""):
        with pytest.raises(InvalidParameter):
            tmpfs_options(Mount(MountKind.TMPFS, "/t", tmpfs_options=(option,)))
