"""What this host and this service are."""

from __future__ import annotations

from apiserver.engine.system import System
from apiserver.http.app import group_app
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.system import info_json
from apiserver.wire.libpod import system as libpod


class InfoGroup:
    """What this host and this service are."""

    app = group_app()

    def __init__(self, system: System) -> None:
        self._system = system

    @app.route("/info", methods=["GET"])
    async def docker_info(self, request: Request) -> bytes:
        return reply_json(request, info_json(await self._system.info(), request.version))

    @app.route("/libpod/info", methods=["GET"])
    async def libpod_info(self, request: Request) -> bytes:
        return reply_json(request, libpod.info_json(await self._system.info()))
