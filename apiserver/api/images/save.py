"""Images that go out as archives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from apiserver.engine.images.save import Saves
from apiserver.engine.names import DOCKER_NAMES, LIBPOD_NAMES, familiar_name
from apiserver.engine.ports.images import ByteSink, SaveForm
from apiserver.errors import InvalidParameter
from apiserver.http.app import group_app
from apiserver.http.query import libpod_bool, string, strings
from apiserver.http.request import Request
from apiserver.http.stream import Stream, open_stream
from apiserver.wire.docker.save import check_platforms
from apiserver.wire.libpod.save import content_type, save_form


class ImageSaveGroup:
    """Images that go out as archives."""

    app = group_app()

    def __init__(self, saves: Callable[[], Saves]) -> None:
        self._saves = saves

    @app.route("/images/get", methods=["GET"])
    async def docker_save_several(self, request: Request) -> None:
        await self._docker(request, strings(request, "names"))

    @app.route("/images/<image:name>/get", methods=["GET"])
    async def docker_save(self, request: Request, name: str) -> None:
        await self._docker(request, [name])

    @app.route("/libpod/images/export", methods=["GET"])
    async def libpod_save_several(self, request: Request) -> None:
        await self._libpod(request, strings(request, "references"))

    @app.route("/libpod/images/<image:name>/get", methods=["GET"])
    async def libpod_save(self, request: Request, name: str) -> None:
        await self._libpod(request, [name])

    async def _docker(self, request: Request, names: Sequence[str]) -> None:
        if not names:
            raise InvalidParameter("no images to save: names is empty")
        saves = self._saves()
        wanted = await saves.wanted(names, DOCKER_NAMES, repositories=True)
        check_platforms(strings(request, "platform"), [one.image for one in wanted])
        await saves.save(wanted, SaveForm(), _body(request, "application/x-tar"), familiar_name)

    async def _libpod(self, request: Request, names: Sequence[str]) -> None:
        if not names:
            raise InvalidParameter("no references")
        form = save_form(
            string(request, "format") or "",
            len(names),
            compress=libpod_bool(request, "compress"),
            uncompressed=libpod_bool(request, "ociAcceptUncompressedLayers"),
        )
        saves = self._saves()
        wanted = await saves.wanted(names, LIBPOD_NAMES)
        await saves.save(wanted, form, _body(request, content_type(form)), str)


def _body(request: Request, type_: str) -> ByteSink:
    """The answer's, whose head goes out with its first bytes: until then an error has a status."""
    stream: Stream | None = None

    async def write(data: bytes) -> None:
        nonlocal stream
        if stream is None:
            stream = open_stream(request, type_)
        await stream.write(data)

    return write
