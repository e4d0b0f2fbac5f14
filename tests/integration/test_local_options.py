"""Each option of a container by its effect inside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from msgspec.structs import replace

from apiserver.drivers.linux.mounts import bind, unmount_now
from apiserver.engine.containers.options import Identity, Limits, Mounts, Namespaces, Network, Security
from apiserver.engine.containers.options.identity import DOCKERENV
from apiserver.engine.containers.options.mounts import Mount, MountKind, validated
from apiserver.engine.containers.options.namespaces import Namespace
from apiserver.engine.ports.runs import StartFailed
from apiserver.errors import HostError, InvalidParameter
from apiserver.local.runs.sources import NoSuchSource
from tests.integration.local_rig import rig
from tests.support.image_archive import Entry
from tests.support.local_runs import Rig, mounted, shell, unpack

__all__ = ["rig"]

HOST = Namespace.HOST


async def said(rig: Rig, script: str, **changes: Any) -> str:
    ran = await rig.run(shell(script, **changes))
    assert ran.code == 0, (ran.out, ran.err)
    return ran.text.strip()


# identity, environment, directory


@pytest_twisted.ensureDeferred
async def test_the_default_environment(rig: Rig) -> None:
    env = (await said(rig, "env")).splitlines()
    assert "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" in env
    assert "HOME=/root" in env
    assert f"HOSTNAME={rig.made[-1].key.container_id[:12]}" in env
    assert not any(line.startswith("TERM=") for line in env)


@pytest_twisted.ensureDeferred
async def test_a_terminal_has_a_term_and_its_size(rig: Rig) -> None:
    out = await said(rig, "echo $TERM; stty size; tty", process={"terminal": True, "console_size": (41, 97)})
    lines = out.replace("\r", "").splitlines()
    assert lines[0] == "xterm"
    assert lines[2].startswith("/dev/")
    if rig.host.default_runtime == "runc":  # crun 1.8.1 does not honour consoleSize: a resize does it
        assert lines[1] == "41 97"


@pytest_twisted.ensureDeferred
async def test_hostname_and_its_files(rig: Rig) -> None:
    script = "hostname; cat /etc/hostname; cat /etc/hosts"
    out = await said(rig, script, identity=Identity(hostname="box.example"))
    assert out.startswith("box.example\nbox.example\n127.0.0.1\tlocalhost\n")


@pytest_twisted.ensureDeferred
async def test_a_missing_working_directory_is_made(rig: Rig) -> None:
    assert await said(rig, "pwd", process={"working_dir": "/made/deep"}) == "/made/deep"


@pytest_twisted.ensureDeferred
async def test_a_working_directory_in_a_volume_is_made_in_the_volume(rig: Rig, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    mounts = mounted(Mount(MountKind.BIND, "/data", str(volume)))
    assert await said(rig, "pwd", mounts=mounts, process={"working_dir": "/data/sub"}) == "/data/sub"
    assert (volume / "sub").is_dir()


@pytest.mark.parametrize("path", ["/proc/self/fd/7", "/proc/self/cwd", "/x/../proc/self", "relative", "/a\nb"])
@pytest_twisted.ensureDeferred
async def test_a_working_directory_that_could_lead_outside_is_refused(rig: Rig, path: str) -> None:
    with pytest.raises(InvalidParameter):
        await rig.create(shell("true", process={"working_dir": path}))


@pytest_twisted.ensureDeferred
async def test_containerenv_says_who_it_is(rig: Rig) -> None:
    assert 'name="name"' in await said(rig, "cat /run/.containerenv")
    assert await said(rig, "ls -a / | grep dockerenv || readlink /etc/mtab") == "/proc/mounts"


@pytest_twisted.ensureDeferred
async def test_what_docker_looks_for_is_made_once_and_inside_alone(rig: Rig) -> None:
    marked = Identity(marker=DOCKERENV)
    assert await said(rig, "test -e /run/.containerenv || stat -c '%s %a' /.dockerenv", identity=marked) == "0 755"
    etc = Mounts(mounts=(Mount(MountKind.TMPFS, "/etc"),))
    assert await said(rig, "test -e /etc/mtab || echo none", identity=marked, mounts=etc) == "none"


# users


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("app", "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra) /home/app"),
        ("1000", "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra) /home/app"),
        ("app:daemon", "uid=1000(app) gid=1(daemon) groups=1(daemon) /home/app"),
        ("4321:77", "uid=4321 gid=77 groups=77 /"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_users_and_groups(rig: Rig, user: str, expected: str) -> None:
    assert await said(rig, "echo $(id) $HOME", process={"user": user}) == expected


@pytest_twisted.ensureDeferred
async def test_supplementary_groups_are_added(rig: Rig) -> None:
    security = Security(supplementary_groups=("extra", "77"))
    assert set((await said(rig, "id -G", security=security)).split()) == {"0", "2000", "77"}


@pytest.mark.parametrize("name", ["passwd", "group"])
@pytest.mark.parametrize("trap", ["fifo", "device", "1 GB"])
@pytest_twisted.ensureDeferred
async def test_a_passwd_that_is_a_trap_is_refused_at_once(rig: Rig, name: str, trap: str) -> None:
    file = rig.layers.directories[0] / "etc" / name
    file.unlink()
    if trap == "fifo":
        os.mkfifo(file)
    elif trap == "device":
        os.mknod(file, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    else:
        file.touch()
        os.truncate(file, 1 << 30)
    with pytest.raises(InvalidParameter, match=f"/etc/{name} is"):
        await rig.create(shell("true"))


@pytest_twisted.ensureDeferred
async def test_a_passwd_that_is_a_link_is_resolved_in_the_container(rig: Rig, tmp_path: Path) -> None:
    outside = tmp_path / "passwd"
    outside.write_text("spy:x:7:7::/:/bin/sh\n")
    passwd = rig.layers.directories[0] / "etc/passwd"
    passwd.unlink()
    passwd.symlink_to(outside)
    with pytest.raises(InvalidParameter, match="unable to find user spy: no matching entries in passwd file"):
        await rig.create(shell("true", process={"user": "spy"}))


NUMERIC = {"user": "4321", "adds_accounts": True}


@pytest_twisted.ensureDeferred
async def test_a_user_that_the_image_does_not_have_gets_one_line_and_the_image_stays_as_it_was(rig: Rig) -> None:
    etc = rig.layers.directories[0] / "etc"
    (etc / "passwd").write_bytes(b"root:x:0:0::/:/bin/sh")  # its last line has no end
    (etc / "group").unlink()
    for _ in range(2):
        assert await said(rig, "cat /etc/passwd /etc/group", process=NUMERIC) == (
            "root:x:0:0::/:/bin/sh\n4321:*:4321:0:container user:/:/bin/sh\n4321:x:4321:4321"
        )
    assert (etc / "passwd").read_bytes() == b"root:x:0:0::/:/bin/sh"
    assert not (etc / "group").exists()


@pytest_twisted.ensureDeferred
async def test_passwd_is_mounted_over_only_where_the_root_is_read_only(rig: Rig) -> None:
    """useradd puts a new file in its place, which is impossible where one is mounted."""
    script = "id -un; grep -c ' /etc/passwd ' /proc/mounts || :"
    for read_only, mounted_over in ((True, "1"), (False, "0")):
        mounts = Mounts(read_only_rootfs=read_only)
        assert await said(rig, script, process=NUMERIC, mounts=mounts) == f"4321\n{mounted_over}"


@pytest_twisted.ensureDeferred
async def test_no_line_is_written_to_what_the_client_mounts(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    mounts = Mounts(mounts=(Mount(MountKind.BIND, "/etc/passwd", str(tmp_path / "passwd")),))
    for read_only in (False, True):
        asked = replace(mounts, read_only_rootfs=read_only)
        assert await said(rig, "cat /etc/passwd; tail -n 1 /etc/group", process=NUMERIC, mounts=asked) == (
            "root:x:0:0::/:/bin/sh\n4321:x:4321:4321"
        )
    assert (tmp_path / "passwd").read_text() == "root:x:0:0::/:/bin/sh\n"


@pytest_twisted.ensureDeferred
async def test_a_passwd_that_is_a_link_gets_its_line_in_the_container(rig: Rig, tmp_path: Path) -> None:
    outside = tmp_path / "passwd"
    outside.write_text("")
    passwd = rig.layers.directories[0] / "etc/passwd"
    passwd.unlink()
    passwd.symlink_to(outside)
    with pytest.raises(HostError, match="cannot write /etc/passwd of the container: No such file or directory"):
        await rig.create(shell("true", process=NUMERIC))
    assert outside.read_text() == ""


# security


async def capabilities(rig: Rig, security: Security, **process: Any) -> dict[str, int]:
    text = await said(rig, "grep Cap /proc/self/status", security=security, process=process)
    return {name: int(value, 16) for name, value in (line.split(":") for line in text.splitlines())}


DEFAULT = 0xA80425FB
NET_ADMIN = 1 << 12


@pytest_twisted.ensureDeferred
async def test_capabilities_are_dockers_and_none_can_be_inherited(rig: Rig) -> None:
    found = await capabilities(rig, Security())
    assert found == {"CapInh": 0, "CapAmb": 0, "CapPrm": DEFAULT, "CapEff": DEFAULT, "CapBnd": DEFAULT}


@pytest_twisted.ensureDeferred
async def test_capabilities_are_added_dropped_and_clamped(rig: Rig) -> None:
    added = await capabilities(rig, Security(cap_add=("CAP_NET_ADMIN", "CAP_SYS_RESOURCE"), cap_drop=("CAP_CHOWN",)))
    own = int(Path("/proc/self/status").read_text().partition("CapBnd:")[2].split()[0], 16)
    assert added["CapEff"] == (DEFAULT | NET_ADMIN | 1 << 24) & ~1 & own
    assert (await capabilities(rig, Security(cap_drop=("ALL",), cap_add=("CAP_CHOWN",))))["CapBnd"] == 1
    assert (await capabilities(rig, Security(privileged=True)))["CapEff"] == own


@pytest_twisted.ensureDeferred
async def test_a_user_who_is_not_root_has_no_capabilities(rig: Rig) -> None:
    found = await capabilities(rig, Security(), user="app")
    assert found == {"CapInh": 0, "CapAmb": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": DEFAULT}


@pytest_twisted.ensureDeferred
async def test_no_new_privileges(rig: Rig) -> None:
    script = "grep NoNewPrivs /proc/self/status"
    assert (await said(rig, script)).split()[1] == "0"
    assert (await said(rig, script, security=Security(no_new_privileges=True))).split()[1] == "1"


@pytest_twisted.ensureDeferred
async def test_seccomp_filters_unless_unconfined(rig: Rig) -> None:
    script = "grep Seccomp: /proc/self/status"
    assert (await said(rig, script)).split()[1] == "2"
    assert (await said(rig, script)).split()[1] == "2"  # with the filter compiled by the first
    assert (await said(rig, script, security=Security(seccomp="unconfined"))).split()[1] == "0"
    own = (
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}'
    )
    assert await said(rig, "mkdir /x 2>/dev/null || echo refused", security=Security(seccomp=own)) == "refused"


@pytest_twisted.ensureDeferred
async def test_hidden_and_read_only_paths(rig: Rig) -> None:
    script = (
        "for p in /proc/kcore /proc/keys /proc/interrupts /proc/timer_list; do cat $p 2>/dev/null | wc -c; done;"
        "ls -A /sys/firmware; ls -A /sys/devices/virtual/powercap 2>/dev/null;"
        "(echo x > /proc/sys/kernel/domainname) 2>/dev/null || echo refused;"
        "echo b > /proc/sysrq-trigger || echo refused"
    )
    assert (await said(rig, script)).split() == ["0", "0", "0", "0", "refused", "refused"]
    open_paths = Security(masked_paths=(), read_only_paths=())
    assert int(await said(rig, "wc -l < /proc/interrupts", security=open_paths)) > 0


@pytest_twisted.ensureDeferred
async def test_a_read_only_root_still_has_its_mounts(rig: Rig) -> None:
    mounts = mounted(Mount(MountKind.TMPFS, "/scratch"), read_only_rootfs=True)
    script = "touch /x 2>&1 | grep -c Read-only; touch /scratch/x /dev/shm/x && echo written"
    assert (await said(rig, script, mounts=mounts)).split() == ["1", "written"]


@pytest_twisted.ensureDeferred
async def test_devices(rig: Rig) -> None:
    script = "for d in null zero full random urandom tty ptmx; do test -c /dev/$d || echo no $d; done; ls /dev | wc -l"
    assert int(await said(rig, script)) < 25
    # A node may be made, but not be opened.
    refused = "mknod /x b 254 0 && cat /x 2>&1 | grep -c 'not permitted'"
    assert await said(rig, refused) == "1"
    assert int(await said(rig, "ls /dev | wc -l", security=Security(privileged=True))) > 25


@pytest_twisted.ensureDeferred
async def test_sys_and_cgroups_cannot_be_written_unless_privileged(rig: Rig) -> None:
    script = (
        "d=$(dirname $(find /sys/fs/cgroup -name cgroup.procs | head -1));"
        "mkdir $d/x 2>/dev/null && rmdir $d/x && echo made;"
        "echo; mount | grep -c 'sysfs.*(rw'"
    )
    assert (await rig.run(shell(script))).text.split() == ["0"]
    assert (await rig.run(shell(script, security=Security(privileged=True)))).text.split() == ["made", "1"]


# namespaces


@pytest_twisted.ensureDeferred
async def test_namespaces_are_private_or_the_hosts(rig: Rig) -> None:
    script = "for n in pid ipc uts net; do readlink /proc/self/ns/$n; done"
    own = [os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "ipc", "uts", "net")]
    private = (await said(rig, script)).splitlines()
    assert not set(own) & set(private)
    namespaces = Namespaces(pid=HOST, ipc=HOST, uts=HOST)
    shared = (await said(rig, script, namespaces=namespaces, network=Network(mode="host"))).splitlines()
    assert shared == own
    cgroup = "readlink /proc/self/ns/cgroup"
    assert await said(rig, cgroup, namespaces=Namespaces(cgroup=HOST)) == os.readlink("/proc/self/ns/cgroup")
    other = await said(rig, cgroup, namespaces=Namespaces(cgroup=Namespace.PRIVATE))
    assert other != os.readlink("/proc/self/ns/cgroup")


@pytest_twisted.ensureDeferred
async def test_the_hosts_ipc_comes_with_its_shared_memory(rig: Rig) -> None:
    name = Path("/dev/shm") / f"apiserver-test-{os.getpid()}"
    name.write_text("seen")
    try:
        assert await said(rig, f"cat {name}", namespaces=Namespaces(ipc=HOST)) == "seen"
    finally:
        name.unlink()


# limits


@pytest_twisted.ensureDeferred
async def test_limits_are_set_where_they_act(rig: Rig) -> None:
    limits = Limits(memory_bytes=64 << 20, nano_cpus=500_000_000, pids=50, cpu_shares=512, cpuset_cpus="0")
    if rig.runs.machine.unified:
        files = "memory.max memory.swap.max cpu.max cpu.weight cpuset.cpus pids.max"
        swap = 64 << 20
    else:
        files = (
            "memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes"
            " cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.shares cpuset/cpuset.cpus pids/pids.max"
        )
        swap = 128 << 20
    found = (await said(rig, f"cd /sys/fs/cgroup; cat {files}", limits=limits)).split()
    share = int(found.pop(4))
    assert found == [str(64 << 20), str(swap), "50000", "100000", "0", "50"]
    # v2 has a weight instead, which each runtime makes of the shares in a way of its own.
    assert 1 <= share < 100 if rig.runs.machine.unified else share == 512
    assert await rig.runs.warnings(shell("true", limits=limits)) == ()


@pytest_twisted.ensureDeferred
async def test_too_much_memory_is_an_oom_kill(rig: Rig) -> None:
    limits = Limits(memory_bytes=16 << 20, memory_swap_bytes=16 << 20)
    ran = await rig.run(shell("head -c 100000000 /dev/zero | tail > /dev/null; exec tail /dev/zero", limits=limits))
    assert (ran.code, ran.end.oom_killed) == (137, True)


@pytest_twisted.ensureDeferred
async def test_rlimits_are_the_services_hard_ones_and_the_oom_score_is_set(rig: Rig) -> None:
    out = await said(rig, "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj", limits=Limits(oom_score_adj=300))
    hard = str(rig.host.open_files[1])
    assert out.split() == [hard, hard, "300"]


@pytest_twisted.ensureDeferred
async def test_an_oom_score_below_our_own_is_clamped_not_failed(rig: Rig) -> None:
    out = await said(rig, "cat /proc/self/oom_score_adj", limits=Limits(oom_score_adj=-900))
    assert int(out) == (-900 if rig.runs.machine.may_lower_oom_score else rig.runs.machine.oom_score_adj)


# mounts


@pytest_twisted.ensureDeferred
async def test_binds_volumes_and_tmpfs(rig: Rig, tmp_path: Path) -> None:
    source, volume = tmp_path / "source", tmp_path / "volume"
    source.mkdir()
    volume.mkdir()
    (source / "file").write_text("bound")
    mounts = mounted(
        Mount(MountKind.BIND, "/ro", str(source), read_only=True),
        Mount(MountKind.BIND, "/new/deep", str(tmp_path / "made"), create_source=True),
        Mount(MountKind.BIND, "/one", str(source / "file")),
        Mount(MountKind.VOLUME, "/vol", "v1"),
        Mount(MountKind.TMPFS, "/t", tmpfs_size_bytes=1 << 20, tmpfs_mode=0o700, tmpfs_options=("exec",)),
    )
    script = (
        "cat /ro/file /one; echo; touch /ro/x 2>&1 | grep -c Read-only; touch /new/deep/x /vol/y; stat -c %a /t;"
        "grep ' /t ' /proc/mounts"
    )
    ran = await rig.run(shell(script, mounts=mounts), spec={"volumes": {"v1": str(volume)}})
    lines = ran.text.splitlines()
    assert lines[:3] == ["boundbound", "1", "700"]
    assert {"nosuid", "nodev", "size=1024k"} <= set(lines[3].split()[3].split(","))
    assert "noexec" not in lines[3]
    assert (tmp_path / "made/x").exists()
    assert (volume / "y").exists()


# Each that may be asked for at create, and what the kernel says of it where it says something.
TMPFS_OPTIONS = {
    "defaults": "noexec",
    "ro": "ro",
    "rw": "rw",
    "exec": "",
    "suid": "",
    "dev": "",
    "sync": "sync",
    "async": "",
    "dirsync": "dirsync",
    "atime": "",
    "noatime": "noatime",
    "diratime": "",
    "nodiratime": "nodiratime",
    "relatime": "relatime",
    "norelatime": "",
    "strictatime": "",
    "nostrictatime": "",
    "mand": "",
    "nomand": "",
    "private": "",
    "rprivate": "",
    "shared": "shared",
    "rshared": "shared",
    "slave": "",
    "rslave": "",
    "unbindable": "unbindable",
    "runbindable": "unbindable",
    "tmpcopyup": "",
    "size=10m": "size=10240k",
    "size=50%": "size=",
    "mode=77777": "mode=7777",
    "uid=4294967294": "uid=4294967294",
    "gid=4294967294": "gid=4294967294",
    "nr_inodes=999999999999999": "nr_inodes=999999999999999",
    "nr_blocks=9k": "size=36864k",
}


@pytest_twisted.ensureDeferred
async def test_every_option_of_a_tmpfs_that_is_taken_is_mounted_with(rig: Rig) -> None:
    tmpfs = [Mount(MountKind.TMPFS, f"/t/{n}", tmpfs_options=(option,)) for n, option in enumerate(TMPFS_OPTIONS)]
    asked = validated(mounted(*tmpfs))
    lines = (await said(rig, "grep ' /t/' /proc/self/mountinfo", mounts=asked)).splitlines()
    found = {line.split()[4]: line for line in lines}
    shown = [found[f"/t/{n}"] for n in range(len(TMPFS_OPTIONS))]
    assert [line for line, expected in zip(shown, TMPFS_OPTIONS.values(), strict=True) if expected not in line] == []


@pytest.mark.parametrize(
    "policy", ["default", "local", "prefer", "prefer:0", "bind:0", "bind=static:0-0", "interleave"]
)
@pytest_twisted.ensureDeferred
async def test_a_tmpfs_may_say_which_memory_it_takes_where_the_kernel_can(rig: Rig, policy: str) -> None:
    asked = validated(mounted(Mount(MountKind.TMPFS, "/t", tmpfs_options=(f"mpol={policy}",))))
    if Path("/sys/devices/system/node").exists():
        assert await said(rig, "grep -c ' /t ' /proc/self/mountinfo", mounts=asked) == "1"
        return
    with pytest.raises(StartFailed):
        await rig.run(shell("true", mounts=asked))


@pytest_twisted.ensureDeferred
async def test_shm_size(rig: Rig) -> None:
    assert "size=8192k" in await said(rig, "grep /dev/shm /proc/mounts", mounts=Mounts(shm_size_bytes=8 << 20))


@pytest_twisted.ensureDeferred
async def test_mounts_within_mounts_are_made_in_order(rig: Rig, tmp_path: Path) -> None:
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    mounts = mounted(
        Mount(MountKind.BIND, "/a/b", str(tmp_path / "inner")), Mount(MountKind.BIND, "/a", str(tmp_path / "outer"))
    )
    assert await said(rig, "ls /a/b /a", mounts=mounts) == "/a:\nb\nouter\n\n/a/b:\ninner"


@pytest_twisted.ensureDeferred
async def test_a_read_only_bind_is_so_with_all_that_is_mounted_below(rig: Rig, tmp_path: Path) -> None:
    source, below = tmp_path / "source", tmp_path / "below"
    (source / "sub").mkdir(parents=True)
    below.mkdir()
    bind(below, source / "sub")
    try:
        mounts = mounted(Mount(MountKind.BIND, "/a", str(source), read_only=True))
        assert await said(rig, "touch /a/sub/x 2>/dev/null || echo refused", mounts=mounts) == "refused"
        mounts = mounted(Mount(MountKind.BIND, "/a", str(source), read_only=True, recursive_read_only=False))
        assert await said(rig, "touch /a/sub/x && echo written", mounts=mounts) == "written"
    finally:
        unmount_now(source / "sub")


@pytest_twisted.ensureDeferred
async def test_a_missing_source_is_refused_in_dockers_words(rig: Rig, tmp_path: Path) -> None:
    options = shell("true", mounts=mounted(Mount(MountKind.BIND, "/a", str(tmp_path / "nope"))))
    for refused in (rig.runs.warnings, rig.create):
        with pytest.raises(NoSuchSource) as failed:
            await refused(options)
        assert "bind source path does not exist: {subject}" in failed.value.docker
        assert failed.value.subject == str(tmp_path / "nope")


@pytest.mark.parametrize("target", ["/proc", "/proc/sys", "/x/../proc/1", "/"])
@pytest_twisted.ensureDeferred
async def test_nothing_is_mounted_over_proc(rig: Rig, tmp_path: Path, target: str) -> None:
    with pytest.raises(InvalidParameter):
        await rig.create(shell("true", mounts=mounted(Mount(MountKind.BIND, target, str(tmp_path)))))


# images that mean harm


@pytest_twisted.ensureDeferred
async def test_links_of_an_image_to_the_host_make_nothing_outside(rig: Rig, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    image = unpack(
        tmp_path / "evil",
        [
            Entry("work", link=str(outside)),
            Entry("mnt", link="../../../../../../.." + str(outside)),
            Entry("etc/hosts", link=str(outside / "hosts")),
            Entry("etc/resolv.conf", link="/nowhere/at/all"),
            Entry("run", link=str(outside)),
        ],
    )
    rig.layers.directories.insert(0, image)
    mounts = mounted(
        Mount(MountKind.TMPFS, "/mnt/target"), Mount(MountKind.BIND, "/work/bind", str(tmp_path / "image"))
    )
    ran = await rig.run(
        shell("pwd; grep -c localhost /etc/hosts", mounts=mounts, process={"working_dir": "/work/made"})
    )
    assert ran.code == 0, ran.err
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("path", ["dev", "proc", "sys"])
@pytest_twisted.ensureDeferred
async def test_an_image_whose_kernel_directories_are_links_is_refused(rig: Rig, tmp_path: Path, path: str) -> None:
    base = rig.layers.directories[0] / path
    if base.exists():
        base.rmdir()
    base.symlink_to(tmp_path)
    with pytest.raises(InvalidParameter, match="is not a directory"):
        await rig.create(shell("true"))


@pytest_twisted.ensureDeferred
async def test_a_link_of_the_image_into_proc_is_no_place_for_a_mount_or_a_directory(rig: Rig, tmp_path: Path) -> None:
    (rig.layers.directories[0] / "sneaky").symlink_to("/proc/self")
    (rig.layers.directories[0] / "proc/self").mkdir(parents=True)
    with pytest.raises(InvalidParameter):
        await rig.create(shell("true", mounts=mounted(Mount(MountKind.BIND, "/sneaky", str(tmp_path)))))
    with pytest.raises(InvalidParameter):
        await rig.create(shell("true", process={"working_dir": "/sneaky/fd"}))


# network files


@pytest_twisted.ensureDeferred
async def test_hosts_and_resolv_conf_on_a_bridge(rig: Rig) -> None:
    network = Network(mode="none", extra_hosts=("db:10.0.0.5",), dns_servers=("1.1.1.1",), dns_search=("example.org",))
    out = await said(rig, "cat /etc/hosts /etc/resolv.conf; echo more >> /etc/hosts", network=network)
    assert "10.0.0.5\tdb" in out.splitlines()
    assert out.splitlines()[-2:] == ["search example.org", "nameserver 1.1.1.1"]


@pytest_twisted.ensureDeferred
async def test_no_label_and_no_annotation_reaches_the_runtime(rig: Rig) -> None:
    identity = Identity(labels={"run.oci.keep_original_groups": "1"}, annotations={"run.oci.hooks.stdout": "/x"})
    made = await rig.create(shell("true", identity=identity))
    config = rig.paths.run(made.key.container_id, 1).config.read_text()
    assert "run.oci.keep" not in config
    assert "run.oci.hooks" not in config
    assert '"hooks"' not in config
