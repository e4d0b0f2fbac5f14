"""What mounts need to stand on in a container's root, and where a link of the image must not take them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from apiserver.drivers.linux.openat2 import Inside
from apiserver.errors import InvalidParameter
from apiserver.local.runs.spec.mounts import Placed
from apiserver.local.runs.view import Place, View, is_within

_OF_THE_KERNEL = ("/proc", "/dev", "/sys")


def refuse_linked_mount_points(rootfs: Path) -> None:
    """Refuse an image whose /proc, /dev or /sys is a link: runtimes have followed it (CVE-2026-41579, -47766).

    Raises:
        InvalidParameter
    """
    for path in _OF_THE_KERNEL:
        try:
            status = os.lstat(rootfs / path[1:])
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(status.st_mode):
            raise InvalidParameter(f"the image's {path} is not a directory")


def make_targets(view: View, placed: Sequence[Placed]) -> None:
    """Mount all in the view, and make in the root what that takes: directories, and files where a file is mounted.

    In other mounts it is the runtime that makes it.

    Raises:
        InvalidParameter: something else is there, or a link leads a target into /proc, /dev or /sys.
    """
    for mount in placed:
        try:
            asked = view.over(mount.target)
            place = view.mount(mount)
            _refuse_linked(place, asked)
            if place.mount is None and (mount.is_bind or not mount.ours):
                _make_target(view.root, place.path, mount)
        except OSError as error:
            raise InvalidParameter(f"cannot mount on {mount.target}: {error.strerror}") from error


def _refuse_linked(place: Place, asked: Place) -> None:
    """A link to one of the kernel's directories would let an image, or who writes into a volume, say what is there: the
    runtime reads /proc, and hides parts of it behind /dev/null (CVE-2019-16884, CVE-2019-19921).

    Raises:
        InvalidParameter
    """
    if place.path == asked.path:
        return
    if place.mount is not None and place.mount.is_bind and place.mount is asked.mount and place.rest != "/":
        return  # the client has bound the host's own, links and all
    for directory in _OF_THE_KERNEL:
        if is_within(place.path, directory):
            raise InvalidParameter(
                f'invalid mount target: "{asked.path}" cannot be mounted because it is inside {directory}'
            )


def _make_target(root: Inside, path: str, mount: Placed) -> None:
    if mount.is_bind and not os.path.isdir(mount.source):
        try:
            _make_file(root, path)
        except FileNotFoundError:
            os.close(root.make_directories(PurePosixPath(path).parent))
            _make_file(root, path)
        return
    os.close(root.make_directories(PurePosixPath(path).parent))
    # A tmpfs takes over the mode of what it covers (runc).
    os.close(root.make_directories(path, mode=_tmpfs_mode(mount) if mount.type == "tmpfs" else 0o755))


def _make_file(root: Inside, path: str) -> None:
    with suppress(FileExistsError):
        os.close(root.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def _tmpfs_mode(mount: Placed) -> int:
    modes = [option.removeprefix("mode=") for option in mount.options if option.startswith("mode=")]
    return int(modes[-1], 8) if modes else 0o1777
