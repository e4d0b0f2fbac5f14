"""A request whose handler starts when its head is in, and whose body is a stream."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web import server

from apiserver.http import middleware
from apiserver.http.body_stream import BodyStream
from apiserver.http.connection import Connection
from apiserver.http.flavour import Flavour
from apiserver.http.settings import HttpSettings
from apiserver.http.version import DEFAULT, Version

_ABSOLUTE = re.compile(rb"https?://([^/?]*)", re.IGNORECASE)


class Carrier(Protocol):
    """What a request comes on: the channel."""

    @property
    def connection(self) -> Connection: ...
    @property
    def settings(self) -> HttpSettings: ...
    @property
    def clock(self) -> IReactorTime: ...

    def hold_body(self) -> None: ...
    def release_body(self) -> None: ...


class TakenOver(Protocol):
    """A connection that is raw from here on (`hijack`)."""

    def close(self) -> None: ...


class GoingOn(Protocol):
    """An answer whose head is out (`stream`)."""

    def finish(self) -> None: ...
    def halt(self) -> None: ...


class Request(server.Request):
    """What a handler gets.

    Attributes:
        connection: peer, listener and id of the connection that it came on.
        version: what the path asked for, else what we announce to this flavour.
        version_given: whether the path asked for one.
        flavour: whose words to answer in.
        reference_id: stands for this request in the log; the client's own, or the connection's.
        route: template of the matched route with names as in the code; "" before that.
        body: what the client sends; use `json_body` or `body_stream`.
    """

    defaultContentType = None  # no answer is HTML
    channel: Any

    if TYPE_CHECKING:  # typed here, so that callers need no exception

        def setHeader(self, name: bytes, value: bytes) -> None: ...
        def write(self, data: bytes) -> None: ...

    def __init__(self, channel: Carrier) -> None:
        super().__init__(channel, parsePOSTFormSubmission=False)
        self.connection: Connection = channel.connection
        self.settings: HttpSettings = channel.settings
        self.version: Version = DEFAULT
        self.version_given = False
        self.flavour = Flavour.DOCKER
        self.reference_id = self.connection.id
        self.route = ""
        self.handling: Deferred[Any] | None = None
        self.hijacked: TakenOver | None = None
        self.stream: GoingOn | None = None
        self.begun = False
        self.continue_due = False
        self.query_values: dict[str, list[str]] | None = None
        self.body = BodyStream(channel.hold_body, channel.release_body, self._send_continue, channel.clock)

    def trace_body(self, raw: bytes) -> None:
        """Put the body into the log, credentials blanked, where bodies are traced."""
        if self.settings.trace:
            middleware.trace_request_body(self, raw)

    @property
    def gone(self) -> bool:
        """Whether nobody reads an answer any more."""
        return bool(self._disconnected)

    # What the channel calls. Twisted's own reads the body into a file first, and has no limit for it.

    def gotLength(self, length: int | None) -> None:
        if length == 0:
            self.body.end()

    def parseCookies(self) -> None:
        """Nothing here has cookies."""

    def handleContentChunk(self, data: bytes) -> None:
        self.body.received(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The body has ended; without one, the request has also begun."""
        if not self.begun:
            self.begin(command, path, version)
        self.body.end()

    def begin(self, command: bytes, path: bytes, version: bytes) -> None:
        """The head is in: have it answered."""
        self.begun = True
        if path[:1] != b"/" and (absolute := _ABSOLUTE.match(path)) is not None:
            # RFC 9112, 3.2.2: a server takes it, and the host in it counts.
            self.requestHeaders.setRawHeaders(b"host", [absolute[1]])
            path = b"/" + path[absolute.end() :].removeprefix(b"/")
        self.method, self.uri, self.clientproto = command, path, version
        self.path = path.partition(b"?")[0]
        self.args = {}
        own_id = self.requestHeaders.getRawHeaders(b"X-Reference-Id")
        if own_id:
            self.reference_id = middleware.reference_id(own_id[0], self.connection.id)
        self.channel.site.root.render(self)

    def connectionLost(self, reason: Failure) -> None:
        """The client hung up: whoever reads the body or works on the answer is told."""
        if self.finished:
            return
        handling = self.handling
        super().connectionLost(reason)
        self.body.lose()
        if handling is not None and not handling.called:
            handling.cancel()

    def finish(self) -> None:
        self.body.drop()
        super().finish()

    def abandon(self) -> None:
        """Drop the connection: an answer has begun, so no other can be given."""
        if self.channel is not None and not self.finished:
            self.channel.break_off()

    def _send_continue(self) -> None:
        if self.continue_due and not self.startedWriting and self.channel is not None:
            self.continue_due = False
            self.channel.send_continue()
