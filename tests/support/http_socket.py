"""Our HTTP factory on a unix socket of this process, and clients that see every byte."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from apiserver.http.channel import Channel
from apiserver.http.connection import Connection
from apiserver.http.router import Router
from apiserver.http.settings import HttpSettings
from apiserver.http.site import HttpFactory

T = TypeVar("T")


class Recording(HttpFactory):
    """Keeps the connections that it built."""

    def __init__(self, root: Router, settings: HttpSettings, clock: Any, listener: str) -> None:
        super().__init__(root, settings, clock, listener)
        self.connections: list[Connection] = []

    def buildProtocol(self, addr: IAddress | None = None) -> Channel:
        channel = super().buildProtocol(addr)
        self.connections.append(channel.connection)
        return channel


class Served:
    """A group's resource behind a real unix socket; close it with `await end()`."""

    def __init__(self, router: Router, settings: HttpSettings | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="apiserver-http-"))
        self.path = self._folder / "sock"
        self.factory = Recording(router, settings or HttpSettings(lingering=1), reactor, f"unix://{self.path}")
        self._port: Any = reactor.listenUNIX(str(self.path), self.factory)  # type: ignore[attr-defined]

    @property
    def connections(self) -> list[Connection]:
        return self.factory.connections

    def connect(self) -> socket.socket:
        """A blocking socket; use it in a thread, but for what fits into its buffer."""
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(str(self.path))
        return client

    async def talk(self, work: Callable[[socket.socket], T]) -> T:
        """Run a client in a thread, with a connection that is closed afterwards."""

        def run() -> T:
            with self.connect() as client:
                return work(client)

        result: T = await deferToThread(run)
        return result

    async def end(self) -> None:
        await self._port.stopListening()
        for connection in self.connections:
            connection.abort()
        await pause(0)
        shutil.rmtree(self._folder)


def pause(seconds: float) -> Deferred[None]:
    return deferLater(reactor, seconds, lambda: None)


async def until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Let the reactor work until something holds."""
    for _ in range(int(seconds / 0.01)):
        if holds():
            return
        await pause(0.01)
    raise AssertionError("it does not come true")


def read_head(client: socket.socket) -> bytes:
    """Status line and headers, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = client.recv(1)
        if not piece:
            raise ConnectionError(f"ended within a head: {head!r}")
        head += piece
    return head


def read_answer(client: socket.socket) -> tuple[int, bytes, bytes]:
    """Status, head and body of one answer with a length or in chunks."""
    head = read_head(client)
    status = int(head.split()[1])
    fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n"))}
    if fields.get(b"transfer-encoding") == b"chunked":
        return status, head, b"".join(iter(lambda: read_chunk(client), b""))
    return status, head, read_exactly(client, int(fields.get(b"content-length", b"0")))


def read_chunk(client: socket.socket) -> bytes:
    """One chunk; b"" for the last."""
    line = b""
    while not line.endswith(b"\r\n"):
        piece = client.recv(1)
        if not piece:
            raise ConnectionError("ended without a last chunk")
        line += piece
    return read_exactly(client, int(line, 16) + 2)[:-2]


def read_exactly(client: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = client.recv(min(size - len(data), 1024 * 1024))
        if not piece:
            raise ConnectionError(f"ended after {len(data)} of {size} bytes")
        data += piece
    return bytes(data)


def read_all(client: socket.socket) -> bytes:
    """Up to the end of the connection."""
    return b"".join(iter(lambda: client.recv(65536), b""))
