"""Requests to servers, on connections that are kept for the next."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from collections.abc import Iterable, Mapping

from apiserver.drivers.registry_proxy.bodies import Body
from apiserver.drivers.registry_proxy.connections import Trust, Unreachable, connect, why
from apiserver.drivers.registry_proxy.dial import CONNECT_LIMIT
from apiserver.drivers.registry_proxy.origins import Origin

# Go has a limit of their bytes alone; the library's 100 can be set nowhere else before Python 3.15.
http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]


class Upstream:
    """The connections that serve one of skopeo's."""

    def __init__(self, trust: Trust, environment: Mapping[str, str]) -> None:
        self._trust = trust
        self._environment = environment
        self._connections: dict[Origin, tuple[http.client.HTTPConnection, str]] = {}

    def connected(self, origin: Origin, limit: float = CONNECT_LIMIT) -> tuple[http.client.HTTPConnection, str]:
        """
        Args:
            limit: seconds until it is, where it is not yet.

        Raises:
            Unreachable
        """
        if origin in self._connections and _has_ended(self._connections[origin][0]):
            self.close(origin)
        if origin not in self._connections:
            self._connections[origin] = connect(origin, self._trust, self._environment, limit)
        return self._connections[origin]

    def close(self, origin: Origin | None = None) -> None:
        for each in list(self._connections) if origin is None else [origin]:
            if each in self._connections:
                self._connections.pop(each)[0].close()

    def ask(
        self, origin: Origin, method: str, target: str, headers: Iterable[tuple[str, str]], body: Body | None
    ) -> http.client.HTTPResponse:
        """The answer, which may come before the body has gone: its connection then ends with it.

        Raises:
            Unreachable
        """
        headers = list(headers)
        while True:
            used = origin in self._connections
            connection, before = self.connected(origin)
            answer = _Answer(connection, method)
            try:
                whole = _send(connection, method, before + target, origin, headers, body, answer)
                connection.getresponse()
                answer.will_close |= not whole
                return answer
            except (OSError, http.client.HTTPException) as error:
                answer.close()
                self.close(origin)
                # It may have been closed at the other end since it was used last.
                if not used or body is not None or not isinstance(error, ConnectionError):
                    raise Unreachable(why(error, origin.host, origin.port)) from None


class _Answer(http.client.HTTPResponse):
    """The next of a connection, whatever `100 Continue`, `103 Early Hints` and so on come before it."""

    def __init__(self, connection: http.client.HTTPConnection, method: str) -> None:
        super().__init__(connection.sock, method=method)
        connection.response_class = lambda *_, **__: self  # type: ignore[assignment]
        self._sock = connection.sock

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200 and self.status != http.client.SWITCHING_PROTOCOLS:
            self.headers = None  # type: ignore[assignment]  # as before it began
            super().begin()

    def is_there(self) -> bool:
        """Whether it, or the end of the connection, has come; the socket does not block."""
        if not select.select([self._sock], [], [], 0)[0]:
            return False
        try:
            self.fp.peek(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False  # TLS has said something by itself
        except OSError:
            pass  # so it has ended
        return True


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """Nothing is to be said on an idle connection but that it ends, and by TLS what it is resumed with."""
    if connection.sock is None:
        return True
    connection.sock.settimeout(0)
    try:
        connection.sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.sock.settimeout(None)
    return True


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    origin: Origin,
    headers: Iterable[tuple[str, str]],
    body: Body | None,
    answer: _Answer,
) -> bool:
    """Send a request; False where the server answers, or ends, before it has all."""
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", origin.authority)
    for name, value in (*headers, *getattr(connection, "to_the_proxy", {}).items()):
        connection.putheader(name, value)
    if body is not None and body.length is None:
        connection.putheader("Transfer-Encoding", "chunked")
    elif body is not None:
        connection.putheader("Content-Length", str(body.length))
    connection.endheaders()
    if body is None:
        return True
    sock = connection.sock
    sock.setblocking(False)
    try:
        for piece in body.pieces:
            if not _give(sock, piece if body.length is not None else b"%x\r\n%b\r\n" % (len(piece), piece), answer):
                return False
        return body.length is not None or _give(sock, b"0\r\n\r\n", answer)
    finally:
        sock.setblocking(True)


def _give(sock: socket.socket, data: bytes, answer: _Answer) -> bool:
    left = memoryview(data)
    while left:
        if answer.is_there():
            return False
        try:
            left = left[sock.send(left) :]
        except (BlockingIOError, ssl.SSLWantWriteError):
            select.select([sock], [sock], [])
        except ssl.SSLWantReadError:
            select.select([sock], [], [])
        except OSError:
            return False
    return True
