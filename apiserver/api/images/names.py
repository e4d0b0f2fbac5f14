"""Names of images: tag, and remove with the last name."""

from __future__ import annotations

from apiserver.deferreds import to_the_end
from apiserver.engine.images.service import Images
from apiserver.http.app import group_app
from apiserver.http.query import docker_bool, string
from apiserver.http.reply import reply_empty, reply_json
from apiserver.http.request import Request
from apiserver.wire.docker.images import new_name, removed_json


class ImageNamesGroup:
    """Names of images: tag, and remove with the last name."""

    app = group_app()

    def __init__(self, images: Images) -> None:
        self._images = images

    @app.route("/images/<image:name>/tag", methods=["POST"])
    async def docker_tag(self, request: Request, name: str) -> bytes:
        new = new_name(string(request, "repo") or "", string(request, "tag"))
        await to_the_end(self._images.tag(name, new))
        return reply_empty(request, 201)

    @app.route("/images/<image:name>", methods=["DELETE"])
    async def docker_remove(self, request: Request, name: str) -> bytes:
        removal = await to_the_end(
            self._images.remove(name, force=docker_bool(request, "force"), prune=not docker_bool(request, "noprune"))
        )
        return reply_json(request, removed_json(removal.untagged, removal.deleted))
