"""Sizes as a registry announces them, against those of what came: skopeo compares digests alone."""

from __future__ import annotations

from collections.abc import Mapping

from apiserver.engine.ports.registry import RemoteImage
from apiserver.errors import RegistryFailed


def check_sizes(image: RemoteImage, sizes: Mapping[str, int]) -> None:
    """
    Args:
        sizes: of blobs by digest, as far as they are here; 0 is not known.

    Raises:
        RegistryFailed: one is not of the size that the image's manifest announces.
    """
    for blob in (*image.layers, *filter(None, (image.config,))):
        size = sizes.get(blob.digest)
        if size and size != blob.size_bytes:
            raise RegistryFailed(f"{blob.digest} has {size} bytes, where the registry announced {blob.size_bytes}")
