"""The streams of an exec session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apiserver.engine.containers.model import ExecSession
from apiserver.engine.ports.streams import ProcessStreams, Stream


class ExecStreams:
    """A session's wanted streams; their end comes after its exit code: clients ask for the code at the end.

    Args:
        ended: waits until the session's end is recorded.
    """

    def __init__(self, inner: ProcessStreams, session: ExecSession, ended: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._ended = ended
        self._stdin = session.attach_stdin
        asked = ((Stream.STDOUT, session.attach_stdout), (Stream.STDERR, session.attach_stderr))
        self._wanted = frozenset(stream for stream, wanted in asked if wanted)

    async def read(self) -> tuple[Stream, bytes] | None:
        while (piece := await self._inner.read()) is not None:
            if piece[0] in self._wanted:
                return piece
        await self._ended()
        return None

    async def write(self, data: bytes) -> None:
        if self._stdin:
            await self._inner.write(data)

    def close_write(self) -> None:
        if self._stdin:
            self._inner.close_write()

    def close(self) -> None:
        self._inner.close()
