"""A server of HTTP in a thread of the test's, of the standard library: what it answers is the test's."""

from __future__ import annotations

import http.server
import ssl
import threading
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps its connections, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer; `_` in the names of headers stands for `-`."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        """Of the request, whole, chunked or not."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        got = b""
        while size := int(self.rfile.readline(), 16):
            got += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return got


class RunningServer:
    """Runs until `close`.

    Args:
        tls: the directory of its `cert.pem` and `key.pem`, where it has TLS; with `client.cert` in it whoever comes is
            asked for a certificate by that authority, and may have none.

    Attributes:
        host: `127.0.0.1:PORT`.
    """

    def __init__(self, handler: type[Handler], tls: Path | None = None) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            if (tls / "client.cert").exists():
                context.verify_mode = ssl.CERT_OPTIONAL
                context.load_verify_locations(tls / "client.cert")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.port: int = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.scheme = "http" if tls is None else "https"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
