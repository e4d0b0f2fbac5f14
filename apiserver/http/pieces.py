"""What came in from a client and waits to be read: a queue that holds its source back while it is long."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from apiserver.http.errors import ClientGone

HIGH_BYTES: Final = 256 * 1024
"""The source is held once so much waits for the reader..."""
LOW_BYTES: Final = 64 * 1024
"""... until this little is left."""


class Pieces:
    """One reader at a time; what came before an end or a loss is still read.

    Args:
        hold: stops the source.
        release: lets it go on.

    Attributes:
        waiting_bytes: how much is here and not yet read.
        ended: whether the source has ended; some may still wait.
    """

    def __init__(self, hold: Callable[[], None], release: Callable[[], None]) -> None:
        self._hold = hold
        self._release = release
        self._pieces: deque[bytes] = deque()
        self._held = False
        self._lost = False
        self._reader: Deferred[None] | None = None
        self.waiting_bytes = 0
        self.ended = False

    async def next(self, seconds: float | None = None, clock: IReactorTime | None = None) -> bytes:
        """The next piece; b"" at the end, and from then on. A reader that is cancelled loses nothing.

        Args:
            seconds: for how long to wait on `clock`; None is without limit.

        Raises:
            ClientGone: the source is lost.
            twisted.internet.defer.TimeoutError: nothing came in time.
        """
        while not self._pieces:
            if self._lost:
                raise ClientGone
            if self.ended:
                return b""
            self._reader = Deferred()
            if seconds is not None and clock is not None:
                self._reader.addTimeout(seconds, clock)
            try:
                await self._reader
            finally:
                self._reader = None
        piece = self._pieces.popleft()
        self.waiting_bytes -= len(piece)
        if self.waiting_bytes <= LOW_BYTES:
            self._let_go()
        return piece

    def put(self, piece: bytes) -> None:
        """A piece, which is not empty."""
        self._pieces.append(piece)
        self.waiting_bytes += len(piece)
        if not self._held and self.waiting_bytes > HIGH_BYTES:
            self._held = True
            self._hold()
        self._wake()

    def end(self) -> None:
        self.ended = True
        self._wake()

    def lose(self) -> None:
        """Nothing more comes, and that is no end."""
        self._lost = True
        self._wake()

    def clear(self) -> None:
        """Nobody will read what waits."""
        self._pieces.clear()
        self.waiting_bytes = 0
        self._let_go()

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            self._release()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.called:
            self._reader.callback(None)
