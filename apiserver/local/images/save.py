"""Saving images: skopeo writes them, and what it writes goes on as it comes or, where it needs files, from there."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from apiserver.deferreds import cancelled_after
from apiserver.drivers import skopeo
from apiserver.drivers.process import Child, ProgramFailed
from apiserver.drivers.skopeo import Skopeo
from apiserver.engine.ports.images import ByteSink, SavedImage, SaveForm, SaveFormat
from apiserver.errors import EngineError, ImageRemovedUnderneath
from apiserver.local.images.archive_merge import ArchiveMerge
from apiserver.local.images.reader import StoreReader
from apiserver.local.images.spool import NoRoom, Spool
from apiserver.local.images.tar_directory import send_directory
from apiserver.local.threads import InThread

_AT_ONCE = 6
"""Layers that skopeo copies at the same time into a directory (containers/image, `maxParallelDownloads`)."""


class Save:
    """`ImageSource.save` on this machine."""

    def __init__(self, reader: StoreReader, skopeo: Skopeo, spool: Spool, in_thread: InThread) -> None:
        self._reader = reader
        self._skopeo = skopeo
        self._spool = spool
        self._in_thread = in_thread

    async def save(self, images: Sequence[SavedImage], form: SaveForm, sink: ByteSink) -> None:
        async with self._spool.workplace() as place:
            if form.format is SaveFormat.DOCKER_ARCHIVE:
                await self._archive(images, place, sink)
            else:
                (image,) = images
                await self._directory(image, form, place, sink)

    async def _archive(self, images: Sequence[SavedImage], place: Path, sink: ByteSink) -> None:
        merge = ArchiveMerge()

        async def pass_on(data: bytes) -> None:
            for piece in merge.feed(data):
                await sink(piece)

        await self._spool.make_sure_of_room(max([await self._size(image.id, 1) for image in images]))
        for image in images:
            await self._copy(image.id, "docker-archive:/dev/stdout", place, pass_on)
            merge.image(image.names)
        await sink(merge.end())

    async def _directory(self, image: SavedImage, form: SaveForm, place: Path, sink: ByteSink) -> None:
        target, temporary = place / "image", place / "temporary"
        options: list[str] = []
        if form.format is SaveFormat.DOCKER_DIRECTORY:
            options += ["--format", "v2s2"] + (["--dest-compress"] if form.compress else [])
            reference = f"dir:{target}"
        else:
            options += ["--dest-oci-accept-uncompressed-layers"] if form.uncompressed else []
            reference = ":".join(["oci", str(target), *image.names])
        # All of it, and what skopeo has uncompressed in between.
        await self._spool.make_sure_of_room(await self._size(image.id) + await self._size(image.id, _AT_ONCE))
        await cancelled_after(self._in_thread(temporary.mkdir))
        await self._copy(image.id, reference, temporary, _unheard, options)
        await send_directory(target, sink, self._in_thread)

    async def _size(self, image_id: str, largest: int | None = None) -> int:
        """Bytes of all layers of an image, or of so many of the largest."""
        image = (await self._reader.images()).get(image_id)
        sizes = [layer.size_bytes for layer in image.layers] if image else []
        return sum(sizes if largest is None else heapq.nlargest(largest, sizes))

    async def _copy(
        self, image_id: str, target: str, temporary: Path, said: ByteSink, options: Sequence[str] = ()
    ) -> None:
        async with _ended() as children:
            try:
                await self._skopeo.copy_from_store(
                    image_id, target, temporary=temporary, said=said, started=children.append, options=options
                )
            except ProgramFailed as error:
                if (refusal := _refusal(error, image_id)) is None:
                    raise
                raise refusal from error


@asynccontextmanager
async def _ended() -> AsyncIterator[list[Child]]:
    """No child that was put here lives on: what it has open is removed next."""
    children: list[Child] = []
    try:
        yield children
    finally:
        for child in children:
            if child.code is None:
                child.kill()
                await child.exited()


async def _unheard(_: bytes) -> None:
    """What skopeo says on the way to a directory."""


def _refusal(error: ProgramFailed, image_id: str) -> EngineError | None:
    """What it is to clients; None where it is no more than a program that failed."""
    said = skopeo.reason(error)
    if "no space left on device" in said:
        return NoRoom(said.removesuffix(": no space left on device"))
    return ImageRemovedUnderneath(f"sha256:{image_id}") if skopeo.is_gone(said) else None
