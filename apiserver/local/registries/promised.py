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
from apiserver.local.images.reader import StoreReader
from apiserver.local.images.store import ImageStore
from apiserver.local.registries.announced import check_sizes

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
    return msgspec.json.encode(Promise(name, image, holder, config_id(image) in before))


async def hold_to(promised: bytes, reader: StoreReader, store: ImageStore) -> None:
    """Take an image away again that came and is not as it was announced; `promised` as `promise` gave it.

    Raises:
        StoreUnreadable, OSError, msgspec.DecodeError
    """
    kept = _decode(promised)
    image_id = config_id(kept.image)
    if await reader.id_by_stored_name(kept.name) != image_id or image_id == kept.holder:
        return  # it never came, or something else has come since
    if image_id not in await store.images():
        log.warn("{name} is removed: its configuration cannot be read", name=kept.name)
        await store.remove_unreadable(image_id)
        await _give_back(kept, dict(await store.images()), set(), store)
        return
    try:
        check_sizes(kept.image, await reader.blobs())
    except RegistryFailed as error:
        log.warn("{name} is removed: {error}", name=kept.name, error=error)
        before = {id_: one for id_, one in (await store.images()).items() if id_ != image_id or kept.known}
        if kept.known:
            before[image_id] = _without(before[image_id], kept.name)
        await _give_back(kept, before, {image_id}, store)


async def _give_back(kept: Promise, before: dict[str, Image], ids: set[str], store: ImageStore) -> None:
    """Undo what came; the name returns to who had it."""
    if holder := before.get(kept.holder):
        before[holder.id] = replace(holder, names=(*holder.names, kept.name))
    await store.undo(before, ids, {kept.name})


def config_id(image: RemoteImage) -> str:
    """The id that an image has in the store as a rule; empty where its configuration is not announced."""
    return "" if image.config is None else image.config.digest.removeprefix("sha256:")


def _without(image: Image, name: str) -> Image:
    names, digests = (tuple(each for each in all_ if each != name) for all_ in (image.names, image.digests))
    return replace(image, names=names, digests=digests)
