"""Names of images: tag, and remove with the last name."""

from __future__ import annotations

from apiserver.api.collaborators import ImageService
from apiserver.deferreds import to_the_end
from apiserver.errors import InvalidParameter
from apiserver.http.app import group_app
from apiserver.http.query import docker_bool, string
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.images import removed_json


class ImageNamesGroup:
    """Names of images: tag, and remove with the last name."""

    app = group_app()

    def __init__(self, images: ImageService) -> None:
        self._images = images

    @app.route("/images/<image:name>/tag", methods=["POST"])
    async def docker_tag(self, request: Request, name: str) -> bytes:
        repository, tag = string(request, "repo"), string(request, "tag")
        if repository is None:
            raise InvalidParameter("repo: repository name must have at least one component")
        await to_the_end(self._images.tag(name, f"{repository}:{tag}" if tag else repository))
        return reply_empty(request, 201)

    @app.route("/images/<image:name>", methods=["DELETE"])
    async def docker_remove(self, request: Request, name: str) -> bytes:
        removal = await to_the_end(
            self._images.remove(name, force=docker_bool(request, "force"), prune=not docker_bool(request, "noprune"))
        )
        return reply_json(request, removed_json(removal.untagged, removal.deleted))
