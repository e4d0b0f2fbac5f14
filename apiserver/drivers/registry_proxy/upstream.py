"""Requests to servers, on connections that are kept for the next."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from apiserver.drivers.registry_proxy.connections import Trust, Unreachable, connect, why
from apiserver.drivers.registry_proxy.origins import Origin


class Upstream:
    """The connections that serve one of skopeo's."""

    def __init__(self, trust: Trust, environment: Mapping[str, str]) -> None:
        self._trust = trust
        self._environment = environment
        self._connections: dict[Origin, tuple[http.client.HTTPConnection, str]] = {}

    def connected(self, origin: Origin) -> tuple[http.client.HTTPConnection, str]:
        """
        Raises:
            Unreachable
        """
        if origin in self._connections and _has_ended(self._connections[origin][0]):
            self.close(origin)
        if origin not in self._connections:
            self._connections[origin] = connect(origin, self._trust, self._environment)
        return self._connections[origin]

    def close(self, origin: Origin | None = None) -> None:
        for each in list(self._connections) if origin is None else [origin]:
            if each in self._connections:
                self._connections.pop(each)[0].close()

    def ask(
        self, origin: Origin, method: str, target: str, headers: Iterable[tuple[str, str]], body: Body | None
    ) -> http.client.HTTPResponse:
        """
        Raises:
            Unreachable
        """
        headers = list(headers)
        while True:
            used = origin in self._connections
            connection, before = self.connected(origin)
            try:
                _send(connection, method, before + target, origin, headers, body)
                return connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self.close(origin)
                # It may have been closed at the other end since it was used last.
                if not used or body is not None or not isinstance(error, ConnectionError):
                    raise Unreachable(why(error, origin.host, origin.port)) from None


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


class Body(NamedTuple):
    """Of a request, as it comes; `length` is None where it is chunked."""

    length: int | None
    pieces: Iterator[bytes]


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    origin: Origin,
    headers: Iterable[tuple[str, str]],
    body: Body | None,
) -> None:
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
        return
    try:
        for piece in body.pieces:
            connection.send(piece if body.length is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
        if body.length is None:
            connection.send(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        return  # it has answered before it had all
