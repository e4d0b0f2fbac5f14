"""Images and layers of the store, read in-process and kept until the store's files change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from apiserver.drivers.containers_storage import Identity, StoredImage, StoreFiles
from apiserver.drivers.oci_image import ConfigJson, decode_config
from apiserver.engine.ports.images import HistoryEntry, Image
from apiserver.errors import HostError, ImageRemovedUnderneath
from apiserver.local.images.model_json import ORPHANED, LayersMissing, image_of
from apiserver.local.images.pulled import PulledFile, still_named
from apiserver.local.threads import InThread

log = Logger()

_ATTEMPTS = 5


class StoreUnreadable(HostError):
    cause = "the image store cannot be read"


_Identity = tuple[Identity, tuple[int, int] | None]


class _Snapshot(Struct, frozen=True):
    identity: _Identity
    images: Mapping[str, Image]


class StoreReader:
    """The store's images; 0.1 ms while nothing changed, a thread's work otherwise."""

    def __init__(self, files: StoreFiles, in_thread: InThread, pulled: PulledFile | None = None) -> None:
        self._files = files
        self._pulled = pulled
        self._in_thread = in_thread
        self._reading: DeferredLock = DeferredLock()
        self._latest: _Snapshot | None = None
        # A configuration never changes under its id.
        self._configs: dict[str, ConfigJson] = {}
        self._complained: set[str] = set()

    async def images(self) -> Mapping[str, Image]:
        """By id, in the order in which they were stored; a missing store is empty.

        Raises:
            StoreUnreadable
        """
        latest = self._latest
        if latest is not None and latest.identity == self._identity():
            return latest.images
        await self._reading.acquire()
        try:
            if self._latest is None or self._latest.identity != self._identity():
                self._latest = await self._in_thread(self._read)
            return self._latest.images
        finally:
            self._reading.release()

    async def lower_directories(self, image: Image) -> Sequence[Path]:
        """The image's layer directories, nearest first: the lower directories of an overlay mount.

        Raises:
            ImageRemovedUnderneath: one is not there any more.
        """
        directories = [self._files.layer_directory(layer.id) for layer in reversed(image.layers)]
        if not await self._in_thread(lambda: all(directory.is_dir() for directory in directories)):
            raise ImageRemovedUnderneath(f"sha256:{image.id}")
        return directories

    async def id_by_stored_name(self, name: str) -> str | None:
        """Whose name it is in the store's own list, the nameless names too."""
        stored = await self._in_thread(self._files.images)
        return next((image.id for image in stored if name in (image.names or ())), None)

    async def blobs(self) -> Mapping[str, int]:
        """What need not be fetched: digests of layers that are in the store, compressed and not, and of configurations.

        With their sizes in bytes, 0 where the store knows none.
        """

        def read() -> Mapping[str, int]:
            found: dict[str, int] = {}
            for image in self._files.images():
                config = f"sha256:{image.id}"
                found[config] = (image.big_data_sizes or {}).get(config, 0)
            for layer in self._files.layers().values():
                found[layer.diff_digest] = layer.diff_size
                found[layer.compressed_diff_digest] = layer.compressed_size
            found.pop("", None)
            return found

        return await self._in_thread(read)

    def _identity(self) -> _Identity:
        return self._files.identity(), None if self._pulled is None else self._pulled.identity()

    def _read(self) -> _Snapshot:
        for attempt in range(_ATTEMPTS):
            identity = self._identity()
            try:
                images = self._read_once(strict=attempt < _ATTEMPTS - 1)
            except (LayersMissing, FileNotFoundError):
                continue  # somebody removes images at this moment
            except (OSError, msgspec.DecodeError) as error:
                raise StoreUnreadable(str(error)) from error
            if identity == self._identity():
                return _Snapshot(identity, images)
        return _Snapshot(identity, images)

    def _read_once(self, *, strict: bool) -> Mapping[str, Image]:
        """One look; an image that cannot be read is an error if `strict`, and else left out and logged."""
        stored = self._files.images()
        layers = self._files.layers()
        pulled = {} if self._pulled is None else self._pulled.read()
        found: dict[str, Image] = {}
        for one in stored:
            if any(name.startswith(ORPHANED) for name in one.names or ()):
                continue
            try:
                config = self._config(one)
                if config is not None:
                    image = image_of(one, layers, config, self._files.layer_directory)
                    found[one.id] = replace(image, pulled=still_named(image, pulled.get(one.id, ())))
            except (LayersMissing, FileNotFoundError) as error:
                if strict:
                    raise
                self._complain(one.id, error)
            except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                self._complain(one.id, error)
        for gone in self._configs.keys() - found.keys():
            del self._configs[gone]
        return MappingProxyType(_with_parents(found))

    def _config(self, stored: StoredImage) -> ConfigJson | None:
        """None for a manifest list, which has no configuration and is no image to a client."""
        known = self._configs.get(stored.id)
        if known is None:
            data = self._files.big_data(stored, f"sha256:{stored.id}")
            if data is None:
                return None
            known = self._configs[stored.id] = decode_config(data)
        return known

    def _complain(self, image_id: str, error: Exception) -> None:
        if image_id not in self._complained:
            self._complained.add(image_id)
            log.warn("image {image_id} in the store cannot be read: {error!r}", image_id=image_id, error=error)


_Making = tuple[tuple[str, ...], tuple[HistoryEntry, ...]]


def _with_parents(images: dict[str, Image]) -> dict[str, Image]:
    """Fill in `parent`, the image that is this one but for its last step, and `intermediate`."""
    made: dict[_Making, str] = {_making(image, image.history): image.id for image in images.values() if image.history}
    parents = {image.id: made.get(_making(image, image.history[:-1])) for image in images.values() if image.history}
    needed = set(parents.values())
    return {
        id_: replace(image, parent=parents.get(id_), intermediate=id_ in needed and not (image.names or image.digests))
        for id_, image in images.items()
    }


def _making(image: Image, history: tuple[HistoryEntry, ...]) -> _Making:
    count = sum(not entry.empty_layer for entry in history)
    return tuple(layer.id for layer in image.layers[:count]), history
