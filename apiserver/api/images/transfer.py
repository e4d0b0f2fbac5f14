"""Images that come in: load, import."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from apiserver.deferreds import to_the_end
from apiserver.engine.images.service import Images
from apiserver.engine.names import LIBPOD_NAMES
from apiserver.errors import NotImplementedYet
from apiserver.http.app import group_app
from apiserver.http.body import body_stream
from apiserver.http.errors import ClientGone
from apiserver.http.query import string, strings
from apiserver.http.reply import reply_json
from apiserver.http.request import Request
from apiserver.http.stream import open_stream
from apiserver.wire.docker.images import image_id, loaded_texts, new_name
from apiserver.wire.libpod import images as libpod
from apiserver.wire.progress import status_line, stream_line

T = TypeVar("T")


class ImageTransferGroup:
    """Images that come in: load, import."""

    app = group_app()

    def __init__(self, images: Images) -> None:
        self._images = images

    @app.route("/images/load", methods=["POST"])
    async def docker_load(self, request: Request) -> None:
        if string(request, "platform"):
            raise NotImplementedYet("the option platform (docker load --platform)")
        images = await to_the_end(_unless_gone(self._images.load(body_stream(request)), ()))
        stream = open_stream(request, "application/json")
        for text in loaded_texts(images):
            await stream.write_json(stream_line(text))

    @app.route("/images/create", methods=["POST"], query="fromSrc")
    async def docker_import(self, request: Request) -> None:
        source = string(request, "fromSrc") or "-"
        if source != "-":
            raise NotImplementedYet("importing from a URL (POST /images/create?fromSrc=)")
        repository = string(request, "repo")
        importing = self._images.import_layer(
            body_stream(request),
            name=new_name(repository, string(request, "tag")) if repository else None,
            changes=strings(request, "changes"),
            message=string(request, "message") or "",
            platform=string(request, "platform") or "",
        )
        new_id = await to_the_end(_unless_gone(importing, ""))
        stream = open_stream(request, "application/json")
        await stream.write_json(status_line(image_id(new_id)))

    @app.route("/libpod/images/load", methods=["POST"])
    async def libpod_load(self, request: Request) -> bytes:
        images = await to_the_end(_unless_gone(self._images.load(body_stream(request), LIBPOD_NAMES), ()))
        return reply_json(request, libpod.loaded_json(images))

    @app.route("/libpod/images/import", methods=["POST"])
    async def libpod_import(self, request: Request) -> bytes:
        if string(request, "URL"):
            raise NotImplementedYet("importing from a URL (POST /libpod/images/import?URL=)")
        reference = string(request, "reference")
        parts = [string(request, part) or "" for part in ("OS", "Architecture", "Variant")]
        importing = self._images.import_layer(
            body_stream(request),
            name=libpod.new_name(reference) if reference else None,
            changes=libpod.changes(strings(request, "changes")),
            message=string(request, "message") or "",
            platform="/".join([parts[0] or "linux", *parts[1:]]).rstrip("/"),
        )
        new_id = await to_the_end(_unless_gone(importing, ""))
        return reply_json(request, {"Id": image_id(new_id)})


async def _unless_gone(work: Coroutine[Any, Any, T], nothing: T) -> T:
    """What `work` makes of the body; `nothing` where the client left before its end: nobody is left to be told."""
    try:
        return await work
    except ClientGone:
        return nothing
