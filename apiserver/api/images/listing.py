"""Listing and inspecting images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from twisted.internet.interfaces import IReactorTime

from apiserver.api.containers.surroundings import now
from apiserver.api.images.words import in_words_of_a_search
from apiserver.engine.containers.services import Containers
from apiserver.engine.images.service import Images
from apiserver.engine.images.sizes import shared_bytes
from apiserver.engine.names import DOCKER_NAMES, LIBPOD_NAMES, InvalidReference, ShortNames
from apiserver.engine.ports.images import Image
from apiserver.engine.system import System
from apiserver.errors import NoSuchImage
from apiserver.http.app import group_app
from apiserver.http.query import docker_bool, filters, libpod_bool, string
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.image_filters import select
from apiserver.wire.docker.images import history_json, image_json, summary_json
from apiserver.wire.libpod import images as libpod
from apiserver.wire.libpod.image_filters import select as libpod_select


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
        found = await self._named(
            (name for key in ("before", "since") for name in wanted.get(key, ())[-1:]), DOCKER_NAMES
        )
        images = await self._images.all()
        chosen = select(
            images,
            wanted,
            found.__getitem__,
            now(self._clock),
            intermediate=docker_bool(request, "all"),
        )
        newest = _newest_first(chosen)
        if not docker_bool(request, "shared-size"):
            return reply_json(request, [summary_json(image, -1, -1, request.version) for image in newest])
        uses, shared = self._uses(), shared_bytes(images)
        return reply_json(
            request, [summary_json(image, uses[image.id], shared[image.id], request.version) for image in newest]
        )

    @app.route("/images/<image:name>/json", methods=["GET"])
    async def docker_inspect(self, request: Request, name: str) -> bytes:
        image = await self._images.find(name)
        return reply_json(request, image_json(image, self._system.host.storage_driver, request.version))

    @app.route("/images/<image:name>/history", methods=["GET"])
    async def docker_history(self, request: Request, name: str) -> bytes:
        return reply_json(request, history_json(await self._images.find(name)))

    @app.route("/libpod/images/json", methods=["GET"])
    async def libpod_list(self, request: Request) -> bytes:
        wanted, uses = filters(request), self._uses()
        found = await self._named(
            (name for key in ("before", "since", "after") for name in wanted.get(key, ())), LIBPOD_NAMES
        )
        meant = {name: await self._maybe(name) for name in wanted.get("reference", ())}
        chosen = libpod_select(
            await self._images.all(),
            wanted,
            {**meant, **found}.__getitem__,
            uses.__contains__,
            now(self._clock),
            intermediate=libpod_bool(request, "all"),
        )
        return reply_json(request, [libpod.summary_json(image, uses[image.id]) for image in _newest_first(chosen)])

    @app.route("/libpod/images/<image:name>/exists", methods=["GET"])
    async def libpod_exists(self, request: Request, name: str) -> bytes:
        await self._images.find(name, LIBPOD_NAMES)
        return reply_empty(request)

    @app.route("/libpod/images/<image:name>/json", methods=["GET"])
    async def libpod_inspect(self, request: Request, name: str) -> bytes:
        with in_words_of_a_search():
            image = await self._images.find(name, LIBPOD_NAMES)
        return reply_json(request, libpod.image_json(image, self._system.host.storage_driver))

    @app.route("/libpod/images/<image:name>/history", methods=["GET"])
    async def libpod_history(self, request: Request, name: str) -> bytes:
        with in_words_of_a_search():
            image = await self._images.find(name, LIBPOD_NAMES)
        return reply_json(request, libpod.history_json(image, await self._images.all()))

    async def _named(self, names: Iterable[str], short_names: ShortNames) -> Mapping[str, Image]:
        return {name: await self._images.find(name, short_names) for name in names}

    async def _maybe(self, name: str) -> Image | None:
        try:
            return await self._images.find(name, LIBPOD_NAMES)
        except (NoSuchImage, InvalidReference):
            return None

    def _uses(self) -> Counter[str]:
        """How many containers are made of an image, by its id."""
        return Counter(container.image_id for container in self._containers.registry.all())


def _newest_first(images: Iterable[Image]) -> list[Image]:
    return sorted(images, key=lambda image: image.created.timestamp() if image.created else 0, reverse=True)
