"""The body of a request as it comes in: piece by piece, with back-pressure."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from apiserver.http.errors import RequestTimeout
from apiserver.http.pieces import Pieces


class BodyStream:
    """What the client sends, piece by piece; one reader at a time.

    Args:
        hold: stops the reading of the connection.
        release: lets it go on.
        first_read: called before the first piece is waited for (`Expect: 100-continue` is answered then).
        clock: for `limit`; where there is none, there are no limits.

    Attributes:
        late: a limit has passed: nobody will read the rest.
    """

    def __init__(
        self,
        hold: Callable[[], None] = lambda: None,
        release: Callable[[], None] = lambda: None,
        first_read: Callable[[], None] = lambda: None,
        clock: IReactorTime | None = None,
    ) -> None:
        self._pieces = Pieces(hold, release)
        self._first_read: Callable[[], None] | None = first_read
        self._clock = clock
        self._silence: float | None = None
        self._total = 0.0
        self._ends = 0.0
        self._dropping = False
        self.late = False

    @property
    def ended(self) -> bool:
        """Whether the client has sent all of it; some may still wait to be read."""
        return self._pieces.ended

    @property
    def waiting_bytes(self) -> int:
        return self._pieces.waiting_bytes

    def limit(self, silence: float, total: float) -> None:
        """From now on a reader waits `silence` seconds for each next byte, and `total` for all that is still to come.

        Without this a client may pause for as long as it likes.
        """
        if self._clock is not None and not self.ended:
            self._silence, self._total = silence, total
            self._ends = self._clock.seconds() + total

    async def read(self) -> bytes:
        """The next piece; b"" at the end, and from then on.

        Raises:
            ClientGone: the client left before the end.
            RequestTimeout: a limit has passed.
        """
        if self._first_read is not None:
            first_read, self._first_read = self._first_read, None
            if not self.ended:
                first_read()
        if self._silence is None or self._clock is None:
            return await self._pieces.next()
        left = self._ends - self._clock.seconds()
        try:
            return await self._pieces.next(max(0, min(self._silence, left)), self._clock)
        except TimeoutError:
            self.late = True
            if left <= self._silence:
                raise RequestTimeout(f"the request body was not complete after {self._total:g} seconds") from None
            raise RequestTimeout(f"nothing of the request body came for {self._silence:g} seconds") from None

    def received(self, piece: bytes) -> None:
        """A piece came in (called by the connection)."""
        if piece and not self._dropping:
            self._pieces.put(piece)

    def end(self) -> None:
        """All of it has come in (called by the connection)."""
        self._pieces.end()

    def drop(self) -> None:
        """The answer is out: whatever still comes is of no interest."""
        self._dropping = True
        self._pieces.clear()

    def lose(self) -> None:
        """The client left (called by the connection)."""
        if not self.ended:
            self._pieces.lose()
