"""A blocking Docker client, no faster or slower than what it talks to: plain HTTP over one unix socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

PIECE = 256 * 1024
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

    def body_of(self, path: str) -> bytes:
        """The body of a GET, not decoded; errors as in `call`."""
        self.request("GET", VERSION + path)
        answer = self.getresponse()
        body = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"GET {path}: {answer.status} {body.decode(errors='replace')}")
        return body

    def upload(self, path: str, pieces: Iterator[bytes]) -> str:
        """POST a stream, chunked, and give back the whole answer; errors as in `call`."""
        self.request("POST", VERSION + path, pieces, {"Content-Type": "application/x-tar"}, encode_chunked=True)
        return self._text("POST", path)

    def upload_file(self, path: str, file: BinaryIO) -> str:
        """POST a file with its length said before, and give back the whole answer; errors as in `call`."""
        length = os.fstat(file.fileno()).st_size
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(length)}
        self.request("POST", VERSION + path, file, headers)
        return self._text("POST", path)

    def post(self, path: str) -> str:
        """POST nothing, and give back the whole answer, which may be a stream; errors as in `call`."""
        self.request("POST", VERSION + path)
        return self._text("POST", path)

    def _text(self, method: str, path: str) -> str:
        answer = self.getresponse()
        text = answer.read().decode()
        if answer.status >= 400 or '"error"' in text:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[-2000:]}")
        return text

    def hijack(self, path: str, body: object = None) -> socket.socket:
        """POST with Upgrade; the raw socket after the head of the answer."""
        data = b"" if body is None else json.dumps(body).encode()
        kind = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        return self._raw(
            f"POST {VERSION}{path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n{kind}", data
        )

    def stream(self, path: str) -> socket.socket:
        """GET on a connection of its own, which ends with the answer; the raw socket after the head."""
        return self._raw(f"GET {VERSION}{path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n", b"")

    def _raw(self, head: str, body: bytes) -> socket.socket:
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(self.timeout)
        raw.connect(str(self._path))
        raw.sendall(head.encode() + b"\r\n" + body)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):  # byte by byte: what follows belongs to the stream
            piece = raw.recv(1)
            if not piece:
                raise RuntimeError(f"{head.splitlines()[0]}: closed after {answer!r}")
            answer += piece
        if answer.split()[1] not in (b"101", b"200"):
            raise RuntimeError(f"{head.splitlines()[0]}: {answer.decode()}")
        return raw


def drained(raw: socket.socket) -> tuple[int, float]:
    """Read to the end: (bytes, seconds from the first of them)."""
    piece = bytearray(PIECE)
    count = raw.recv_into(piece)
    began = time.perf_counter()
    while got := raw.recv_into(piece):
        count += got
    raw.close()
    return count, time.perf_counter() - began
