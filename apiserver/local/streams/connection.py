"""One connection to a process's standard streams through conmon's attach socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from apiserver.drivers.conmon import attach
from apiserver.engine.ports.streams import Stream

log = Logger()

DRAINED = 3 << 20
"""Bytes of output that are kept for a slow reader once the process is gone.

What a dead process can leave is in its two pipes, which any program may enlarge to a MiB each, and in the socket's
buffer. conmon writes the exit code only after all of it was taken, so a reader that sleeps would otherwise keep the end
from being known.
"""

_STREAMS = {attach.Stream.STDOUT: Stream.STDOUT, attach.Stream.STDERR: Stream.STDERR}


class Connection:
    """Output is read only as fast as the caller reads: the process is held back by its pipes, not our memory."""

    def __init__(self, attachment: attach.Attachment, closed: Callable[[Connection], object] = lambda _: None) -> None:
        self._attachment = attachment
        self._closed = closed
        self._reading = False
        self._draining = False
        self._kept: deque[tuple[Stream, bytes] | None] = deque()
        self._kept_bytes = 0
        self._reader: Deferred[None] | None = None
        self._room: Deferred[None] | None = None

    async def read(self) -> tuple[Stream, bytes] | None:
        if not self._draining:
            return await self._read_on()
        while not self._kept:
            self._reader = Deferred()
            await self._reader
        piece = self._kept[0]
        if piece is None:
            return None  # stays there: the end is the end for the next call too
        self._kept.popleft()
        self._kept_bytes -= len(piece[1])
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)
        return piece

    async def write(self, data: bytes) -> None:
        """As the port says; what comes after the process's end goes nowhere, as on a real terminal or pipe's end."""
        try:
            await self._attachment.write(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def close_write(self) -> None:
        self._attachment.close_write()

    def close(self) -> None:
        self._attachment.close()
        self._closed(self)
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def drain(self) -> None:
        """The process is gone: take what it left, up to `DRAINED` bytes, whether or not the caller reads."""
        if not self._draining:
            self._draining = True
            if not self._reading:
                self._start_draining()

    async def _read_on(self) -> tuple[Stream, bytes] | None:
        self._reading = True
        try:
            return await self._next()
        finally:
            self._reading = False
            if self._draining:
                # The end came while we waited: from now on there is one order, that of what is kept.
                self._start_draining()

    def _start_draining(self) -> None:
        Deferred.fromCoroutine(self._drain()).addErrback(lambda failure: log.failure("draining failed", failure))

    async def _drain(self) -> None:
        while True:
            piece = await self._next()
            self._kept.append(piece)
            self._kept_bytes += len(piece[1]) if piece is not None else 0
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.callback(None)
            if piece is None:
                return
            if self._kept_bytes >= DRAINED:
                self._room = Deferred()
                await self._room

    async def _next(self) -> tuple[Stream, bytes] | None:
        try:
            packet = await self._attachment.read()
        except ConnectionResetError:
            return None
        return None if packet is None else (_STREAMS[packet[0]], packet[1])
