"""The connections that are open: a protocol factory around the HTTP one tells the idle tracker of each."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from zope.interface import implementer

from apiserver.daemon.idle import IdleTracker
from apiserver.http.connection import Connection, Phase


class Connections:
    """All connections of all listeners.

    Attributes:
        tracker: their counts.
    """

    def __init__(self, tracker: IdleTracker) -> None:
        self.tracker = tracker
        self._open: set[Connection] = set()

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        self.tracker.opened(connection)
        connection.observe(self._changed)

    def leave(self) -> None:
        """Ask each to end; no request that was sent is lost by it.

        Requests under way are finished, endless answers end whole, hijacked connections are closed.
        """
        for connection in list(self._open):
            connection.halt()

    def abort(self) -> None:
        """Drop each at once."""
        for connection in list(self._open):
            connection.abort()

    def _changed(self, connection: Connection, before: Phase, now: Phase) -> None:
        if now is Phase.HIJACKED:
            self.tracker.became_hijacked(connection)
        elif now is Phase.CLOSED:
            self._open.discard(connection)
            self.tracker.closed(connection)


@implementer(IProtocolFactory)
class CountingFactory:
    """Builds the HTTP factory's protocols and nothing around them: a hijack needs the transport itself."""

    noisy = False

    def __init__(self, http: IProtocolFactory, connections: Connections) -> None:
        self._http = http
        self._connections = connections

    def doStart(self) -> None:  # noqa: N802 - Twisted's name
        self._http.doStart()

    def doStop(self) -> None:  # noqa: N802 - Twisted's name
        self._http.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:  # noqa: N802 - Twisted's name
        protocol = self._http.buildProtocol(addr)
        if protocol is not None:
            # Counted here: a connection that was accepted is one before its transport is made.
            self._connections.opened(protocol.connection)  # type: ignore[attr-defined]
        return protocol
