"""A copy of a directory is what it was, and a volume is filled whole or not at all."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from apiserver.drivers.linux import copy_tree as driver
from apiserver.local.runs import copyup

Shown = dict[str, tuple[object, ...]]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A root with all kinds of files in /data."""
    root = tmp_path / "image"
    data = root / "data"
    (data / "deep" / "er").mkdir(parents=True)
    (data / "deep" / "er" / "file").write_bytes(b"content")
    os.chown(data / "deep" / "er" / "file", 7, 8)
    (data / "deep" / "er" / "file").chmod(0o4751)
    os.link(data / "deep" / "er" / "file", data / "other name")
    (data / "\udcff").write_bytes(b"")
    (data / "link").symlink_to("/etc/passwd")
    os.chown(data / "link", 5, 6, follow_symlinks=False)
    os.link(data / "link", data / "link again", follow_symlinks=False)
    os.mkfifo(data / "fifo")
    (data / "fifo").chmod(0o622)
    os.mknod(data / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.setxattr(data / "deep", "user.note", b"x")
    with (data / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 30)
        sparse.seek(1 << 29)
        sparse.write(b"middle")
    for path in [*data.rglob("*"), data]:
        os.utime(path, ns=(1_000_000_001, 2_000_000_003), follow_symlinks=False)
    os.chown(data, 1000, 1001)
    data.chmod(0o2750)
    return root


def shown(top: Path) -> Shown:
    """What there is to say of each file below, and of the directory itself."""
    found: Shown = {}
    for path in [top, *sorted(top.rglob("*"))]:
        status = path.lstat()
        content: object = None
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(status.st_mode) and status.st_size < 1000:
            content = path.read_bytes()
        attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in _attributes(path)}
        found[str(path.relative_to(top))] = (
            *(oct(status.st_mode), status.st_uid, status.st_gid, status.st_rdev),
            None if path == top else status.st_mtime_ns,  # what is moved into a volume changes its own
            *(None if path.is_dir() else (status.st_nlink, status.st_size), content, attributes),
        )
    return found


def _attributes(path: Path) -> list[str]:
    return sorted(os.listxattr(path, follow_symlinks=False))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    path = tmp_path / "volumes" / "db" / "_data"
    path.mkdir(parents=True)
    return path


def left(files: Path) -> list[str]:
    """What lies beside the volume's files."""
    return sorted(path.name for path in files.parent.iterdir() if path != files)


def test_the_copy_is_what_it_was(image: Path, files: Path) -> None:
    copyup.fill(image, "/data", files)
    assert shown(files) == shown(image / "data")
    assert (files / "sparse").stat().st_blocks < 100
    with (files / "sparse").open("rb") as sparse:
        sparse.seek(1 << 29)
        assert sparse.read(8) == b"middle\0\0"
    assert (files / "other name").samefile(files / "deep" / "er" / "file")
    assert left(files) == []


@pytest.mark.parametrize("number", sorted(driver._NO_SUCH_WAY))
def test_the_copy_is_the_same_where_the_kernel_cannot_make_it(
    image: Path, files: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    copyup.fill(image, "/data", files)
    assert shown(files) == shown(image / "data")


def test_a_socket_is_left_out(image: Path, files: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(image / "data" / "deep" / "socket"))
        copyup.fill(image, "/data", files)
    assert sorted(os.listdir(files / "deep")) == ["er"]


def test_an_empty_directory_gives_its_owner_and_mode(image: Path, files: Path) -> None:
    empty = image / "empty"
    empty.mkdir(mode=0o700)
    os.chown(empty, 33, 44)
    assert copyup.fill(image, "/empty", files)
    status = files.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (33, 44, 0o700)


@pytest.mark.parametrize("target", ["/nothing", "/data/other name", "/data/other name/below", "/data/fifo", "/circle"])
def test_where_the_image_has_no_directory_the_volume_stays_as_it_is(image: Path, files: Path, target: str) -> None:
    (image / "circle").symlink_to("circle")
    before = shown(files)
    assert not copyup.fill(image, target, files)
    assert (shown(files), left(files)) == (before, [])


def test_what_is_in_a_volume_is_never_touched(image: Path, files: Path) -> None:
    (files / "mine").write_text("mine")
    before = shown(files)
    for target in ("/data", "/nothing"):
        assert copyup.fill(image, target, files)
    assert (shown(files), left(files)) == (before, [])


@pytest.mark.parametrize("link", ["{outside}", "../../../../../../../../..{outside}", "up"])
def test_no_link_of_the_image_leads_out_of_it(image: Path, files: Path, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (image / "up").symlink_to(f"..{outside}")
    (image / "way").symlink_to(link.format(outside=outside))
    copyup.fill(image, "/way", files)
    assert os.listdir(files) == []
    inside = image / str(outside)[1:]
    inside.mkdir(parents=True)
    (inside / "own").touch()
    copyup.fill(image, "/way", files)
    assert os.listdir(files) == ["own"]


def test_a_link_on_the_way_is_followed_in_the_image(image: Path, files: Path) -> None:
    (image / "var").symlink_to("data/deep")
    copyup.fill(image, "/var/er", files)
    assert os.listdir(files) == ["file"]


def test_directories_that_are_too_deep_are_an_error_and_leave_nothing(image: Path, files: Path) -> None:
    top = os.open(image / "data", os.O_RDONLY)
    for _ in range(600):
        os.mkdir("d", dir_fd=top)
        below = os.open("d", os.O_RDONLY, dir_fd=top)
        os.close(top)
        top = below
    os.close(top)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="more than 500 levels deep"):
        copyup.fill(image, "/data", files)
    assert (os.listdir(files), left(files)) == ([], [])
    assert len(os.listdir("/proc/self/fd")) == before


KILLED = """
import os, sys
from pathlib import Path
from apiserver.local.runs import copyup
from tests.unit.test_copy_tree import left, shown

image, files = map(Path, sys.argv[1:])
whole = shown(image / "data")

def die_at(step):
    def guard(real):
        def guarded(*args, **kwargs):
            nonlocal step
            step -= 1
            if step == 0:
                os._exit(9)
            return real(*args, **kwargs)
        return guarded
    for name in "mkdir link symlink mknod rename ftruncate fchown setxattr utime rmdir unlink".split():
        setattr(os, name, guard(getattr(os, name)))

for step in range(1, 1000):
    copyup.remove_tree(files)
    files.mkdir()
    if (child := os.fork()) == 0:
        die_at(step)
        copyup.fill(image, "/data", files)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
    copyup.fill(image, "/data", files)
    assert (shown(files), left(files)) == (whole, []), step
print(step)
"""


def test_whenever_it_is_killed_the_next_call_fills_it_whole(image: Path, files: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, image, files], check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 40, "it was killed at each of its steps"


def test_what_was_not_completed_can_be_taken_away(image: Path, files: Path) -> None:
    (files.parent / "filling" / "tree" / "x").mkdir(parents=True)
    copyup.discard_unfinished(files.parent)
    copyup.discard_unfinished(files.parent)
    assert left(files) == []


def test_what_somebody_puts_there_meanwhile_stays(image: Path, files: Path) -> None:
    image.joinpath("data").rename(files.parent / "filled")
    (files / "deep").write_text("theirs")
    (files / "link").mkdir()
    copyup.fill(image, "/nothing", files)
    assert ((files / "deep").read_text(), (files / "link").is_dir(), (files / "null").exists()) == (
        "theirs",
        True,
        True,
    )
    assert left(files) == []
