"""Files that are made in a container's own layer before it starts, with no link of its image leading outside."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

from apiserver.drivers.linux.openat2 import Inside
from apiserver.errors import HostError

MTAB, MOUNTS = PurePosixPath("/etc/mtab"), "/proc/mounts"


def append(rootfs: Path, path: str, data: bytes) -> None:
    """Write to the end of a file in the container's own layer, whole or not at all; it is made where there is none.

    Raises:
        HostError
    """
    with Inside(rootfs) as root:
        try:
            os.close(root.make_directories(PurePosixPath(path).parent))
            descriptor = root.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                size = os.fstat(descriptor).st_size
                if file.write(data) != len(data):
                    file.truncate(size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise HostError(f"cannot write {path} of the container: {error.strerror}") from error


def make_mtab(rootfs: Path) -> None:
    """Make the link /etc/mtab in the container's own layer, where nothing is there.

    Raises:
        HostError
    """
    with Inside(rootfs) as root:
        try:
            directory = root.make_directories(MTAB.parent)
            try:
                os.symlink(MOUNTS, MTAB.name, dir_fd=directory)
            finally:
                os.close(directory)
        except (FileExistsError, NotADirectoryError):
            return  # the image's own, or an image without an /etc
        except OSError as error:
            raise HostError(f"cannot make {MTAB} in the container: {error.strerror}") from error


def bytes_of_mtab(upper: Path) -> int:
    """How much of a container's own layer is the link that `make_mtab` makes."""
    with Inside(upper) as root, suppress(OSError):
        directory = root.open(MTAB.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            return len(MOUNTS) if os.readlink(MTAB.name, dir_fd=directory) == MOUNTS else 0
        finally:
            os.close(directory)
    return 0  # no such link


def make_empty(rootfs: Path, path: str) -> None:
    """Make an empty file that everybody may read in the container's own layer, where nothing is at its path.

    Raises:
        HostError
    """
    with Inside(rootfs) as root:
        try:
            descriptor = root.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return
        except OSError as error:
            raise HostError(f"cannot make {path} in the container: {error.strerror}") from error
        try:
            os.fchmod(descriptor, 0o755)  # as Docker has it
        finally:
            os.close(descriptor)
