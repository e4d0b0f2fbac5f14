"""Layers of our own store that nothing needs: a copy that was cut leaves those it had finished.

Neither skopeo nor buildah removes a layer, but both agree with an image that is made of layers which are there already:
no blob is needed for it. Removed again, it takes along what nothing else needs, under the store's own locks.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from twisted.logger import Logger

from apiserver.drivers import buildah, oci_image
from apiserver.drivers.buildah import Buildah
from apiserver.drivers.containers_storage import StoredLayer, StoreFiles
from apiserver.drivers.process import ProgramFailed
from apiserver.drivers.skopeo import Skopeo
from apiserver.local.images.archive import write_layout
from apiserver.local.images.model_json import ORPHANED
from apiserver.local.images.spool import Spool
from apiserver.local.threads import InThread

log = Logger()

TIME_LIMIT = 600.0
"""Seconds for making an image of layers that are there: nothing is copied, but the store's lock may be waited for."""

Chain = tuple[StoredLayer, ...]


class Orphans:
    """
    Args:
        temporary: a spool for what describes the images.
    """

    def __init__(
        self, files: StoreFiles, skopeo: Skopeo, buildah: Buildah, temporary: Spool, in_thread: InThread
    ) -> None:
        self._files = files
        self._skopeo = skopeo
        self._buildah = buildah
        self._temporary = temporary
        self._in_thread = in_thread

    async def remove(self) -> None:
        """Remove all of them; nobody may be copying into the store.

        Raises:
            HostError, OSError, msgspec.DecodeError: some are still there; to be tried again.
        """
        for image in await self._in_thread(self._files.images):
            for name in image.names or ():
                if name.startswith(ORPHANED):
                    await self._remove_image(name)
        if any(layer.incomplete for layer in (await self._in_thread(self._files.layers)).values()):
            # The store itself takes away what it was in the middle of, when it is opened next.
            await self._buildah.open_store()
        for chain in await self._in_thread(self._find):
            if _is_regular(chain):
                await self._remove(chain)
            else:
                log.warn("layer {id} of the image store belongs to nothing, and is no image's", id=chain[-1].id)

    def _find(self) -> Sequence[Chain]:
        # Layers first: an image, or a container, that comes after them has its layers in it or is not our concern.
        layers = self._files.layers()
        return orphaned(layers, {*self._files.needed_layers()})

    async def _remove(self, chain: Chain) -> None:
        name = ORPHANED + secrets.token_hex(16)
        async with self._temporary.workplace() as place:
            layout = await self._in_thread(lambda: _lay_out(place / "layout", chain, name))
            await self._skopeo.copy_into_store(f"oci:{layout}", name, temporary=place, time_limit=TIME_LIMIT)
        await self._remove_image(name)
        log.info("removed layer {id}, which a cut copy had left in the image store", id=chain[-1].id)

    async def _remove_image(self, name: str) -> None:
        try:
            await self._buildah.remove_name(name)
        except ProgramFailed as error:
            if not buildah.is_unknown(error):
                raise


def orphaned(layers: Mapping[str, StoredLayer], needed: Collection[str]) -> Sequence[Chain]:
    """The topmost layers that nothing needs, each with all below it, the base first.

    Args:
        needed: ids of the topmost layers of all that needs some.
    """
    kept: set[str] = set()
    for top in needed:
        while top in layers and top not in kept:
            kept.add(top)
            top = layers[top].parent
    parents = {layer.parent for layer in layers.values()}
    return [_chain(layers, top) for top in layers if top not in kept and top not in parents]


def _chain(layers: Mapping[str, StoredLayer], top: str) -> Chain:
    chain: list[StoredLayer] = []
    while top in layers and len(chain) <= len(layers):
        chain.append(layers[top])
        top = layers[top].parent
    return tuple(reversed(chain))


def _is_regular(chain: Chain) -> bool:
    """Whether the layers have the ids that those of an image get, from what is in them and in all below.

    With others skopeo would not find them.
    """
    below = ""
    for layer in chain:
        digest = layer.diff_digest.removeprefix("sha256:")
        expected = hashlib.sha256(f"{below}+{digest}".encode()).hexdigest() if below else digest
        if not digest or layer.id != expected or layer.parent != below:
            return False
        below = layer.id
    return bool(chain)


def _lay_out(layout: Path, chain: Chain, name: str) -> Path:
    """Make an OCI layout of an image with these layers, but without them; blocks."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(mode=0o700, parents=True)

    def blob(value: object, media_type: str) -> dict[str, object]:
        data = json.dumps(value).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    config = {
        "architecture": "",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_digest for layer in chain]},
        # Like nobody else's: nothing is its parent, which would be removed with it.
        "history": [{"created_by": name} for _ in chain],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci_image.MEDIA_TYPE_MANIFEST,
        "config": blob(config, oci_image.MEDIA_TYPE_CONFIG),
        "layers": [
            {"mediaType": oci_image.MEDIA_TYPE_LAYER, "digest": layer.diff_digest, "size": layer.diff_size}
            for layer in chain
        ],
    }
    write_layout(layout, blob(manifest, oci_image.MEDIA_TYPE_MANIFEST))
    return layout
