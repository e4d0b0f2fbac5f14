"""Images that come in: load, import; pull is not built yet."""

from __future__ import annotations

from apiserver.api.collaborators import ImageService
from apiserver.errors import NotImplementedYet
from apiserver.http.app import group_app
from apiserver.http.body import body_stream
from apiserver.http.query import string, strings
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.wire.docker.images import image_id, loaded_texts
from apiserver.wire.progress import status_line, stream_line


class ImageTransferGroup:
    """Images that come in: load, import; pull is not built yet."""

    app = group_app()

    def __init__(self, images: ImageService) -> None:
        self._images = images

    @app.route("/images/load", methods=["POST"])
    async def docker_load(self, request: Request) -> None:
        if string(request, "platform"):
            raise NotImplementedYet("the option platform (docker load --platform)")
        # Cut off with its client, which may be in the middle of the archive: the store is as before then.
        images = await self._images.load(body_stream(request))
        stream = open_stream(request, "application/json")
        for text in loaded_texts(images):
            await stream.write_json(stream_line(text))

    @app.route("/images/create", methods=["POST"], query="fromSrc")
    async def docker_import(self, request: Request) -> None:
        source = string(request, "fromSrc") or "-"
        if source != "-":
            raise NotImplementedYet("importing from a URL (POST /images/create?fromSrc=)")
        new_id = await self._images.import_layer(
            body_stream(request),
            name=_name(string(request, "repo"), string(request, "tag")),
            changes=strings(request, "changes"),
            comment=string(request, "message") or "",
            platform=string(request, "platform"),
        )
        stream = open_stream(request, "application/json")
        await stream.write_json(status_line(image_id(new_id)))


def _name(repository: str | None, tag: str | None) -> str | None:
    """`repo` may have a tag itself."""
    if repository is None:
        return None
    return f"{repository}:{tag}" if tag else repository
