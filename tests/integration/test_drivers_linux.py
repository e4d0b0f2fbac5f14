"""What is asked of the kernel, on this kernel."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from apiserver.config.host import read_host
from apiserver.config.host.mountinfo import mounts_under
from apiserver.drivers.linux import mounts, netns
from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.linux.mounts import bind, make_private, mount_overlay, mount_tmpfs, unmount_now
from apiserver.drivers.linux.openat2 import Inside, read_regular
from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.drivers.threads import Threads
from apiserver.errors import HostError


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory on a tmpfs of its own, since overlayfs takes no overlay as its upper directory."""
    mount_tmpfs(tmp_path, mode=0o755)
    yield tmp_path
    for mount in mounts_under(tmp_path):
        unmount_now(mount.target, detach=True)


def make_layers(place: Path, count: int) -> list[Path]:
    """Lower directories with names as long as the image store's, the nearest first; each has a file of its own."""
    layers = []
    for number in range(count):
        layer = place / "layers" / f"{number:064x}" / "diff"
        layer.mkdir(parents=True)
        (layer / f"file{number}").write_text(str(number))
        (layer / "same").write_text(str(number))
        layers.append(layer)
    return layers


def make_directories(place: Path, *names: str) -> list[Path]:
    for name in names:
        (place / name).mkdir()
    return [place / name for name in names]


# Mounts.


def test_an_overlay_may_have_200_layers_and_the_nearest_wins(place: Path) -> None:
    layers = make_layers(place, 200)
    upper, work, target = make_directories(place, "upper", "work", "merged")
    mount_overlay(target, layers, upper, work)
    assert len(list(target.iterdir())) == 201
    assert (target / "same").read_text() == "0"
    (target / "same").write_text("changed")
    assert (upper / "same").read_text() == "changed"
    assert unmount_now(target)
    assert (layers[0] / "same").read_text() == "0"


def test_an_overlay_may_have_200_layers_on_a_kernel_without_separate_strings(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(mounts, "_overlay_by_parts", unknown)
    upper, work, target = make_directories(place, "upper", "work", "merged")
    mount_overlay(target, make_layers(place, 200), upper, work)
    assert len(list(target.iterdir())) == 201


@pytest.mark.parametrize("by_string", [False, True])
def test_layers_may_have_any_name(place: Path, monkeypatch: pytest.MonkeyPatch, by_string: bool) -> None:
    if by_string:
        monkeypatch.setattr(mounts, "_overlay_by_parts", _not_known)
    odd = [place / "a:b,c\\d e", place / ("n" * 200) / ("m" * 200)]
    for number, layer in enumerate(odd):
        layer.mkdir(parents=True)
        (layer / f"file{number}").touch()
    upper, work, target = make_directories(place, "up:per,x", "work", "merged")
    mount_overlay(target, odd, upper, work)
    assert {path.name for path in target.iterdir()} == {"file0", "file1"}
    (target / "new").touch()
    assert (upper / "new").exists()


def _not_known(*_: object) -> None:
    raise OSError(errno.ENOSYS, "Function not implemented")


def test_an_overlay_without_an_upper_directory_is_read_only(place: Path) -> None:
    (target,) = make_directories(place, "merged")
    mount_overlay(target, make_layers(place, 2))
    with pytest.raises(OSError, match="Read-only"):
        (target / "new").touch()


def test_a_missing_layer_is_an_error_that_mounts_nothing(place: Path) -> None:
    upper, work, target = make_directories(place, "upper", "work", "merged")
    with pytest.raises(HostError, match="No such file"):
        mount_overlay(target, [place / "gone"], upper, work)
    assert len(mounts_under(place)) == 1
    assert not unmount_now(target)


def test_a_bind_is_private_also_below_a_shared_mount(place: Path) -> None:
    source, target = make_directories(place, "source", "target")
    subprocess.run(["mount", "--make-shared", place], check=True)
    bind(source, target)
    line = next(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {target} " in line)
    assert "shared:" not in line


def test_a_read_only_bind_is_so_in_its_depth(place: Path) -> None:
    source, target = make_directories(place, "source", "target")
    (source / "inner").mkdir()
    mount_tmpfs(source / "inner")
    bind(source, target, attributes=["ro", "nosuid", "nodev", "noexec"])
    for directory in (target, target / "inner"):
        with pytest.raises(OSError, match="Read-only"):
            (directory / "x").touch()
    assert {"ro", "nosuid", "nodev", "noexec"} <= mounts_under(target / "inner")[0].options
    (source / "x").touch()
    (source / "inner" / "x").touch()


def test_a_bind_that_is_not_recursive_leaves_out_what_is_mounted_below(place: Path) -> None:
    source, target = make_directories(place, "source", "target")
    (source / "inner").mkdir()
    mount_tmpfs(source / "inner")
    (source / "inner" / "x").touch()
    bind(source, target, recursive=False)
    assert list((target / "inner").iterdir()) == []


def test_files_are_bound_too_and_by_descriptor_no_link_is_followed(place: Path) -> None:
    root, outside = make_directories(place, "root", "outside")
    (outside / "file").write_text("host")
    (root / "file").symlink_to(outside / "file")
    (root / "etc").mkdir()
    (root / "etc/hosts").write_text("image")
    ours = place / "hosts"
    ours.write_text("ours")
    with Inside(root) as inside:
        target = inside.open("/etc/hosts")
        bind(ours, target)
        os.close(target)
        with pytest.raises(FileNotFoundError):
            inside.open("/file")
    assert (root / "etc/hosts").read_text() == "ours"
    assert (outside / "file").read_text() == "host"


def test_a_tmpfs_has_its_size_and_mode(place: Path) -> None:
    (target,) = make_directories(place, "shm")
    mount_tmpfs(target, size_bytes=65536, mode=0o1770, attributes=["nosuid", "nodev", "noexec"])
    assert stat.S_IMODE(target.stat().st_mode) == 0o1770
    with pytest.raises(OSError, match="No space"):
        (target / "big").write_bytes(bytes(100_000))
    make_private(target)


def test_a_busy_mount_is_detached_where_that_is_asked(place: Path) -> None:
    (target,) = make_directories(place, "busy")
    mount_tmpfs(target)
    with (target / "open").open("w"):
        with pytest.raises(OSError, match="busy"):
            unmount_now(target)
        assert unmount_now(target, detach=True)
    assert not unmount_now(target)
    assert not unmount_now(place / "gone")


def test_unmounting_follows_no_link(place: Path) -> None:
    (target,) = make_directories(place, "real")
    mount_tmpfs(target)
    (place / "link").symlink_to(target)
    unmount_now(place / "link")
    assert [mount.target for mount in mounts_under(place)] == [target, place]


@pytest_twisted.ensureDeferred
async def test_a_slow_call_is_made_in_a_thread_and_its_error_heard(place: Path) -> None:
    (target,) = make_directories(place, "m")
    mount_tmpfs(target)
    threads = Threads(reactor)
    ticks: list[float] = []
    reactor.callLater(0.02, lambda: ticks.append(1))
    await threads.run(time.sleep, 0.1)
    assert ticks
    assert await threads.run(unmount_now, target, detach=True)
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.run(int, "x")


# Network namespaces.


@pytest_twisted.ensureDeferred
async def test_a_network_namespace_lives_at_a_path_and_ours_stays_ours(place: Path) -> None:
    ours = os.readlink("/proc/self/ns/net")
    namespaces = netns.NetworkNamespaces(Programs(reactor))
    path = place / "ns"
    assert not netns.exists(path)
    await namespaces.create(path)
    assert netns.exists(path)
    assert os.readlink("/proc/self/ns/net") == os.readlink("/proc/thread-self/ns/net") == ours
    assert path.stat().st_ino != os.stat("/proc/self/ns/net").st_ino
    done = await Programs(reactor).run(["nsenter", f"--net={path}", "cat", "/proc/self/net/dev"])
    assert done.stdout.decode().splitlines()[2].split(":")[0].strip() == "lo"
    with pytest.raises(FileExistsError):
        await namespaces.create(path)
    assert netns.remove(path)
    assert not path.exists()
    assert not netns.remove(path)


@pytest_twisted.ensureDeferred
async def test_a_network_namespace_that_cannot_be_made_leaves_no_file(place: Path) -> None:
    tools = place / "tools"
    tools.mkdir()
    (tools / "unshare").write_text("#!/bin/sh\necho no more >&2; exit 1\n")
    (tools / "unshare").chmod(0o755)
    with pytest.raises(ProgramFailed, match="no more"):
        await netns.NetworkNamespaces(Programs(reactor, search_path=[str(tools)])).create(place / "ns")
    assert not (place / "ns").exists()


@pytest_twisted.ensureDeferred
async def test_after_a_reboot_a_mere_file_is_no_namespace_and_is_used_again(place: Path) -> None:
    path = place / "ns"
    path.touch()
    assert not netns.exists(path)
    await netns.NetworkNamespaces(Programs(reactor)).create(path)
    assert netns.exists(path)
    netns.remove(path)


# Cgroups.


@pytest_twisted.ensureDeferred
async def test_a_cgroup_is_made_filled_emptied_and_removed_in_every_tree() -> None:
    groups = Cgroups(read_host().hierarchies)
    name = f"/apiserver-linux-{os.getpid()}"
    path = f"{name}/inner"
    groups.create(path)
    groups.create(path)
    try:
        children = [Programs(reactor).start(["sleep", "60"]) for _ in range(2)]
        for child in children:
            await Threads(reactor).run(groups.move, path, child.pid)
        pids = {child.pid for child in children}
        assert groups.pids(path) == groups.pids(name) == pids
        assert groups.children(name) == {"inner"}
        assert not groups.remove(path)
        assert groups.kill(name) == 2
        assert [await child.exited() for child in children] == [128 + signal.SIGKILL] * 2
        with pytest.raises(ProcessLookupError):
            groups.move(path, children[0].pid)
    finally:
        for _ in range(100):
            if groups.remove(name):
                break
            await _pause(0.01)
    assert not groups.exists(name)
    assert groups.kill(name) == 0
    assert groups.remove(name)
    assert groups.children(name) == set()
    with pytest.raises(FileNotFoundError):
        groups.move(name, os.getpid())


def _pause(seconds: float) -> Deferred[None]:
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


# Files below a foreign root.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image that wants out: everything in it leads to `tmp_path/host`."""
    root, host = tmp_path / "root", tmp_path / "host"
    (root / "etc").mkdir(parents=True)
    (host / "etc").mkdir(parents=True)
    (host / "secret").write_text("host")
    (root / "absolute").symlink_to(host)
    (root / "up").symlink_to("../host")
    (root / "far").symlink_to("../../../../../../../../../../" + str(host))
    (root / "magic").symlink_to("/proc/self/root")
    (root / "loop").symlink_to("loop")
    (root / "good").symlink_to("/etc")
    (root / "etc/passwd").write_text("image")
    (root / "etc/link").symlink_to("../../host/secret")
    os.mkfifo(root / "fifo")
    (root / "directory").mkdir()
    return root


def read(inside: Inside, path: str, limit: int) -> bytes | None:
    """None too where a link leads nowhere in there."""
    try:
        descriptor = inside.open(path)
    except OSError:
        return None
    try:
        return read_regular(descriptor, limit)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("path", ["absolute/secret", "up/secret", "far/secret", "../host/secret", "etc/link", "loop"])
def test_no_link_leads_out_of_a_root(root: Path, path: str) -> None:
    with Inside(root) as inside:
        with pytest.raises(OSError, match=r"No such file|Too many levels"):
            inside.open(path, os.O_RDONLY)
        assert read(inside, path, 100) is None


def test_links_inside_are_followed_as_if_the_root_were_the_root(root: Path) -> None:
    with Inside(root) as inside:
        assert read(inside, "/good/passwd", 100) == b"image"
        assert read(inside, "good/../../../etc/passwd", 100) == b"image"


def test_magic_links_are_refused(root: Path) -> None:
    (root / "proc").mkdir()
    bind(Path("/proc"), root / "proc")
    try:
        with Inside(root) as inside:
            with pytest.raises(OSError, match="Too many levels"):
                inside.open("magic/etc/passwd", os.O_RDONLY)
            with pytest.raises(OSError, match="Too many levels"):
                inside.make_directories("magic/made")
    finally:
        unmount_now(root / "proc", detach=True)


@pytest.mark.parametrize("path", ["fifo", "directory", "missing", "etc/passwd/x", "dev-zero"])
def test_what_is_no_regular_file_is_not_read_and_holds_nobody_up(root: Path, path: str) -> None:
    os.mknod(root / "dev-zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    with Inside(root) as inside:
        assert read(inside, path, 100) is None


def test_no_more_is_read_than_was_asked(root: Path) -> None:
    with (root / "endless").open("wb") as file:
        file.truncate(1 << 30)
    with Inside(root) as inside:
        assert read(inside, "endless", 10) == bytes(10)


def test_what_takes_the_place_of_a_file_after_the_look_at_it_is_not_opened(root: Path) -> None:
    with Inside(root) as inside:
        descriptor = inside.open("etc/passwd")
        (root / "fifo").rename(root / "etc/passwd")
        assert read_regular(descriptor, 100) == b"image"
        os.close(descriptor)
        assert read(inside, "etc/passwd", 100) is None


def test_what_a_link_says_is_read_of_the_link_alone(root: Path) -> None:
    with Inside(root) as inside:
        assert inside.link("up") == "../host"
        assert inside.link("good/link") == "../../host/secret"
        for path in ("etc", "etc/passwd", "missing", "etc/passwd/x", "/"):
            assert inside.link(path) is None
        with pytest.raises(OSError, match="Too many levels"):
            inside.link("loop/x")


def test_links_of_a_procfs_say_nothing() -> None:
    with Inside(Path("/proc")) as inside:
        for path in ("self", "1/cwd", "self/fd/0"):
            with pytest.raises(OSError, match="Too many levels"):
                inside.link(path)
        assert inside.link("sys") is None


@pytest.mark.parametrize("path", ["absolute/a/b", "up/a/b", "far/a/b", "../a/b", "good/../../a/b"])
def test_directories_are_made_inside_whatever_the_links_say(root: Path, path: str, tmp_path: Path) -> None:
    before = sorted(str(entry) for entry in (tmp_path / "host").rglob("*"))
    with Inside(root) as inside:
        descriptor = inside.make_directories(path, 0o750, (12, 34))
        made = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        os.close(descriptor)
        again = inside.make_directories(path)
        os.close(again)
    assert made.is_relative_to(root)
    assert made.parts[-2:] == ("a", "b")
    status = made.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o750, 12, 34)
    assert sorted(str(entry) for entry in (tmp_path / "host").rglob("*")) == before


def test_directories_are_not_made_through_a_file_or_a_loop(root: Path) -> None:
    with Inside(root) as inside:
        with pytest.raises(NotADirectoryError):
            inside.make_directories("etc/passwd/x")
        with pytest.raises(OSError, match="Too many levels"):
            inside.make_directories("loop/x")


def test_no_descriptor_stays_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Inside(root) as inside:
        read(inside, "good/passwd", 10)
        read(inside, "fifo", 10)
        os.close(inside.make_directories("x/y"))
        for path in ("etc/passwd/x", "loop/x"):
            with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
                inside.make_directories(path)
    assert len(os.listdir("/proc/self/fd")) == before
