"""Our HTTP factory behind TLS on a TCP socket of this process, and clients that say themselves how they end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, TypeVar

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from apiserver.daemon.endpoints import TlsEndpoint
from apiserver.daemon.tls import over_tls
from apiserver.http.connection import Connection
from apiserver.http.router import Router
from apiserver.http.settings import HttpSettings
from tests.support.certificates import TlsFiles
from tests.support.http_socket import Recording, pause

T = TypeVar("T")


class TlsClient:
    """A blocking client; use it in a thread.

    Attributes:
        tcp: what carries it.
        tls: its `shutdown` says close_notify and waits for nothing.
    """

    def __init__(self, tcp: socket.socket) -> None:
        self.tcp = tcp
        self.tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), tcp)
        self.tls.set_connect_state()
        self.tls.do_handshake()

    def read_until(self, ending: bytes) -> bytes:
        """Up to `ending`, and not a byte more."""
        data = b""
        while not data.endswith(ending):
            data += self.tls.recv(1)
        return data

    def read_all(self) -> bytes:
        """Up to the service's close_notify."""
        data = bytearray()
        while True:
            try:
                data += self.tls.recv(65536)
            except SSL.ZeroReturnError:
                return bytes(data)

    def tcp_ended(self) -> bool:
        """Whether what came last from the service is the end of its TCP connection, or a reset."""
        try:
            return self.tcp.recv(1) == b""
        except ConnectionResetError:
            return True


class TlsServed:
    """A group's resource behind TLS on a port of its own; close it with `await end()`."""

    def __init__(self, router: Router, files: TlsFiles, settings: HttpSettings | None = None) -> None:
        self.factory = Recording(router, settings or HttpSettings(lingering=1), reactor, "ssl://127.0.0.1:0")
        behind: Any = over_tls(TlsEndpoint(0, files.key, files.certificate), self.factory)
        self._port: Any = reactor.listenTCP(0, behind, interface="127.0.0.1")

    @property
    def connections(self) -> list[Connection]:
        return self.factory.connections

    async def connect(self) -> TlsClient:
        """A client whose handshake is over; the caller closes its `tcp`."""
        address = ("127.0.0.1", self._port.getHost().port)
        client: TlsClient = await deferToThread(lambda: TlsClient(socket.create_connection(address)))
        return client

    async def talk(self, work: Callable[[TlsClient], T]) -> T:
        """Run a client in a thread, with a connection that is closed afterwards, without a close_notify."""

        def run() -> T:
            with socket.create_connection(("127.0.0.1", self._port.getHost().port)) as client:
                return work(TlsClient(client))

        result: T = await deferToThread(run)
        return result

    async def end(self) -> None:
        await self._port.stopListening()
        for connection in self.connections:
            connection.abort()
        await pause(0)
