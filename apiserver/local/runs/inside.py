"""What is read and made in the container's root file system before it starts, with no link leading outside."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from apiserver.drivers.linux.openat2 import Inside
from apiserver.errors import HostError, InvalidParameter
from apiserver.local.runs.spec import mounts, process
from apiserver.local.runs.spec.mounts import Placed

ACCOUNTS_LIMIT = 4 << 20
"""Bytes of passwd or group that are looked at."""

MTAB, MOUNTS = PurePosixPath("/etc/mtab"), "/proc/mounts"
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


def make_targets(rootfs: Path, placed: Sequence[Placed]) -> None:
    """Make what the mounts need to stand on: directories, and files where a file is mounted.

    Raises:
        InvalidParameter: something else is there, or a link leads a target into /proc.
    """
    hidden: list[str] = [*_OF_THE_KERNEL]
    with Inside(rootfs) as root:
        for mount in placed:
            # Below another mount it is the runtime that makes it, in there.
            if not any(mount.target == path or mount.target.startswith(f"{path}/") for path in hidden):
                try:
                    _make_target(root, rootfs, mount)
                except OSError as error:
                    raise InvalidParameter(f"cannot mount on {mount.target}: {error.strerror}") from error
            hidden.append(mount.target)


def _make_target(root: Inside, rootfs: Path, mount: Placed) -> None:
    wants_file = mount.is_bind and not os.path.isdir(mount.source)
    path = PurePosixPath(mount.target)
    if not wants_file:
        os.close(root.make_directories(path.parent))
        # A tmpfs takes over the mode of what it covers (runc).
        descriptor = root.make_directories(path, mode=_tmpfs_mode(mount) if mount.type == "tmpfs" else 0o755)
    else:
        os.close(root.make_directories(path.parent))
        try:
            descriptor = root.open(path)
        except FileNotFoundError:
            # O_EXCL would refuse a link that leads nowhere, as /etc/resolv.conf often is: its target is made, inside.
            with suppress(FileNotFoundError):
                os.close(root.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
            try:
                descriptor = root.open(path)
            except FileNotFoundError:
                return  # a link to where there is no directory yet: the runtime makes it, inside too
    try:
        mounts.refuse_proc(_resolved(descriptor, rootfs), mount.target)
    finally:
        os.close(descriptor)


def _tmpfs_mode(mount: Placed) -> int:
    modes = [option.removeprefix("mode=") for option in mount.options if option.startswith("mode=")]
    return int(modes[-1], 8) if modes else 0o1777


def accounts(rootfs: Path, placed: Sequence[Placed]) -> tuple[bytes, bytes]:
    """What the container's own passwd and group hold; empty where it has none.

    Raises:
        InvalidParameter: a fifo, a device, an endless file: a runtime that reads it too would never come back.
    """
    return _read(rootfs, placed, "/etc/passwd"), _read(rootfs, placed, "/etc/group")


def _read(rootfs: Path, placed: Sequence[Placed], path: str) -> bytes:
    base, rest = _covering(rootfs, placed, path)
    if rest == "/":
        base, rest = base.parent, f"/{base.name}"
    try:
        root = Inside(base)
    except NotADirectoryError:
        return b""  # a file is to be mounted on /etc; what the image has there, the runtime knows
    with root:
        return read_accounts(root, rest, path)


def is_covered(rootfs: Path, placed: Sequence[Placed], path: str) -> bool:
    """Whether a path lies in, or is, what the client mounts from elsewhere."""
    return _covering(rootfs, placed, path)[0] != rootfs


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


def read_accounts(root: Inside, path: str, name: str) -> bytes:
    """A passwd or group file below `root`; empty where there is none.

    Args:
        name: its path in the container, for the refusal.

    Raises:
        InvalidParameter: as `accounts`.
    """
    try:
        descriptor = root.open(path)
    except OSError:
        return b""  # none, or a link that leads nowhere in there
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidParameter(f"the container's {name} is not a regular file")
    if status.st_size > ACCOUNTS_LIMIT:
        raise InvalidParameter(f"the container's {name} is larger than {ACCOUNTS_LIMIT} bytes")
    return root.read(path, ACCOUNTS_LIMIT) or b""


def settle_working_dir(rootfs: Path, placed: Sequence[Placed], cwd: str, *, missing: str = "") -> None:
    """Make the working directory where there is none: in the root, or in the volume that it lies in.

    Args:
        missing: the refusal where there is none; empty: it is made.

    Raises:
        InvalidParameter: a file is there, or links lead into /proc; or `missing`.
    """
    if cwd == "/" or cwd == "/proc":
        return
    base, rest = _covering(rootfs, placed, cwd)
    if not base.is_dir():
        raise InvalidParameter(f"the working directory {cwd!r} is not a directory")
    with Inside(base) as root:
        try:
            descriptor = root.open(rest, os.O_PATH | os.O_DIRECTORY) if missing else root.make_directories(rest)
        except FileNotFoundError as error:
            if not missing or any(not mount.is_bind and cwd.startswith(f"{mount.target}/") for mount in placed):
                return  # what is in there the kernel makes: /sys, for example
            raise InvalidParameter(missing) from error
        except NotADirectoryError as error:
            raise InvalidParameter(f"Cannot mkdir: {cwd} is not a directory") from error
        except OSError:
            return  # a read-only volume, for example: the runtime says what is wrong with it
    try:
        if base == rootfs:
            process.refuse_proc(_resolved(descriptor, rootfs), cwd)
    finally:
        os.close(descriptor)


def _covering(rootfs: Path, placed: Sequence[Placed], path: str) -> tuple[Path, str]:
    """Where a path of the container lies on this machine: a mount's source, or the root; and the rest of the path."""
    base, rest, length = rootfs, path, 0
    for mount in placed:
        if not mount.is_bind or not (path == mount.target or path.startswith(f"{mount.target}/")):
            continue
        if len(mount.target) > length:
            base, rest, length = Path(mount.source), path[len(mount.target) :] or "/", len(mount.target)
    return base, rest


def _resolved(descriptor: int, rootfs: Path) -> str:
    """The path of an open file as the container sees it."""
    try:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError as error:
        raise InvalidParameter(f"a path in the container is too long: {error.strerror}") from error
    root = str(rootfs)
    return path[len(root) :] or "/" if path == root or path.startswith(f"{root}/") else path
