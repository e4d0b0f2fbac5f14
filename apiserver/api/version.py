"""Which versions of the two APIs are served, and by whom."""

from __future__ import annotations

from apiserver.engine.system import System
from apiserver.http.app import group_app
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.http.version import API_VERSION, MIN_API_VERSION
from apiserver.wire.docker.system import version_json
from apiserver.wire.libpod import system as libpod


class VersionGroup:
    """Which versions of the two APIs are served, and by whom."""

    app = group_app()

    def __init__(self, system: System) -> None:
        self._system = system

    @app.route("/version", methods=["GET"])
    async def docker_version(self, request: Request) -> bytes:
        system = self._system
        await system.learn_versions()
        return reply_json(request, version_json(system.host, system.version, API_VERSION, MIN_API_VERSION))

    @app.route("/libpod/version", methods=["GET"])
    async def libpod_version(self, request: Request) -> bytes:
        system = self._system
        await system.learn_versions()
        return reply_json(request, libpod.version_json(system.host, system.version, API_VERSION, MIN_API_VERSION))
