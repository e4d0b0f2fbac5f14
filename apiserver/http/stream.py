"""An answer that goes on: its head at once, then record by record, no faster than the client reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred

from apiserver.http.errors import ClientGone
from apiserver.http.once import Once

if TYPE_CHECKING:
    from apiserver.http.request import Request

_encoder = msgspec.json.Encoder()


class Stream:
    """The body of an answer whose head is out. It ends when its handler returns."""

    def __init__(self, request: Request, endless: bool) -> None:
        self._request = request
        self._endless = endless
        self._halting = Once()

    @property
    def halting(self) -> Deferred[None]:
        """Fires when the daemon leaves and what is endless must end; each caller has one of its own."""
        return self._halting.wait()

    async def write(self, data: bytes) -> None:
        """Send `data` as one chunk, and wait while the client is slow to read.

        Raises:
            ClientGone: the client hung up.
        """
        request = self._request
        if request.gone or request.finished:
            raise ClientGone
        if not data:
            return
        request.write(data)
        drain = getattr(request.channel, "drain", None)
        if drain is not None and not drain.free:
            await drain.wait()

    async def write_json(self, value: Any) -> None:
        """Send one JSON value and a newline as one chunk."""
        await self.write(_encoder.encode(value) + b"\n")

    def finish(self) -> None:
        """The answer is whole."""
        request = self._request
        if not request.finished and not request.gone:
            request.finish()

    # Called by the connection.

    def halt(self) -> None:
        """The daemon leaves: an endless answer ends whole, after the record that is being written."""
        self._halting.fire()
        if self._endless:
            request = self._request
            self.finish()
            if request.handling is not None and not request.handling.called:
                request.handling.cancel()


def open_stream(request: Request, content_type: str, status: int = 200, *, endless: bool = False) -> Stream:
    """Send the head of an answer now, and give what its body is written to.

    Args:
        endless: it has no end of its own (events, followed logs, stats, wait): when the daemon leaves, it ends at
            once with a whole last chunk, and the handler is cancelled.
    """
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", content_type.encode("ascii"))
    request.write(b"")
    stream = Stream(request, endless)
    request.stream = stream
    return stream
