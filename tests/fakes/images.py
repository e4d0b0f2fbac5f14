"""An image source in memory: archives are JSON, layers any bytes that begin with `tar`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from msgspec.structs import replace

from apiserver.engine.ports.images import (
    ByteSink,
    ByteSource,
    HistoryEntry,
    Image,
    ImageConfig,
    LoadedImage,
    NewImage,
    SavedImage,
    SaveForm,
)
from apiserver.errors import ImageRemovedUnderneath, InvalidParameter, NoSuchImage

CREATED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def image(seed: str, *names: str, parent: Image | None = None, created: datetime = CREATED, **config: object) -> Image:
    """An image whose id is a digest of `seed`; a parent's history is the beginning of its own."""
    before = parent.history if parent else ()
    return Image(
        id=hashlib.sha256(seed.encode()).hexdigest(),
        names=tuple(name for name in names if "@" not in name),
        digests=tuple(name for name in names if "@" in name),
        created=created,
        size_bytes=10,
        config=ImageConfig(**config),  # type: ignore[arg-type]  # the fields of a dataclass
        manifest_digest="sha256:" + hashlib.sha256(b"manifest" + seed.encode()).hexdigest(),
        history=(*before, HistoryEntry(created, created_by=seed)),
        parent=parent.id if parent else None,
        architecture="amd64",
    )


def archive_of(*images: tuple[str, Sequence[str]]) -> bytes:
    """Of seeds and canonical names."""
    return json.dumps([[seed, list(names)] for seed, names in images]).encode()


class FakeImageSource:
    def __init__(self, *images: Image) -> None:
        self._images: Mapping[str, Image] = {}
        self.removed_underneath: set[str] = set()
        self.saved: list[tuple[list[SavedImage], SaveForm]] = []
        self._put(*images)

    async def images(self) -> Mapping[str, Image]:
        return self._images

    async def load(self, archive: ByteSource, canonical: Callable[[str], str]) -> Sequence[LoadedImage]:
        try:
            found = json.loads(await _all(archive))
        except ValueError as error:
            raise InvalidParameter("invalid tar header") from error
        loaded = []
        for seed, written in found:
            names = [canonical(name) for name in written]
            new = image(seed, *names)
            self._name(new.id, *names)
            have = self._images.get(new.id)
            self._put(replace(new, names=tuple(dict.fromkeys((*(have.names if have else ()), *names)))))
            loaded.append(LoadedImage(new.id, tuple(names)))
        return loaded

    async def import_layer(self, layer: ByteSource, image: NewImage, name: str | None) -> str:
        data = await _all(layer)
        if data and not data.startswith(b"tar"):
            raise InvalidParameter("invalid tar header")
        image_id = hashlib.sha256(data + repr(image).encode()).hexdigest()
        self._put(
            Image(
                id=image_id,
                names=(),
                digests=(),
                created=image.created,
                size_bytes=len(data),
                config=image.config,
                architecture=image.architecture or "amd64",
                variant=image.variant,
                comment=image.comment,
                history=(HistoryEntry(image.created, comment=image.comment),),
            )
        )
        if name:
            await self.tag(image_id, name)
        return image_id

    async def save(self, images: Sequence[SavedImage], form: SaveForm, sink: ByteSink) -> None:
        """An archive for `load`, in two pieces; of an image that came by it or from `image`."""
        for each in images:
            await self.verify(each.id)
        self.saved.append((list(images), form))
        whole = archive_of(*((self._images[each.id].history[-1].created_by, each.names) for each in images))
        await sink(whole[:2])
        await sink(whole[2:])

    async def tag(self, image_id: str, name: str) -> None:
        if image_id not in self._images:
            raise NoSuchImage(f"sha256:{image_id}")
        self._name(image_id, name)
        tagged = self._images[image_id]
        if name not in tagged.names:
            self._put(replace(tagged, names=(*tagged.names, name)))

    async def untag(self, image_id: str, name: str) -> None:
        if found := self._images.get(image_id):
            self._put(_without(found, name))

    async def remove(self, image_id: str, keep: Collection[str] = ()) -> Sequence[str]:
        if image_id not in self._images:
            raise NoSuchImage(f"sha256:{image_id}")
        removed = []
        current: Image | None = self._images[image_id]
        while current is not None:
            removed.append(current.id)
            self._images = MappingProxyType({key: each for key, each in self._images.items() if key not in removed})
            parent = self._images.get(current.parent or "")
            needed = parent is None or parent.names or parent.digests or parent.id in keep
            needed = needed or any(each.parent == parent.id for each in self._images.values() if parent)
            current = None if needed else parent
        return removed

    def add(self, *images: Image) -> None:
        """As if somebody had brought them; their names move to them."""
        for each in images:
            self._put(*(_without(other, name) for other in self._images.values() for name in each.names))
            self._put(each)

    async def verify(self, image_id: str) -> None:
        if image_id not in self._images or image_id in self.removed_underneath:
            raise ImageRemovedUnderneath(f"sha256:{image_id}")

    def _name(self, image_id: str, *names: str) -> None:
        for name in names:
            self._put(*(_without(each, name) for each in self._images.values() if each.id != image_id))

    def _put(self, *images: Image) -> None:
        self._images = MappingProxyType({**self._images, **{each.id: each for each in images}})


def _without(image: Image, name: str) -> Image:
    return replace(
        image,
        names=tuple(each for each in image.names if each != name),
        digests=tuple(each for each in image.digests if each != name),
    )


async def _all(source: ByteSource) -> bytes:
    data = b""
    while piece := await source.read():
        data += piece
    return data
