"""What a client of `attach` holds: streams that may not be connected yet."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator

from twisted.internet.defer import Deferred

from apiserver.engine.ports.logs import LogRecord
from apiserver.engine.ports.streams import ProcessStreams, Stream


class AttachedStreams:
    """The wanted streams of a run; reads and writes wait until it is connected, or ended without that.

    Args:
        wanted: which output is delivered.
        stdin: whether what the client sends is for the process.
        stdin_once: the process's standard input ends when this client leaves.
        line_end: what a log record's line ended with: a terminal's lines end in CR and LF.
        leave: called once, at `close`.
    """

    def __init__(
        self,
        wanted: frozenset[Stream],
        *,
        stdin: bool,
        stdin_once: bool,
        replay: AsyncGenerator[list[LogRecord], None] | None,
        line_end: bytes,
        leave: Callable[[AttachedStreams], None],
    ) -> None:
        self._wanted = wanted
        self._stdin = stdin
        self._stdin_once = stdin_once
        self._replay = replay
        self._replayed: Iterator[LogRecord] = iter(())
        self._line_end = line_end
        self._leave = leave
        self._inner: ProcessStreams | None = None
        self._waiters: list[Deferred[None]] = []
        self._write_closed = False
        self.closed = False
        self._ended = False

    def connect(self, streams: ProcessStreams) -> None:
        """The run is there; who waits goes on."""
        if self.closed or self._ended:
            streams.close()
            return
        self._inner = streams
        self._wake()
        if self._write_closed:
            streams.close_write()

    def end(self) -> None:
        """There will be no run."""
        self._ended = True
        self._wake()

    async def read(self) -> tuple[Stream, bytes] | None:
        while self._replay is not None:
            for record in self._replayed:
                if record.stream in self._wanted:
                    return record.stream, self._line(record)
            try:
                # not anext(self._replay, None): what that gives cannot be resumed with a value, as Twisted does
                self._replayed = iter(await anext(self._replay))
            except StopAsyncIteration:
                self._replay = None
        inner = await self._connected()
        while inner is not None and (piece := await inner.read()) is not None:
            if piece[0] in self._wanted:
                return piece
        return None

    def _line(self, record: LogRecord) -> bytes:
        if record.partial:
            return record.data
        # Some conmons keep the CR of a terminal's line in the log, some drop it.
        return record.data.removesuffix(self._line_end[:-1]) + self._line_end

    async def write(self, data: bytes) -> None:
        if not self._stdin:
            return
        inner = await self._connected()
        if inner is not None:
            await inner.write(data)

    def close_write(self) -> None:
        if not self._stdin or self._write_closed:
            return
        self._write_closed = True
        if self._inner is not None:
            self._inner.close_write()

    def close(self) -> None:
        if self.closed:
            return
        if self._stdin_once:
            self.close_write()
        self.closed = True
        self._leave(self)
        if self._inner is not None:
            self._inner.close()
        if self._replay is not None:
            replay, self._replay = self._replay, None
            Deferred.fromCoroutine(_closed(replay))
        self._wake()

    async def _connected(self) -> ProcessStreams | None:
        if self._inner is None and not self._ended and not self.closed:
            waiter: Deferred[None] = Deferred(self._waiters.remove)
            self._waiters.append(waiter)
            await waiter
        return None if self.closed else self._inner

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)


async def _closed(replay: AsyncGenerator[list[LogRecord], None]) -> None:
    await replay.aclose()
