"""Files that appear in directories, told by the kernel."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred

from apiserver.drivers.linux.readiness import Descriptor, Reactor
from apiserver.drivers.linux.syscalls import call

_IN_MODIFY, _IN_CLOSE_WRITE, _IN_MOVED_TO = 0x2, 0x8, 0x80
_IN_ONLYDIR, _IN_IGNORED, _IN_Q_OVERFLOW = 0x01000000, 0x8000, 0x4000
_EVENT = struct.Struct("iIII")

Appeared = Callable[[Path, str], object]
"""Called with a watched directory and the name of a file that was written or moved into it."""


class AppearingFiles:
    """Watches directories, one kernel watch each.

    Args:
        overflowed: called when the kernel dropped news: look at all directories.

    Raises:
        OSError: EMFILE, when this user has too many of these.
    """

    def __init__(self, reactor: Reactor, appeared: Appeared, overflowed: Callable[[], object]) -> None:
        fd = call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK, what="inotify")
        self._descriptor = Descriptor(reactor, fd)
        self._appeared = appeared
        self._overflowed = overflowed
        self._by_watch: dict[int, Path] = {}
        self._by_path: dict[Path, int] = {}
        self._running = Deferred.fromCoroutine(self._run())

    def watch(self, directory: Path, *, writes: bool = False) -> None:
        """Watch a directory.

        Args:
            writes: every write to a file in it is news too, not only that it was closed.

        Raises:
            OSError: ENOSPC, when there are too many watches on this machine; no such directory.
        """
        flags = _IN_CLOSE_WRITE | _IN_MOVED_TO | _IN_ONLYDIR | (_IN_MODIFY if writes else 0)
        number = call(
            "inotify_add_watch", self._descriptor.fileno(), os.fsencode(directory), flags, what=str(directory)
        )
        self._by_watch[number] = directory
        self._by_path[directory] = number

    def forget(self, directory: Path) -> None:
        """Watch it no longer; one that is gone or was never watched does no harm."""
        number = self._by_path.pop(directory, None)
        if number is None or self._by_watch.pop(number, None) is None:
            return
        try:
            call("inotify_rm_watch", self._descriptor.fileno(), number)
        except OSError as error:
            if error.errno != errno.EINVAL:  # it went with the directory
                raise

    def close(self) -> None:
        self._descriptor.close()

    async def _run(self) -> None:
        while not self._descriptor.closed:
            try:
                data = os.read(self._descriptor.fileno(), 65536)
            except BlockingIOError:
                await self._descriptor.readable()
                continue
            self._tell(data)

    def _tell(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            number, mask, _cookie, length = _EVENT.unpack_from(data, position)
            position += _EVENT.size
            name = os.fsdecode(data[position : position + length].rstrip(b"\0"))
            position += length
            if mask & _IN_Q_OVERFLOW:
                self._overflowed()
            elif mask & _IN_IGNORED:
                directory = self._by_watch.pop(number, None)
                if directory is not None and self._by_path.get(directory) == number:
                    del self._by_path[directory]
            elif (directory := self._by_watch.get(number)) is not None:
                self._appeared(directory, name)
