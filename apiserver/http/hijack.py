"""Taking a connection over: after the head it is raw in both directions, half-close kept."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from apiserver.http.errors import ClientGone
from apiserver.http.once import Once
from apiserver.http.sockets import unread_bytes

if TYPE_CHECKING:
    from apiserver.http.channel import Channel
    from apiserver.http.request import Request

HIGH_BYTES: Final = 256 * 1024
LOW_BYTES: Final = 64 * 1024

_PAUSES: Final = (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.5)
"""Seconds between looks whether the head was read: a second in all, for clients on a busy machine."""


class Duplex:
    """A raw connection; one reader and one writer at a time. It is closed when its handler returns."""

    def __init__(self, channel: Channel, request: Request) -> None:
        self._channel = channel
        self._request = request
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._held = False
        self._ended = False
        self._reader: Deferred[None] | None = None
        self._writable = True
        self._closed = Once()
        self._lost = False

    @property
    def closed(self) -> Deferred[None]:
        """Fires when the connection is gone in both directions; each caller has one of its own."""
        return self._closed.wait()

    @property
    def unread(self) -> bool:
        """Whether something that the client sent waits for a reader."""
        return bool(self._pieces)

    async def read(self) -> bytes:
        """What the client sent next; b"" once it shut down its sending side.

        Raises:
            ClientGone: the connection is lost.
        """
        while not self._pieces:
            if self._lost:
                raise ClientGone
            if self._ended:
                return b""
            self._reader = Deferred()
            try:
                await self._reader
            finally:
                self._reader = None
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece)
        if self._held and self._waiting_bytes <= LOW_BYTES:
            self._held = False
            self._channel.release_body()
        return piece

    async def write(self, data: bytes) -> None:
        """Send `data`, and wait while the client is slow to read.

        Raises:
            ClientGone: the connection is lost, or was closed from this side.
        """
        if self._lost or not self._writable:
            raise ClientGone
        self._channel.transport.write(data)
        if not self._channel.drain.free:
            await self._channel.drain.wait()

    async def head_read(self) -> None:
        """Return once the client has read the head of the hijack, or after a moment.

        docker-py, for one, loses what it finds in one read with the head. On TCP only its arrival is known.
        """
        handle = getattr(self._channel.transport, "socket", None)
        if handle is None or self._lost:
            return
        for pause in _PAUSES:
            await deferLater(self._channel.site.clock, pause, lambda: None)  # what is written goes out first
            if self._lost or unread_bytes(handle) == 0:
                return

    def close_write(self) -> None:
        """Nothing more comes from us; the client may still send."""
        if self._writable and not self._lost:
            self._writable = False
            self._channel.close_hijacked_write()

    def close(self) -> None:
        """End both directions, once what is written has gone out."""
        if not self._lost:
            self._writable = False
            self._channel.close_hijacked()
            self.ended()

    # Called by the channel.

    def received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._waiting_bytes += len(data)
        if not self._held and self._waiting_bytes > HIGH_BYTES:
            self._held = True
            self._channel.hold_body()
        self._wake()

    def ended(self) -> None:
        self._ended = True
        self._wake()

    def halt(self) -> None:
        """The daemon leaves."""
        self.close()
        self._cancel_handler()

    def lost(self) -> None:
        self._lost = True
        self._wake()
        self._cancel_handler()
        self._closed.fire()

    def _cancel_handler(self) -> None:
        handling = self._request.handling
        if handling is not None and not handling.called:
            handling.cancel()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.called:
            self._reader.callback(None)


def hijack(request: Request, content_type: str) -> Duplex:
    """Answer with the head of a hijack, and take the connection over.

    `101 UPGRADED` with the client's own token where it asked for an upgrade, else `200 OK`; neither length nor
    transfer encoding. What is wrong must be said before this: there is no other status after it.
    """
    token = request.getHeader(b"Upgrade")
    if token is not None:
        status = 101
        line = b"HTTP/1.1 101 UPGRADED\r\n"
        ending = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % token
    else:
        status = 200
        line = b"HTTP/1.1 200 OK\r\n"
        ending = b""
    channel: Channel = request.channel
    common = channel.site.head(request.reference_id, token is not None, announce=False)
    head = b"%bContent-Type: %b\r\n%b%b\r\n" % (line, content_type.encode("ascii"), common, ending)
    request.setResponseCode(status)
    request.startedWriting = 1
    request.hijacked = channel.hijack(request, head)
    channel.site.log(request)
    return request.hijacked
