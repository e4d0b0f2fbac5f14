"""Files below a root that somebody else controls: opened so that no link in it leads outside."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from pathlib import Path, PurePosixPath

from apiserver.drivers.linux.syscalls import OPENAT2, call, syscall

_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10
_TRIES = 64
_PROC_SUPER_MAGIC = 0x9FA0


class Inside:
    """A root directory, held open. A path below it is resolved as if the root were `/`: links and `..` stay inside.

    Descriptors that it returns are the caller's to close, and are close-on-exec.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Inside:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._root != -1:
            root, self._root = self._root, -1
            os.close(root)

    def open(self, path: str | PurePosixPath, flags: int = os.O_PATH, mode: int = 0) -> int:
        """Open a file or directory.

        Args:
            flags: of open(2); without O_PATH, O_NONBLOCK is added, so that a fifo holds nobody up.

        Raises:
            OSError: ELOOP for a magic link.
        """
        if not flags & os.O_PATH:
            flags |= os.O_NONBLOCK | os.O_NOCTTY
        how = bytes((ctypes.c_uint64 * 3)(flags | os.O_CLOEXEC, mode, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS))
        name = os.fsencode(str(path).lstrip("/")) or b"."
        for attempt in range(_TRIES):
            try:
                return syscall(OPENAT2, self._root, name, how, len(how), what=str(path))
            except OSError as error:
                # EAGAIN: something below was renamed meanwhile, and the kernel cannot vouch for `..`.
                if error.errno != errno.EAGAIN or attempt == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    def link(self, path: str | PurePosixPath) -> str | None:
        """What a symbolic link says; None where there is none at `path`.

        Raises:
            OSError: ELOOP for a link of a procfs: it says something else to each who reads it.
        """
        try:
            descriptor = self.open(path, os.O_PATH | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
                return None
            if _is_on_procfs(descriptor):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            return os.readlink("", dir_fd=descriptor)  # of the descriptor itself
        finally:
            os.close(descriptor)

    def make_directories(self, path: str | PurePosixPath, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> int:
        """`mkdir -p`; the descriptor (O_PATH) of the last directory.

        A link in the path is followed inside the root; one that leads nowhere gets its target made, inside too.

        Args:
            owner: user and group of the directories that are made.

        Raises:
            NotADirectoryError: something else is in the way.
        """
        done = PurePosixPath("/")
        current = self.open(done, os.O_PATH | os.O_DIRECTORY)
        hops = 0
        rest = _reversed_parts(str(path))
        try:
            while rest:
                name = rest.pop()
                try:
                    step = self.open(done / name, os.O_PATH | os.O_DIRECTORY)
                except FileNotFoundError:
                    target = _link(current, name)
                    if target is not None:
                        hops += 1
                        if hops > 40:
                            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
                        if target.startswith("/"):
                            done = PurePosixPath("/")
                        rest += _reversed_parts(target)
                        os.close(current)
                        current = self.open(done, os.O_PATH | os.O_DIRECTORY)
                        continue
                    step = _make(current, name, mode, owner)
                os.close(current)
                current = step
                done /= name
        except BaseException:
            os.close(current)
            raise
        return current


def _is_on_procfs(descriptor: int) -> bool:
    found = ctypes.create_string_buffer(256)  # more than a struct statfs, which begins with the type
    call("fstatfs", descriptor, found)
    return ctypes.c_long.from_buffer(found).value == _PROC_SUPER_MAGIC


def read_regular(descriptor: int, limit: int) -> bytes | None:
    """The first `limit` bytes of what an O_PATH descriptor is of; None where that is no regular file.

    It is opened as the descriptor: by its name somebody could have put a device in its place, whose driver would act.
    So a fifo, a device or an endless file costs no time and no memory.

    Raises:
        OSError: EAGAIN where somebody holds a lease on it, which could hold us up.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    again = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(again, "rb") as file:
        return file.read(limit)


def _reversed_parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _link(directory: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return None


def _make(parent: int, name: str, mode: int, owner: tuple[int, int]) -> int:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
        made = True
    except FileExistsError:
        made = False
    step = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    if made:
        os.fchown(step, *owner)
        os.fchmod(step, mode)
    return step
