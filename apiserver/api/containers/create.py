"""Making a container of a SpecGenerator."""

from __future__ import annotations

from apiserver.deferreds import to_the_end
from apiserver.engine.containers.services import Containers
from apiserver.engine.names import LIBPOD_NAMES
from apiserver.engine.networks.service import Networks
from apiserver.engine.system import System
from apiserver.http.app import group_app
from apiserver.http.body import json_body
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.wire.libpod.create import CreateBody, created_json, names_platform, read_create


class ContainerCreateGroup:
    """Making a container of a SpecGenerator."""

    app = group_app()

    def __init__(self, containers: Containers, networks: Networks, system: System) -> None:
        self._containers = containers
        self._networks = networks
        self._system = system

    @app.route("/libpod/containers/create", methods=["POST"])
    async def libpod_create(self, request: Request) -> bytes:
        body = await json_body(request, CreateBody)
        options = read_create(body, lambda name: self._networks.get(name).name, self._system.host.proxies)
        container = await to_the_end(
            self._containers.create.create(
                body.name, body.image, options, short_names=LIBPOD_NAMES, any_platform=names_platform(body)
            )
        )
        return reply_json(request, created_json(body, container), 201)
