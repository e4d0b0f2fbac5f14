"""The image store of this machine: reading in-process, writing by skopeo and buildah."""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from twisted.logger import Logger

from apiserver.deferreds import TimedLock
from apiserver.drivers import buildah, oci_image, skopeo
from apiserver.drivers.buildah import Buildah
from apiserver.drivers.process import ProgramFailed
from apiserver.drivers.skopeo import Skopeo, StoreAddress
from apiserver.engine.ports.images import (
    ByteSink,
    ByteSource,
    Image,
    LoadedImage,
    NewImage,
    SavedImage,
    SaveForm,
)
from apiserver.errors import Conflict, EngineError, ImageRemovedUnderneath, NoSuchImage
from apiserver.local.images.archive import ArchivedImage, Canonical, archived_images, write_layout
from apiserver.local.images.compression import Damaged
from apiserver.local.images.model_json import NAMELESS, config_json
from apiserver.local.images.reader import StoreReader
from apiserver.local.images.spool import NoRoom, Spool, Spooled
from apiserver.local.images.tarscan import check
from apiserver.local.paths import Paths
from apiserver.local.threads import InThread

if TYPE_CHECKING:
    from apiserver.local.images.copies import Copies
    from apiserver.local.images.save import Save

log = Logger()
T = TypeVar("T")

COPY_TIME_LIMIT = 3600.0
"""Seconds for one image: a large one on a slow disk."""

_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i686": "386",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "riscv64": "riscv64",
}


def host_architecture() -> str:
    """This machine's, in OCI's words."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def prepare_store(paths: Paths) -> StoreAddress:
    """Make the directories of our own store and the files that shut out the host's configuration; blocks.

    Local images need no signature; each registry's rules come with the registries.
    """
    settings = paths.storage_conf.parent
    address = StoreAddress(
        root=paths.storage,
        runroot=paths.runroot / "storage",
        policy=settings / "policy.json",
        registries=settings / "registries.conf",
        storage=paths.storage_conf,
    )
    for directory in (address.root, address.runroot, settings):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    address.policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')
    address.registries.write_text("unqualified-search-registries = []\n")
    address.storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{address.root}"\nrunroot = "{address.runroot}"\n'
    )
    return address


class ImageStore:
    """Fulfils `ImageSource`; `lower_directories` is for this machine's own containers.

    Args:
        lock: around changes of names: they are looked at first. Copying takes long and needs none but the store's own.
        copies: made, and its module imported, when the first copy begins; likewise `save`.
    """

    def __init__(
        self,
        reader: StoreReader,
        skopeo: Skopeo,
        buildah: Buildah,
        spool: Spool,
        in_thread: InThread,
        lock: TimedLock,
        copies: Callable[[], Copies],
        save: Callable[[], Save],
    ) -> None:
        self._reader = reader
        self._skopeo = skopeo
        self._buildah = buildah
        self._spool = spool
        self._in_thread = in_thread
        self._writing = lock
        self._copies = copies
        self._save = save

    async def images(self) -> Mapping[str, Image]:
        return await self._reader.images()

    async def lower_directories(self, image_id: str) -> Sequence[Path]:
        """Nearest first.

        Raises:
            ImageRemovedUnderneath
        """
        image = (await self._reader.images()).get(image_id)
        if image is None:
            raise ImageRemovedUnderneath(f"sha256:{image_id}")
        return await self._reader.lower_directories(image)

    async def verify(self, image_id: str) -> None:
        await self.lower_directories(image_id)

    async def load(self, archive: ByteSource, canonical: Canonical) -> Sequence[LoadedImage]:
        async with self._copies().one(), self._spool.workplace() as place:
            spooled = await self._spool.take(archive, place / "archive.tar")
            found = await self._in_thread(lambda: archived_images(spooled.path, place, canonical))
            return await self._copy_all(found, place)

    async def import_layer(self, layer: ByteSource, image: NewImage, name: str | None) -> str:
        async with self._copies().one(), self._spool.workplace() as place:
            spooled = await self._spool.take(layer, place / "layer.tar")

            def lay_out() -> Path:
                check(spooled.path)
                return _lay_out_layer(place / "layout", spooled, image)

            layout = await self._in_thread(lay_out)
            (made,) = await self._copy_all([ArchivedImage(f"oci:{layout}", (name,) if name else ())], place)
            return made.id

    async def save(self, images: Sequence[SavedImage], form: SaveForm, sink: ByteSink) -> None:
        for image in images:
            await self.verify(image.id)
        await self._save().save(images, form, sink)

    async def tag(self, image_id: str, name: str) -> None:
        async with self._writing:
            await self._told(self._buildah.tag(image_id, name), image_id)

    async def untag(self, image_id: str, name: str) -> None:
        async with self._writing:
            image = (await self.images()).get(image_id)
            if image is not None and name in (*image.names, *image.digests):
                await self._drop_name(image, name)

    async def remove(self, image_id: str, keep: Collection[str] = ()) -> Sequence[str]:
        async with self._writing:
            before = await self.images()
            for other in keep:
                await self._told(self._buildah.tag(other, _nameless()), other)
            removed = [image_id, *await self._told(self._buildah.remove_image(image_id), image_id)]
            for ancestor in _needed_by_nothing_else(before, image_id, keep):
                if ancestor not in removed:  # it has a hidden name, which is a name to buildah
                    removed += [ancestor, *await self._told(self._buildah.remove_image(ancestor), ancestor)]
        return list(dict.fromkeys(removed))

    async def _copy_all(self, found: Sequence[ArchivedImage], temporary: Path) -> Sequence[LoadedImage]:
        """All of them, or none."""
        before = await self.images()
        loaded: list[LoadedImage] = []
        try:
            for one in found:
                loaded.append(await self._copy(one, temporary))
                image = (await self.images()).get(loaded[-1].id)
                if image is not None and image.os not in ("", "linux"):
                    raise Damaged(f"cannot load {image.os[:100]} image on linux")
                if others := one.names[1:]:
                    async with self._writing:
                        await self._told(self._buildah.tag(loaded[-1].id, *others), loaded[-1].id)
        except BaseException:
            await self.undo(before, {each.id for each in loaded}, {name for one in found for name in one.names})
            raise
        return loaded

    async def _copy(self, one: ArchivedImage, temporary: Path) -> LoadedImage:
        name = one.names[0] if one.names else _nameless()
        try:
            await self._skopeo.copy_into_store(one.source, name, temporary=temporary, time_limit=COPY_TIME_LIMIT)
        except ProgramFailed as error:
            if (refusal := _refusal(error)) is None:
                raise
            raise refusal from error
        image_id = await self._reader.id_by_stored_name(name)
        if image_id is None:
            raise ImageRemovedUnderneath(name)
        if image_id not in await self.images():
            await self.remove_unreadable(image_id)
            raise Damaged("the image's configuration cannot be read")
        return LoadedImage(image_id, one.names)

    async def remove_unreadable(self, image_id: str) -> None:
        """skopeo looks at less of a configuration than we do: nobody would see such an image, nor could remove it.

        Raises:
            NoSuchImage, Conflict, ProgramFailed
        """
        await self._told(self._buildah.remove_image(image_id), image_id)

    async def _drop_name(self, image: Image, name: str) -> None:
        """Take a name away and keep the image: buildah would remove it with its last name."""
        if len(image.names) + len(image.digests) == 1:
            await self._buildah.tag(image.id, _nameless())
        try:
            await self._buildah.remove_name(name)
        except ProgramFailed as error:
            if not buildah.is_unknown(error):
                raise

    async def undo(self, before: Mapping[str, Image], ids: set[str], names: set[str]) -> None:
        """Bring names back and remove new images; its own failure is logged, since another is being raised.

        Args:
            ids, names: what a load or a pull brought; what others did meanwhile stays.
        """
        try:
            async with self._writing:
                now = await self.images()
                for image in before.values():
                    if image.id in now and (lost := names.intersection(image.names) - set(now[image.id].names)):
                        await self._buildah.tag(image.id, *lost)
                for image in (await self.images()).values():
                    gained = names.intersection(_names(image))
                    if image.id in before:
                        for name in gained.difference(_names(before[image.id])):
                            await self._drop_name(image, name)
                    elif (image.id in ids or gained) and not set(_names(image)) - names:
                        await self._buildah.remove_image(image.id)
        except (EngineError, OSError) as error:
            log.error("what a failed copy left in the image store could not be undone: {error}", error=error)

    async def _told(self, work: Awaitable[T], image_id: str) -> T:
        """buildah's refusals in the engine's words."""
        try:
            return await work
        except ProgramFailed as error:
            if buildah.is_unknown(error):
                raise NoSuchImage(f"sha256:{image_id}") from error
            if buildah.is_in_use(error):
                raise Conflict(f"image sha256:{image_id} is in use by a build in the store itself") from error
            raise


def _refusal(error: ProgramFailed) -> EngineError | None:
    """Why skopeo could not copy: it is the archive's fault, unless the disk is full, or it was killed (None)."""
    said = skopeo.reason(error)
    if "no space left on device" in said:
        return NoRoom(said.removesuffix(": no space left on device"))
    return None if error.code > 128 else Damaged(said)


def _needed_by_nothing_else(images: Mapping[str, Image], image_id: str, keep: Collection[str]) -> Iterator[str]:
    """The nameless ancestors, nearest first, down to one that stays."""
    built_upon = Counter(image.parent for image in images.values())
    image = images.get(image_id)
    if image is None or built_upon[image_id]:
        return
    while image := images.get(image.parent or ""):
        if _names(image) or image.id in keep or built_upon[image.id] > 1:
            return
        yield image.id


def _names(image: Image) -> tuple[str, ...]:
    return (*image.names, *image.digests)


def _nameless() -> str:
    return NAMELESS + secrets.token_hex(16)


def _lay_out_layer(layout: Path, layer: Spooled, image: NewImage) -> Path:
    """Make an OCI layout of one spooled layer, which moves into it; blocks."""
    blobs = layout / "blobs" / "sha256"

    def blob(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    blobs.mkdir(mode=0o700, parents=True)
    layer.path.rename(blobs / layer.digest)
    digest = f"sha256:{layer.digest}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci_image.MEDIA_TYPE_MANIFEST,
        "config": blob(config_json(image, [digest], host_architecture()), oci_image.MEDIA_TYPE_CONFIG),
        "layers": [{"mediaType": oci_image.MEDIA_TYPE_LAYER, "digest": digest, "size": layer.size}],
    }
    write_layout(layout, blob(json.dumps(manifest).encode(), oci_image.MEDIA_TYPE_MANIFEST))
    return layout
