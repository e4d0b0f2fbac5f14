"""A blocking Docker client, no faster or slower than what it talks to: plain HTTP over one unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VERSION = "/v1.41"  # the newest that Debian 12's podman speaks


class Connection(http.client.HTTPConnection):
    """One kept-alive connection to a unix socket."""

    def __init__(self, path: Path, timeout: float = 300) -> None:
        super().__init__("d", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded JSON answer, or None where there is none.

        Raises:
            RuntimeError: the answer is an error; with its words.
        """
        data, headers = (None, {}) if body is None else (json.dumps(body), {"Content-Type": "application/json"})
        self.request(method, VERSION + path, data, headers)
        answer = self.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text) if text.startswith((b"{", b"[")) else None

    def upload(self, path: str, pieces: Iterator[bytes]) -> str:
        """POST a stream, chunked, and give back the whole answer; errors as in `call`."""
        self.request("POST", VERSION + path, pieces, {"Content-Type": "application/x-tar"}, encode_chunked=True)
        answer = self.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            raise RuntimeError(f"POST {path}: {answer.status} {text}")
        return text

    def hijack(self, path: str) -> socket.socket:
        """POST with Upgrade; the raw socket after the head of the answer."""
        head = f"POST {VERSION}{path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(self.timeout)
        raw.connect(str(self._path))
        raw.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):  # byte by byte: what follows belongs to the stream
            piece = raw.recv(1)
            if not piece:
                raise RuntimeError(f"POST {path}: closed after {answer!r}")
            answer += piece
        if answer.split()[1] not in (b"101", b"200"):
            raise RuntimeError(f"POST {path}: {answer.decode()}")
        return raw
