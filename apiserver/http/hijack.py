"""Taking a connection over: after the head it is raw in both directions, half-close kept."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from apiserver.http._twisted import unwritten
from apiserver.http.errors import ClientGone
from apiserver.http.flow import Drain
from apiserver.http.once import Once
from apiserver.http.pieces import Pieces
from apiserver.http.sockets import unread_bytes

if TYPE_CHECKING:
    from apiserver.http.request import Request

_PAUSES: Final = (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256)
"""Seconds between looks whether the head was read, the last again and again: on a busy machine it may take long."""


class Wire(Protocol):
    """What a taken over connection goes through: the channel."""

    @property
    def transport(self) -> Any: ...
    @property
    def drain(self) -> Drain:
        """Whether the client takes more."""
        ...

    @property
    def clock(self) -> IReactorTime: ...

    def hold_body(self) -> None: ...
    def release_body(self) -> None: ...
    def close_hijacked(self) -> None: ...
    def close_hijacked_write(self) -> None: ...


class Duplex:
    """A raw connection; one reader and one writer at a time. It is closed when its handler returns."""

    def __init__(self, wire: Wire, request: Request) -> None:
        self._wire = wire
        self._request = request
        self._pieces = Pieces(wire.hold_body, wire.release_body)
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
        return self._pieces.waiting_bytes > 0

    async def read(self) -> bytes:
        """What the client sent next; b"" once it shut down its sending side.

        Raises:
            ClientGone: the connection is lost.
        """
        return await self._pieces.next()

    async def write(self, data: bytes) -> None:
        """Send `data`, and wait while the client is slow to read.

        Raises:
            ClientGone: the connection is lost, or was closed from this side.
        """
        if self._lost or not self._writable:
            raise ClientGone
        self._wire.transport.write(data)
        if not self._wire.drain.free:
            await self._wire.drain.wait()

    async def head_read(self) -> None:
        """Return once the client has read the head of the hijack, or the connection is lost.

        docker-py, for one, loses what it finds in one read with the head. On TCP only its arrival is known.
        """
        handle = getattr(self._wire.transport, "socket", None)
        if handle is None or self._lost:
            return
        for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
            await deferLater(self._wire.clock, pause, lambda: None)
            # What the kernel does not have yet is not among the unread bytes either.
            if self._lost or not (unwritten(self._wire.transport) or unread_bytes(handle)):
                return

    def close_write(self) -> None:
        """Nothing more comes from us; the client may still send."""
        if self._writable and not self._lost:
            self._writable = False
            self._wire.close_hijacked_write()

    def close(self) -> None:
        """End both directions, once what is written has gone out."""
        if not self._lost:
            self._writable = False
            self._wire.close_hijacked()
            self.ended()

    # Called by the channel.

    def received(self, data: bytes) -> None:
        self._pieces.put(data)

    def ended(self) -> None:
        self._pieces.end()

    def halt(self) -> None:
        """The daemon leaves."""
        self.close()
        self._cancel_handler()

    def lost(self) -> None:
        self._lost = True
        self._pieces.lose()
        self._cancel_handler()
        self._closed.fire()

    def _cancel_handler(self) -> None:
        handling = self._request.handling
        if handling is not None and not handling.called:
            handling.cancel()


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
    channel = request.channel
    common = channel.site.head(request.reference_id, token is not None, announce=False)
    head = b"%bContent-Type: %b\r\n%b%b\r\n" % (line, content_type.encode("ascii"), common, ending)
    request.setResponseCode(status)
    request.startedWriting = 1
    taken: Duplex = channel.hijack(request, head)
    request.hijacked = taken
    channel.site.log(request)
    return taken
