"""Copying a directory that somebody else filled, as it is: owners, modes, times, attributes, links, holes, devices."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 500
"""Levels. Each takes three descriptors, and no path of an image is longer than 4,095 bytes."""
_PIECE = 1 << 20
_NO_SUCH_WAY = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})
_NO_SUCH_ATTRIBUTE = frozenset({errno.ENOTSUP, errno.EPERM, errno.ENODATA})


def copy_tree(source: int, target: int, links: int) -> None:
    """Copy a directory's attributes and all that is below it into another, which is empty and ours alone. Blocks.

    No link is followed, and what is no file (a fifo, a device) is made, never opened. Sockets are left out. Takes
    the same memory for any number of files: what has several names is remembered in `links`.

    Args:
        source, target, links: descriptors of directories; the latter two on one file system.

    Raises:
        OSError: also ENAMETOOLONG for directories more than 500 levels deep.
    """
    levels = [_Level(os.dup(source), os.dup(target), links)]
    try:
        while levels:
            below = levels[-1].step()
            if below is None:
                levels[-1].finish()
                levels.pop().close()
            else:
                levels.append(_Level(*below, links))
                if len(levels) > _DEEPEST:
                    raise OSError(errno.ENAMETOOLONG, f"directories are more than {_DEEPEST} levels deep")
    finally:
        for level in levels:
            level.close()


def copy_attributes(source: int, target: int) -> None:
    """Owner, mode, extended attributes and times of an open file or directory.

    Raises:
        OSError
    """
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))  # after the owner, whose change takes set-user-id away
    _copy_extended(source, target, follow=True)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


class _Level:
    """One directory that is being copied; the descriptors `source` and `target` are its own from here on."""

    def __init__(self, source: int, target: int, links: int) -> None:
        with ExitStack() as files:
            files.callback(os.close, source)
            files.callback(os.close, target)
            self._entries: Iterator[os.DirEntry[str]] = files.enter_context(os.scandir(source))
            self._files = files.pop_all()
        self._source = source
        self._target = target
        self._links = links

    def finish(self) -> None:
        """Its own attributes come last: what is made in it changes its times."""
        copy_attributes(self._source, self._target)

    def close(self) -> None:
        self._files.close()

    def step(self) -> tuple[int, int] | None:
        """Copy up to the next directory in it, the source and the target of that; None at the end."""
        for entry in self._entries:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                return self._directory(entry.name)
            if status.st_nlink > 1:
                self._linked(entry.name, status)
            else:
                self._one(entry.name, status)
        return None

    def _directory(self, name: str) -> tuple[int, int]:
        source = os.open(name, _DIRECTORY, dir_fd=self._source)
        try:
            os.mkdir(name, 0o700, dir_fd=self._target)
            return source, os.open(name, _DIRECTORY, dir_fd=self._target)
        except BaseException:
            os.close(source)
            raise

    def _linked(self, name: str, status: os.stat_result) -> None:
        """Another name of what was copied before; the first one is remembered under its number."""
        number = f"{status.st_dev}.{status.st_ino}"
        try:
            os.link(number, name, src_dir_fd=self._links, dst_dir_fd=self._target, follow_symlinks=False)
        except FileNotFoundError:
            if self._one(name, status):
                os.link(name, number, src_dir_fd=self._target, dst_dir_fd=self._links, follow_symlinks=False)

    def _one(self, name: str, status: os.stat_result) -> bool:
        """False where it is left out."""
        if stat.S_ISREG(status.st_mode):
            self._regular(name)
            return True
        if stat.S_ISSOCK(status.st_mode):
            return False
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=self._source), name, dir_fd=self._target)
        else:
            os.mknod(name, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev, dir_fd=self._target)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=self._target, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=self._target)
        # Such a file cannot be opened for its attributes, and its directory's own path may be too long for the kernel.
        where = [f"/proc/self/fd/{directory}/{name}" for directory in (self._source, self._target)]
        _copy_extended(where[0], where[1], follow=False)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=self._target, follow_symlinks=False)
        return True

    def _regular(self, name: str) -> None:
        with ExitStack() as files:
            # O_NONBLOCK: it might be a fifo by now.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            source = os.open(name, flags, dir_fd=self._source)
            files.callback(os.close, source)
            status = os.fstat(source)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.ESTALE, "a file became something else while it was copied", name)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            target = os.open(name, flags, 0o600, dir_fd=self._target)
            files.callback(os.close, target)
            _copy_data(source, target, status.st_size)
            copy_attributes(source, target)


def _copy_data(source: int, target: int, size: int) -> None:
    """With its holes."""
    done = 0
    while done < size:
        try:
            start = os.lseek(source, done, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break  # nothing but a hole is left
        done = min(os.lseek(source, start, os.SEEK_HOLE), size)
        _copy_range(source, target, start, done)
    os.ftruncate(target, size)


def _copy_range(source: int, target: int, start: int, end: int) -> None:
    by_kernel = True
    while start < end:
        if by_kernel:
            try:
                moved = os.copy_file_range(source, target, min(end - start, 64 * _PIECE), start, start)
            except OSError as error:
                if error.errno not in _NO_SUCH_WAY:
                    raise
                by_kernel = False
                continue
        else:
            moved = os.pwrite(target, os.pread(source, min(end - start, _PIECE), start), start)
        if moved == 0:
            return  # it became shorter
        start += moved


def _copy_extended(source: int | str, target: int | str, *, follow: bool) -> None:
    """Those that the target's file system has, and that we may set."""
    try:
        names = os.listxattr(source, follow_symlinks=follow)
    except OSError as error:
        if error.errno not in _NO_SUCH_ATTRIBUTE:
            raise
        return
    for name in names:
        try:
            value = os.getxattr(source, name, follow_symlinks=follow)
            os.setxattr(target, name, value, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in _NO_SUCH_ATTRIBUTE:
                raise
