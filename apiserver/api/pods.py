"""Pods: containers that share namespaces (libpod). There are none yet, and who asks is told so."""

from __future__ import annotations

from apiserver.errors import NoSuchPod
from apiserver.http.app import group_app
from apiserver.http.query import filters
from apiserver.http.reply import reply_json
from apiserver.http.request import Request


class PodsGroup:
    """Pods: containers that share namespaces (libpod).

    `podman inspect NAME` looks for a pod, too, and fails at any other answer than that there is none.
    """

    app = group_app()

    @app.route("/libpod/pods/json", methods=["GET"])
    def libpod_list(self, request: Request) -> bytes:
        filters(request)
        return reply_json(request, [])

    @app.route("/libpod/pods/<name:name>/json", methods=["GET"])
    def libpod_inspect(self, request: Request, name: str) -> bytes:
        raise NoSuchPod(name)

    @app.route("/libpod/pods/<name:name>/exists", methods=["GET"])
    def libpod_exists(self, request: Request, name: str) -> bytes:
        raise NoSuchPod(name)
