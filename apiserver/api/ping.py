"""Whether the service is there, and which versions it speaks."""

from __future__ import annotations

from typing import Final

from apiserver.http.app import group_app
from apiserver.http.reply import reply_bytes
from apiserver.http.request import Request

_HEADERS: Final = (
    (b"BuildKit-Version", b""),
    (b"Builder-Version", b"1"),  # the classic builder: Docker's command line asks for BuildKit otherwise
    (b"Docker-Experimental", b"false"),
    (b"Libpod-Buildah-Version", b""),
    (b"Swarm", b"inactive"),
    (b"Cache-Control", b"no-cache, no-store, must-revalidate"),
    (b"Pragma", b"no-cache"),
)


class PingGroup:
    """Whether the service is there, and which versions it speaks."""

    app = group_app()

    @app.route("/_ping", methods=["GET", "HEAD"])
    def docker_ping(self, request: Request) -> bytes:
        return _pong(request)

    @app.route("/libpod/_ping", methods=["GET", "HEAD"])
    def libpod_ping(self, request: Request) -> bytes:
        return _pong(request)


def _pong(request: Request) -> bytes:
    for name, value in _HEADERS:
        request.setHeader(name, value)
    return reply_bytes(request, b"" if request.method == b"HEAD" else b"OK", "text/plain; charset=utf-8")
