"""Listing and inspecting images."""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import now
from apiserver.engine.containers.services import Containers
from apiserver.engine.images.service import Images
from apiserver.engine.ports.images import Image
from apiserver.engine.system import System
from apiserver.http.app import group_app
from apiserver.http.query import docker_bool, filters, string
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.image_filters import select
from apiserver.wire.docker.images import history_json, image_json, summary_json


class ImageListGroup:
    """Listing and inspecting images.

    Args:
        wall_clock: whose `seconds()` is the time of day, for `until=10m`.
    """

    app = group_app()

    def __init__(self, images: Images, containers: Containers, system: System, wall_clock: IReactorTime) -> None:
        self._images = images
        self._containers = containers
        self._system = system
        self._clock = wall_clock

    @app.route("/images/json", methods=["GET"])
    async def docker_list(self, request: Request) -> bytes:
        wanted = filters(request)
        if name := string(request, "filter"):  # what `reference` was before 1.41
            wanted["reference"] = (*wanted.get("reference", ()), name)
        found: dict[str, Image] = {}
        for key in ("before", "since"):
            for name in wanted.get(key, ())[-1:]:
                found[name] = await self._images.find(name)
        chosen = select(
            await self._images.all(),
            wanted,
            found.__getitem__,
            now(self._clock),
            intermediate=docker_bool(request, "all"),
        )
        uses = Counter(container.image_id for container in self._containers.registry.all())
        counted = docker_bool(request, "shared-size")
        newest = sorted(chosen, key=lambda image: image.created.timestamp() if image.created else 0, reverse=True)
        return reply_json(
            request,
            [summary_json(image, uses[image.id] if counted else -1, request.version) for image in newest],
        )

    @app.route("/images/<image:name>/json", methods=["GET"])
    async def docker_inspect(self, request: Request, name: str) -> bytes:
        image = await self._images.find(name)
        return reply_json(request, image_json(image, self._system.host.storage_driver, request.version))

    @app.route("/images/<image:name>/history", methods=["GET"])
    async def docker_history(self, request: Request, name: str) -> bytes:
        return reply_json(request, history_json(await self._images.find(name)))
