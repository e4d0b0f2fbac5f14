"""A server on a unix socket, asked with blocking requests."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("d", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Server:
    """One flavour of one server.

    Args:
        prefix: in front of every path: `/v1.45`, `/v5.4.2/libpod`.
    """

    def __init__(self, path: str, prefix: str) -> None:
        self.path = path
        self.prefix = prefix

    def other(self, prefix: str) -> Server:
        """The same server, another flavour."""
        return Server(self.path, prefix)

    def ask(self, method: str, path: str, body: object = None, *, may_fail: bool = False, **query: Any) -> Any:
        """The decoded answer; None where it has no body, text where it is no JSON.

        Args:
            body: bytes (an archive), else sent as JSON.
            query: what is no string is written as JSON, but for numbers.

        Raises:
            AssertionError: it refused, and may not.
        """
        pairs = ((key, value if isinstance(value, str | int) else json.dumps(value)) for key, value in query.items())
        path = f"{self.prefix}{path}?" + "&".join(f"{key}={quote(str(value))}" for key, value in pairs)
        headers = {"Content-Type": "application/x-tar" if isinstance(body, bytes) else "application/json"}
        connection = _Connection(self.path)
        try:
            sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert may_fail or answer.status < 400, f"{method} {path}: {answer.status} {data!r}"
        try:
            return json.loads(data) if data else None
        except ValueError:
            return data.decode(errors="replace")

    def records(self, path: str, **query: Any) -> list[Any]:
        """The JSON lines of an answer that ends."""
        answer = self.ask("GET", path, **query)
        if isinstance(answer, dict):  # a single one
            return [answer]
        return [json.loads(line) for line in (answer or "").splitlines() if line.strip()]
