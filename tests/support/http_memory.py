"""HTTP connections in memory: what a client would send and see on a socket, without one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from apiserver.http.settings import HttpSettings
from apiserver.http.site import Root, make_factory


class Transport(StringTransport):
    """Tells its protocol when it is closed, as a socket would."""

    protocol: Any = None
    aborted = False
    write_closed = False

    def loseConnection(self) -> None:
        if self.connected:
            super().loseConnection()  # type: ignore[no-untyped-call]
            self.connected = False
            self.protocol.connectionLost(Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()

    def loseWriteConnection(self) -> None:
        self.write_closed = True


@dataclass(frozen=True)
class Answer:
    """
    Attributes:
        headers: names in lower case.
        body: without the lengths of its chunks.
        whole: whether it ended as it should; always for a hijack.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool

    def json(self) -> Any:
        return json.loads(self.body)

    def lines(self) -> list[Any]:
        """One JSON value on each line."""
        return [json.loads(line) for line in self.body.splitlines()]


class MemoryConnection:
    """One connection to the service."""

    def __init__(
        self, root: Root, clock: IReactorTime, settings: HttpSettings | None = None, listener: str = ""
    ) -> None:
        factory = make_factory(root, settings or HttpSettings(), clock, listener)
        self.protocol: Any = factory.buildProtocol(UNIXAddress("/sock"))
        self.transport: Any = Transport(peerAddress=UNIXAddress("/client"))  # type: ignore[no-untyped-call]
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)  # type: ignore[no-untyped-call]

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> MemoryConnection:
        """Send a whole request; names of headers have `_` for `-`."""
        lines = [f"{method} {path} HTTP/1.1", "Host: d"]
        if body is not None or method == "POST":
            lines.append(f"Content-Length: {len(body or b'')}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode() + (body or b""))
        return self

    def hang_up(self) -> None:
        self.transport.loseConnection()

    def shut_down(self) -> None:
        """The client sends nothing more, and still reads."""
        self.protocol.readConnectionLost()

    @property
    def answered(self) -> bool:
        return b"\r\n\r\n" in self.transport.value()

    @property
    def closed(self) -> bool:
        return not self.transport.connected or self.transport.write_closed

    @property
    def answer(self) -> Answer:
        """What has come so far."""
        head, separator, body = self.transport.value().partition(b"\r\n\r\n")
        assert separator, f"no answer yet: {head!r}"
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        whole = True
        if headers.get("transfer-encoding") == "chunked":
            body, whole = _chunks(body)
        elif "content-length" in headers:
            whole = len(body) == int(headers["content-length"])
        return Answer(int(first.split()[1]), headers, body, whole)


def _chunks(data: bytes) -> tuple[bytes, bool]:
    pieces: list[bytes] = []
    while data:
        length, _, data = data.partition(b"\r\n")
        size = int(length, 16)
        if size == 0:
            return b"".join(pieces), True
        pieces.append(data[:size])
        data = data[size + 2 :]
    return b"".join(pieces), False
