"""One HTTP/1.1 connection: Twisted's parser, with bodies that stream, hijacking, and an end that loses nothing."""

from __future__ import annotations

import socket
from typing import Any, Protocol

from twisted.internet import interfaces
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import implementer, provider

from apiserver.errors import EngineError, InvalidParameter
from apiserver.http import _twisted
from apiserver.http.connection import Connection, Phase
from apiserver.http.deadline import Deadline
from apiserver.http.errors import HeadersTooLarge, RequestTimeout, status_of
from apiserver.http.flow import Drain, Gate, Unpausable
from apiserver.http.hijack import Duplex
from apiserver.http.reply import error_bytes
from apiserver.http.request import Request
from apiserver.http.settings import HttpSettings
from apiserver.http.sockets import close_below, half_closes, hung_up, is_tls

log = Logger()

_LENGTH_DIGITS = 18
_LOOK = 1.0
"""Seconds between looks whether a client is still there, while nothing that is read from it would tell."""
_PATIENCE = 5
"""Looks at a client that is gone, or seems to be, before it is given up, where it may be one who is still served."""


class Site(Protocol):
    """What the connections of one listener have in common: their factory."""

    @property
    def settings(self) -> HttpSettings: ...
    @property
    def clock(self) -> IReactorTime: ...

    def head(self, reference_id: str, keep: bool, announce: bool = True) -> bytes:
        """The common headers, each line with its end."""
        ...


@provider(INonQueuedRequestFactory)
def _make_request(channel: Channel) -> Request:
    return Request(channel)


@implementer(interfaces.IHalfCloseableProtocol)
class Channel(HTTPChannel):
    """
    Attributes:
        drain: whether the client takes more of an answer.
        clock: for time limits.
    """

    requestFactory = staticmethod(_make_request)  # type: ignore[assignment]
    timeOut = None  # the limits are in `_deadline`: Twisted's starts anew with each byte
    transport: Any
    requests: list[Request]

    def __init__(self, site: Site, connection: Connection) -> None:
        super().__init__()
        self.site = self.factory = site
        self.settings = site.settings
        self.clock = site.clock
        self.connection = connection
        self.drain = Drain()
        self.maxHeaders = site.settings.max_header_lines
        self.totalHeadersSize = self.MAX_LENGTH = site.settings.max_header_bytes
        self._deadline = Deadline(site.clock, self._expired)
        self._look = Deadline(site.clock, self._look_for_client)
        self._patience = _PATIENCE
        self._uploading: Request | None = None
        self._answered_early: Request | None = None
        self._dropping = False
        self._closing_tls = False
        self._read_ended = False
        self._duplex: Duplex | None = None

    # Coming and going.

    def connectionMade(self) -> None:
        super().connectionMade()
        pausable = interfaces.IPushProducer(self.transport, None) or Unpausable(self.transport)
        self.gate = Gate(pausable, held=lambda: self._look.set(_LOOK))
        _twisted.set_network_producer(self, self.gate)
        handle = getattr(self.transport, "socket", None)
        self.connection.attach(self, handle)
        if self.connection.is_tcp and handle is not None:
            self.transport.setTcpKeepAlive(True)  # a half-closed hijack learns of a vanished peer by nothing else
        self._deadline.set(self.settings.header_timeout)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._deadline.stop()
        self._look.stop()
        self.drain.lose()
        hijacked, self._duplex = self._duplex, None
        super().connectionLost(reason)
        if hijacked is not None:
            hijacked.lost()
        self.connection.become(Phase.CLOSED)

    def readConnectionLost(self) -> None:
        """The client sends nothing more; whether it still reads, only a unix socket can tell."""
        self._read_ended = True
        if self._dropping:
            self.loseConnection()
        elif self._duplex is not None:
            self._duplex.ended()
            self._look_for_client()
        elif self.connection.phase is not Phase.SERVING:
            self.loseConnection()
        elif self._uploading is not None:
            self.abort()
        else:
            self._look_for_client()

    def writeConnectionLost(self) -> None:
        """We said that nothing more comes from us."""

    def _look_for_client(self) -> None:
        """Ask the kernel whether the client is there: it sends nothing more, or we do not read what it sends."""
        if self.connection.phase is Phase.CLOSED:
            return
        handle = getattr(self.transport, "socket", None)
        if handle is not None and hung_up(handle):
            if self._duplex is not None and self._duplex.unread and self._patience:
                self._patience -= 1  # it sent its input and left: that is still wanted
                self._look.set(_LOOK)
            else:
                self.abort()
        elif self._read_ended and self._duplex is None and not self.connection.is_unix:
            # On TCP a client that leaves looks like one that only stops sending: that waits for its answer.
            if self._patience:
                self._patience -= 1
                self._look.set(_LOOK)
            else:
                self.abort()
        elif handle is not None and (self._read_ended or self.gate.held):
            self._look.set(_LOOK)

    def abort(self) -> None:
        self.transport.abortConnection()

    def loseConnection(self) -> None:
        """As Twisted's; but TLS waits for the client's close_notify, and would hand on what comes before it.

        Many clients send none before their next request, and some never.
        """
        if is_tls(self.transport) and not self._dropping:
            self._closing_tls = True
            self._drop_the_rest()
        super().loseConnection()

    def break_off(self) -> None:
        """End within an answer: what was sent of it goes out, and the client sees that it is not whole."""
        self._dropping = True
        self._deadline.set(self.settings.lingering)
        self.loseConnection()

    # Reading.

    def dataReceived(self, data: bytes) -> None:
        if self._dropping:
            return
        if self._duplex is not None:
            self._duplex.received(data)
            return
        if self.connection.phase in (Phase.NEW, Phase.KEPT):
            self.connection.become(Phase.READING)
            self._deadline.set(self.settings.header_timeout)
        LineReceiver.dataReceived(self, data)
        if self._read_ended:
            self._close_unless_serving()

    def allHeadersReceived(self) -> None:
        super().allHeadersReceived()
        request = self.requests[-1]
        self._deadline.set(None)
        self.connection.requests += 1
        self.connection.become(Phase.SERVING)
        if self.length != 0:
            self._uploading = request
            request.begin(*_twisted.request_line(self))

    def allContentReceived(self) -> None:
        self._uploading = None
        early, self._answered_early = self._answered_early, None
        super().allContentReceived()
        if early is not None:
            self.requestDone(early)

    def requestDone(self, request: Request) -> None:
        if self._uploading is request:
            self._wait_for_its_end(request)
            return
        waiting = _twisted.pipelined_bytes(self)
        if self.connection.closing and not waiting:
            self.persistent = False
        if self.persistent:
            settings = self.settings
            self.connection.become(Phase.READING if waiting else Phase.KEPT)
            self._deadline.set(settings.header_timeout if waiting else settings.keep_alive or None)
        super().requestDone(request)
        if self._read_ended and not self._busyReceiving:
            self._close_unless_serving()

    def _wait_for_its_end(self, request: Request) -> None:
        """It was answered before its body ended; to close now would take the answer from the client."""
        if not self.persistent:
            self._linger()
        else:
            self._answered_early = request
            self._deadline.set(self.settings.lingering)

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        if header == b"Content-Length" and len(data) > _LENGTH_DIGITS:
            return bool(self._failChooseTransferDecoder())  # Python refuses to read a number of 5,000 digits
        return bool(super()._maybeChooseTransferDecoder(header, data))

    # Bodies.

    def hold_body(self) -> None:
        self.gate.hold("body")

    def release_body(self) -> None:
        self.gate.release("body")

    def _send100Continue(self) -> None:
        self.requests[-1].continue_due = True

    def send_continue(self) -> None:
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Writing.

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """As Twisted's, with the common headers in front."""
        request = self.requests[0]
        if (
            request.continue_due
            or request.body.late
            or (self.connection.closing and not _twisted.pipelined_bytes(self))
        ):
            self.persistent = False  # what of its body comes, or not, nobody reads any more
        parts = [b"HTTP/1.1 ", code, b" ", reason, b"\r\n", self.site.head(request.reference_id, bool(self.persistent))]
        for name, values in headers.getAllRawHeaders():
            if name != b"Connection":
                parts.extend(b"%b: %b\r\n" % (name, value) for value in values)
        parts.append(b"\r\n")
        self.transport.write(b"".join(parts))

    def pauseProducing(self) -> None:
        """The transport has more than it can send.

        Twisted stops reading too. While a body comes in that would be a dead end: its client may only read when
        it has sent all.
        """
        self._waitingForTransport = True
        self.drain.fill()
        if self._requestProducer is not None:
            self._requestProducer.pauseProducing()
        if self.connection.phase in (Phase.READING, Phase.KEPT):
            self.gate.hold("answers")

    def resumeProducing(self) -> None:
        self._waitingForTransport = False
        self.drain.empty()
        if self._requestProducer is not None:
            self._requestProducer.resumeProducing()
        self.gate.release("answers")

    # Refusals.

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self._receivedHeaderCount > self.maxHeaders:
            self.refuse(HeadersTooLarge(f"more than {self.maxHeaders} headers"))
        elif self._receivedHeaderSize > self.totalHeadersSize:
            self.refuse(HeadersTooLarge(f"more than {self.totalHeadersSize} bytes of headers"))
        else:
            self.refuse(InvalidParameter("malformed HTTP request"))

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(HeadersTooLarge(f"more than {self.totalHeadersSize} bytes of headers"))

    def refuse(self, error: EngineError) -> None:
        """Answer what is no request, and close."""
        if self._dropping:
            return
        request = self.requests[0] if self.requests else None
        if request is not None and request.startedWriting:
            self.abort()
            return
        status = status_of(error)
        body = error_bytes(error, status)
        reference_id = request.reference_id if request is not None else self.connection.id
        self.transport.write(
            b"HTTP/1.1 %d %b\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, RESPONSES.get(status, b"Error"), self.site.head(reference_id, False), len(body), body)
        )
        log.info("{reference_id} refused: {reason}", reference_id=reference_id, reason=str(error))
        lost, self.requests = self.requests, []
        self._linger()
        for each in lost:
            each.connectionLost(Failure(error))

    def _linger(self) -> None:
        """Say that nothing more comes, drop what the client still sends, and close when it has seen that.

        To close a socket with unread bytes resets the peer, which may then never see the answer.
        """
        self._drop_the_rest()
        if half_closes(self.transport) and not self._read_ended:
            self.transport.loseWriteConnection()
        else:
            self.loseConnection()

    def _drop_the_rest(self) -> None:
        """Of what the client sends, and wait for its end as long as `lingering` says."""
        self._dropping = True
        _twisted.take_pipelined(self)
        self._deadline.set(self.settings.lingering)
        self.gate.release("body")
        self.gate.release("channel")
        self.gate.release("answers")

    def _expired(self) -> None:
        phase = self.connection.phase
        if self._closing_tls:
            close_below(self.transport)
        elif self._dropping or self._answered_early is not None:
            self.abort()
        elif phase in (Phase.NEW, Phase.KEPT):
            self.connection.begin_close()
        elif phase is Phase.READING:
            self.refuse(RequestTimeout("the headers were not complete in time"))

    # The end.

    def close_when_idle(self) -> None:
        if self.connection.phase not in (Phase.NEW, Phase.KEPT) or self._dropping:
            return
        handle = getattr(self.transport, "socket", None)
        if isinstance(handle, socket.socket):
            self._read_once_more(handle)
        if self.connection.phase in (Phase.NEW, Phase.KEPT) and not self._dropping:
            self.loseConnection()
            if is_tls(self.transport):
                close_below(self.transport)  # all is answered: the client's close_notify is of no use

    def _read_once_more(self, handle: socket.socket) -> None:
        """Take what was sent before the client can know that we close."""
        if self.connection.is_unix:
            # From here on a send fails at the client before a byte is taken; our side reads as ended once it
            # has read what is queued, so the reactor must not look at it any more.
            self.gate.hold("closing")
            handle.shutdown(socket.SHUT_RD)
        pieces = []
        while True:
            try:
                piece = handle.recv(65536)
            except (BlockingIOError, ConnectionError):
                break
            if not piece:
                break
            pieces.append(piece)
        if self.connection.is_unix:
            self._read_ended = True
        if pieces:
            reader = self.transport if is_tls(self.transport) else self
            reader.dataReceived(b"".join(pieces))

    def _close_unless_serving(self) -> None:
        if self._uploading is not None and self._answered_early is None:
            self.abort()  # the rest of its body cannot come any more
        elif self.connection.phase in (Phase.READING, Phase.KEPT):
            self.loseConnection()

    def end_endless(self) -> None:
        """The daemon leaves: what has no end of its own ends now."""
        if self._duplex is not None:
            self._duplex.halt()
        for request in list(self.requests):
            if request.stream is not None:
                request.stream.halt()

    # Taking over.

    def hijack(self, request: Request, head: bytes) -> Duplex:
        """From here on the connection is raw; bytes that came with the request are the first to be read."""
        self._deadline.set(None)
        rest = _twisted.take_pipelined(self)
        self.requests = []
        self._uploading = None
        self.setRawMode()
        duplex = self._duplex = Duplex(self, request)
        self.gate.release("channel")
        self.gate.release("body")
        self.connection.become(Phase.HIJACKED)
        self.transport.write(head)
        if rest:
            duplex.received(rest)
        if self._read_ended:
            duplex.ended()
        return duplex

    def close_hijacked(self) -> None:
        """Both directions end: what is written goes out, what the client still sends is dropped."""
        if not self._dropping:
            self._linger()

    def close_hijacked_write(self) -> None:
        """The client reads an end once it has read what is written."""
        self.transport.loseWriteConnection()
