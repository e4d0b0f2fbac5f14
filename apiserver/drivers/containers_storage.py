"""The files of a containers/storage overlay store, as skopeo and buildah write them; nothing is written here.

JSON files are replaced by rename, so a read is never torn and takes no lock. A layer is recorded before the image
that needs it: reading images first and layers second, an image without its layers is one that has just gone.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

BIG_DATA_LIMIT = 4 * 1024 * 1024
"""Bytes of a configuration or manifest that are read at most: containers/image has the same limit."""

Identity = tuple[tuple[int, int, int] | None, ...]

_PLAIN_KEY = re.compile(r"[a-z0-9.]+")


class StoredImage(msgspec.Struct, frozen=True, rename="kebab"):
    """A record of `images.json`; `names` are `repository:tag` or `repository@digest`."""

    id: str
    digest: str = ""
    names: list[str] | None = None
    layer: str = ""
    mapped_layers: list[str] | None = None
    created: str = ""
    big_data_names: list[str] | None = None
    big_data_sizes: dict[str, int] | None = None


class StoredLayer(msgspec.Struct, frozen=True, rename="kebab"):
    """A record of `layers.json`; an empty `parent` is a base layer. Sizes are those of the tar; 0 is none known."""

    id: str
    parent: str = ""
    diff_digest: str = ""
    diff_size: int = 0
    compressed_diff_digest: str = ""
    compressed_size: int = 0
    flags: dict[str, Any] | None = None

    @property
    def incomplete(self) -> bool:
        """Whether somebody is writing it, or was when he died: then whoever opens the store for writing removes it."""
        return bool((self.flags or {}).get("incomplete"))


class StoredContainer(msgspec.Struct, frozen=True):
    """A record of `containers.json`: a working container of another tool, as of a build."""

    layer: str = ""


_images = msgspec.json.Decoder(list[StoredImage])
_layers = msgspec.json.Decoder(list[StoredLayer])
_containers = msgspec.json.Decoder(list[StoredContainer])


class StoreFiles:
    """One store by its root directory, which need not exist: then it is empty. All calls block.

    Args:
        runroot: where records are that do not outlive a reboot; newer tools keep some there.
    """

    def __init__(self, root: Path, runroot: Path | None = None) -> None:
        self.root = root
        self._volatile = runroot or root
        self._images_file = root / "overlay-images" / "images.json"
        self._layers_file = root / "overlay-layers" / "layers.json"

    def identity(self) -> Identity:
        """Changes whenever an image or a layer was added, changed or removed; microseconds."""
        return tuple(_identity(path) for path in (self._images_file, self._layers_file))

    def images(self) -> list[StoredImage]:
        """In the order in which they were stored.

        Raises:
            msgspec.DecodeError: the file is no such JSON.
        """
        return _images.decode(_content(self._images_file))

    def layers(self) -> Mapping[str, StoredLayer]:
        """By id.

        Raises:
            msgspec.DecodeError: the file is no such JSON.
        """
        return {layer.id: layer for layer in _layers.decode(_content(self._layers_file))}

    def needed_layers(self) -> Collection[str]:
        """Ids of those that images and containers name: the topmost ones.

        Raises:
            msgspec.DecodeError: a file is no such JSON.
        """
        containers = [
            *_containers.decode(_content(self.root / "overlay-containers" / "containers.json")),
            *_containers.decode(_content(self._volatile / "overlay-containers" / "volatile-containers.json")),
        ]
        volatile = _layers.decode(_content(self._volatile / "overlay-layers" / "volatile-layers.json"))
        images = self.images()
        return {
            *(container.layer for container in containers),
            *(layer.parent for layer in volatile),
            *(image.layer for image in images),
            *(layer for image in images for layer in image.mapped_layers or ()),
        }

    def big_data(self, image: StoredImage, key: str) -> bytes | None:
        """A blob kept with an image: `sha256:ID` its configuration, `manifest` its manifest; None where absent.

        Raises:
            OSError: it is recorded and cannot be read, or is larger than anything of its kind may be.
        """
        if key not in (image.big_data_names or ()):
            return None
        name = key if _PLAIN_KEY.fullmatch(key) else "=" + base64.b64encode(key.encode()).decode()
        with (self.root / "overlay-images" / image.id / name).open("rb") as file:
            data = file.read(BIG_DATA_LIMIT + 1)
        if len(data) > BIG_DATA_LIMIT:
            raise OSError(f"{key} of image {image.id} is larger than {BIG_DATA_LIMIT} bytes")
        return data

    def layer_directory(self, layer_id: str) -> Path:
        """Where the files of a layer lie: a lower directory for an overlay mount."""
        return self.root / "overlay" / layer_id / "diff"


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b"[]"
