"""A route of Docker's past that no client has a use for: it is never there."""

from __future__ import annotations

from apiserver.http.app import group_app
from apiserver.http.errors import NoSuchRoute
from apiserver.http.request import Request


class MonitorGroup:
    """`/monitor`, always 404 as in Podman."""

    app = group_app()

    @app.route("/monitor", methods=["*"])
    def docker_monitor(self, request: Request) -> bytes:
        raise NoSuchRoute("/monitor")
