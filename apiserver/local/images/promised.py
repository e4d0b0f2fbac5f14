"""What a registry announced of an image, kept while it is pulled.

A service that is killed before it has compared leaves that to the next one.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from twisted.logger import Logger

from apiserver.engine.ports.images import Image
from apiserver.engine.ports.registry import RemoteImage
from apiserver.errors import RegistryFailed
from apiserver.local.images.announced import check_sizes
from apiserver.local.images.reader import StoreReader
from apiserver.local.images.store import ImageStore

log = Logger()


class Promise(Struct, frozen=True):
    """
    Attributes:
        name: canonical, under which the image comes.
        holder: id of the image that had the name before; empty for none.
        known: whether the image itself was here before, under whatever names.
    """

    name: str
    image: RemoteImage
    holder: str
    known: bool


_decode = msgspec.json.Decoder(Promise).decode


def promise(name: str, image: RemoteImage, before: Mapping[str, Image]) -> bytes:
    """What is to be kept; see `Promise`."""
    holder = next((one.id for one in before.values() if name in (*one.names, *one.digests)), "")
    return msgspec.json.encode(Promise(name, image, holder, _id(image) in before))


async def hold_to(promised: bytes, reader: StoreReader, store: ImageStore) -> None:
    """Take an image away again that came and is not as it was announced; `promised` as `promise` gave it.

    Raises:
        StoreUnreadable, OSError, msgspec.DecodeError
    """
    kept = _decode(promised)
    image_id = _id(kept.image)
    if await reader.id_by_stored_name(kept.name) != image_id or image_id == kept.holder:
        return  # it never came, or something else has come since
    try:
        check_sizes(kept.image, await reader.blobs())
    except RegistryFailed as error:
        log.warn("{name} is removed: {error}", name=kept.name, error=error)
        before = {id_: one for id_, one in (await store.images()).items() if id_ != image_id or kept.known}
        if kept.known:
            before[image_id] = _without(before[image_id], kept.name)
        if holder := before.get(kept.holder):
            before[holder.id] = replace(holder, names=(*holder.names, kept.name))
        await store.undo(before, {image_id}, {kept.name})


def _id(image: RemoteImage) -> str:
    return "" if image.config is None else image.config.digest.removeprefix("sha256:")


def _without(image: Image, name: str) -> Image:
    names, digests = (tuple(each for each in all_ if each != name) for all_ in (image.names, image.digests))
    return replace(image, names=names, digests=digests)
