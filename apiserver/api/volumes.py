"""Volumes: create, list, inspect, remove, prune."""

from __future__ import annotations

from apiserver.deferreds import to_the_end
from apiserver.engine.containers.services import Containers
from apiserver.engine.volumes.service import Volumes
from apiserver.http.app import group_app
from apiserver.http.body import json_body
from apiserver.http.query import docker_bool, filters
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.volumes import CreateVolumeBody, check_create, list_json, select, volume_json


class VolumesGroup:
    """Volumes: create, list, inspect, remove, prune."""

    app = group_app()

    def __init__(self, volumes: Volumes, containers: Containers) -> None:
        self._volumes = volumes
        self._containers = containers

    @app.route("/volumes", methods=["GET"])
    def docker_list(self, request: Request) -> bytes:
        used = {name for container in self._containers.registry.all() for name in container.volumes}
        chosen = select(self._volumes.all(), filters(request), used.__contains__)
        return reply_json(request, list_json(chosen))

    @app.route("/volumes/create", methods=["POST"])
    async def docker_create(self, request: Request) -> bytes:
        body = await json_body(request, CreateVolumeBody)
        check_create(body)
        volume = await to_the_end(
            self._volumes.create(
                body.name,
                labels=body.labels,
                options=body.driver_opts,
                driver=body.driver,
                anonymous=not body.name,
            )
        )
        return reply_json(request, volume_json(volume), 201)

    @app.route("/volumes/<name:name>", methods=["GET"])
    def docker_inspect(self, request: Request, name: str) -> bytes:
        return reply_json(request, volume_json(self._volumes.get(name)))

    @app.route("/volumes/<name:name>", methods=["DELETE"])
    async def docker_remove(self, request: Request, name: str) -> bytes:
        await to_the_end(self._volumes.remove(name, force=docker_bool(request, "force")))
        return reply_empty(request)
