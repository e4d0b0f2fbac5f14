"""Names of images: tag, and remove with the last name."""

from __future__ import annotations

from apiserver.api.images.words import in_words_of_a_search
from apiserver.deferreds import to_the_end
from apiserver.engine.containers.services import Containers
from apiserver.engine.images.remove import ImageInUse, Removed
from apiserver.engine.images.service import Images
from apiserver.engine.names import LIBPOD_NAMES
from apiserver.errors import EngineError, InvalidParameter, NotFound
from apiserver.http.app import group_app
from apiserver.http.flavour import Flavour
from apiserver.http.query import docker_bool, libpod_bool, string, strings
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.images import new_name, removed_json
from apiserver.wire.libpod import images as libpod


class ImageNamesGroup:
    """Names of images: tag, and remove with the last name."""

    app = group_app()

    def __init__(self, images: Images, containers: Containers) -> None:
        self._images = images
        self._containers = containers

    @app.route("/images/<image:name>/tag", methods=["POST"])
    async def docker_tag(self, request: Request, name: str) -> bytes:
        new = new_name(string(request, "repo") or "", string(request, "tag"))
        await to_the_end(self._images.tag(name, new))
        return reply_empty(request, 201)

    @app.route("/images/<image:name>", methods=["DELETE"])
    async def docker_remove(self, request: Request, name: str) -> bytes:
        force, prune = docker_bool(request, "force"), not docker_bool(request, "noprune")
        removal = await to_the_end(self._images.remove(name, force=force, prune=prune, digests=True))
        return reply_json(request, removed_json((*removal.untagged, *removal.forgotten), removal.deleted))

    @app.route("/libpod/images/<image:name>/tag", methods=["POST"])
    async def libpod_tag(self, request: Request, name: str) -> bytes:
        new = libpod.new_name(_repository(request), string(request, "tag"))
        with in_words_of_a_search():
            await to_the_end(self._images.tag(name, new, LIBPOD_NAMES))
        return reply_empty(request, 201)

    @app.route("/libpod/images/<image:name>/untag", methods=["POST"])
    async def libpod_untag(self, request: Request, name: str) -> bytes:
        whole = string(request, "repo") is None and string(request, "tag") is None
        old = None if whole else libpod.new_name(_repository(request), string(request, "tag"))
        with in_words_of_a_search():
            await to_the_end(self._images.untag(name, old, LIBPOD_NAMES))
        return reply_empty(request, 201)

    @app.route("/libpod/images/remove", methods=["DELETE"])
    async def libpod_remove_several(self, request: Request) -> bytes:
        names, everything = list(strings(request, "images")), libpod_bool(request, "all")
        if everything:
            names = [image.id for image in await self._images.all() if not image.intermediate]
        force, prune = libpod_bool(request, "force"), not libpod_bool(request, "noprune")
        ignore = libpod_bool(request, "ignore")
        report, code = Removed(), 0
        errors: list[str] = []
        for name in names:
            try:
                one = await to_the_end(
                    self._remove(name, force=force, prune=prune, ignore=ignore, whatever_names=everything)
                )
            except EngineError as error:
                errors.append(Flavour.LIBPOD.words(error))
                code = max(code, _exit_code(error))
            else:
                report.untagged += one.untagged
                report.deleted += one.deleted
        return reply_json(request, libpod.removed_json(report.untagged, report.deleted, errors, code))

    @app.route("/libpod/images/<image:name>", methods=["DELETE"])
    async def libpod_remove(self, request: Request, name: str) -> bytes:
        removal = await to_the_end(
            self._remove(name, force=libpod_bool(request, "force"), prune=True, ignore=libpod_bool(request, "ignore"))
        )
        return reply_json(request, libpod.removed_json(removal.untagged, removal.deleted))

    async def _remove(
        self, name: str, *, force: bool, prune: bool, ignore: bool, whatever_names: bool = False
    ) -> Removed:
        """As Podman has it, a forced removal of an image, not just of one name of many, takes its containers along."""
        try:
            if force:
                image = await self._images.find(name, LIBPOD_NAMES)
                if len(image.names) <= 1 or image.id.startswith(name.removeprefix("sha256:")):
                    for user in self._containers.registry.users_of_image(image.id):
                        await self._containers.remove.remove(user, force=True)
            return await self._images.remove(
                name,
                force=force,
                prune=prune,
                parents=True,
                whatever_names=whatever_names,
                short_names=LIBPOD_NAMES,
            )
        except NotFound:
            if ignore:
                return Removed()
            raise


def _repository(request: Request) -> str:
    repository = string(request, "repo")
    if repository is None:
        raise InvalidParameter("repo parameter is required to tag an image")
    return repository


def _exit_code(error: EngineError) -> int:
    """What `podman rmi` ends with: 1 for an unknown image, 2 for one that is in use, else 125."""
    if isinstance(error, NotFound):
        return 1
    return 2 if isinstance(error, ImageInUse) else 125
