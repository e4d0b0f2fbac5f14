"""Volumes: create, list, inspect, remove, prune."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import now
from apiserver.deferreds import to_the_end
from apiserver.engine.containers.services import Containers
from apiserver.engine.volumes.model import Volume
from apiserver.engine.volumes.service import Volumes
from apiserver.http.app import group_app
from apiserver.http.body import json_body
from apiserver.http.query import docker_bool, filters, libpod_bool
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.jsonvalue import JsonObject
from apiserver.wire.docker.volumes import CreateVolumeBody, check_create, list_json, select, volume_json
from apiserver.wire.libpod import volumes as libpod


class VolumesGroup:
    """Volumes: create, list, inspect, remove, prune.

    Args:
        wall_clock: whose `seconds()` is the time of day, for `until=10m`.
    """

    app = group_app()

    def __init__(self, volumes: Volumes, containers: Containers, wall_clock: IReactorTime) -> None:
        self._volumes = volumes
        self._containers = containers
        self._clock = wall_clock

    @app.route("/volumes", methods=["GET"])
    def docker_list(self, request: Request) -> bytes:
        chosen = select(self._volumes.all(), filters(request), self._used().__contains__)
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

    @app.route("/libpod/volumes/json", methods=["GET"])
    def libpod_list(self, request: Request) -> bytes:
        chosen = libpod.select(
            self._volumes.all(), filters(request), self._volumes.get, self._used().__contains__, now(self._clock)
        )
        return reply_json(request, [self._shown(volume) for volume in chosen])

    @app.route("/libpod/volumes/create", methods=["POST"])
    async def libpod_create(self, request: Request) -> bytes:
        body = await json_body(request, libpod.CreateVolumeBody)
        libpod.check_create(body)
        volume = await to_the_end(
            self._volumes.create(
                body.name,
                labels=body.all_labels,
                options=body.options,
                driver=body.driver,
                anonymous=not body.name,
                exclusive=not body.ignore_if_exists,
            )
        )
        return reply_json(request, self._shown(volume), 201)

    @app.route("/libpod/volumes/<name:name>/json", methods=["GET"])
    def libpod_inspect(self, request: Request, name: str) -> bytes:
        return reply_json(request, self._shown(self._volumes.get(name)))

    @app.route("/libpod/volumes/<name:name>/exists", methods=["GET"])
    def libpod_exists(self, request: Request, name: str) -> bytes:
        self._volumes.get(name)
        return reply_empty(request)

    @app.route("/libpod/volumes/<name:name>", methods=["DELETE"])
    async def libpod_remove(self, request: Request, name: str) -> bytes:
        if libpod_bool(request, "force"):
            for user in self._containers.registry.users_of_volume(name):
                await to_the_end(self._containers.remove.remove(user, force=True))
        await to_the_end(self._volumes.remove(name))
        return reply_empty(request)

    def _used(self) -> set[str]:
        return {name for container in self._containers.registry.all() for name in container.volumes}

    def _shown(self, volume: Volume) -> JsonObject:
        alive = [container for container in self._containers.registry.all() if container.alive]
        return libpod.volume_json(volume, sum(volume.name in container.volumes for container in alive))
