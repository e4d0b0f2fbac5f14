"""Our end of a pipe or stream socket: awaited reads and writes, so that a slow side slows the other down."""

from __future__ import annotations

import os

from apiserver.drivers.linux.readiness import Descriptor, Reactor

CHUNK = 65536
_IMMEDIATE = 16
"""Reads or writes that may succeed in a row without giving the reactor a turn."""


class PipeReader:
    """Reads what comes; nothing is read ahead, so the writer is held back by the pipe itself."""

    def __init__(self, reactor: Reactor, fd: int) -> None:
        self._descriptor = Descriptor(reactor, fd)
        self._ending = False
        self._in_a_row = 0

    async def read(self, limit: int = CHUNK) -> bytes:
        """At most `limit` bytes; b"" at the end, and after `close`."""
        while not self._descriptor.closed:
            if self._in_a_row < _IMMEDIATE or self._ending:
                try:
                    data = os.read(self._descriptor.fileno(), limit)
                except BlockingIOError:
                    if self._ending:
                        return b""
                else:
                    self._in_a_row += 1
                    return data
            self._in_a_row = 0
            await self._descriptor.readable()
        return b""

    def end_when_empty(self) -> None:
        """From now on an empty pipe is the end, even if somebody still holds its other end.

        A program that has ended may have left a daemon behind that inherited its output.
        """
        self._ending = True
        self._descriptor.wake_reader()

    def close(self) -> None:
        self._descriptor.close()


class PipeWriter:
    """Writes what it is given, as fast as the reader takes it."""

    def __init__(self, reactor: Reactor, fd: int) -> None:
        self._descriptor = Descriptor(reactor, fd)
        self._in_a_row = 0

    async def write(self, data: bytes | memoryview) -> None:
        """Returns once the kernel has all of it.

        Raises:
            BrokenPipeError: nobody will ever read it, or it is closed.
        """
        rest = memoryview(data)
        while rest:
            if self._descriptor.closed:
                raise BrokenPipeError("our end of the pipe is closed")
            if self._in_a_row < _IMMEDIATE:
                try:
                    rest = rest[os.write(self._descriptor.fileno(), rest) :]
                except BlockingIOError:
                    pass
                else:
                    self._in_a_row += 1
                    continue
            self._in_a_row = 0
            await self._descriptor.writable()

    def close(self) -> None:
        """The reader sees the end; a second call does nothing."""
        self._descriptor.close()
