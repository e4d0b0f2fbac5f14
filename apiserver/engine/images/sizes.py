"""What images have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from apiserver.engine.ports.images import Image


def shared_bytes(images: Collection[Image]) -> Mapping[str, int]:
    """For each image, by id, the size of its layers that others of them have, too.

    A layer is the same only over the same parents, and so with the same id.
    """
    uses = Counter(layer.id for image in images for layer in image.layers)
    return {image.id: sum(layer.size_bytes for layer in image.layers if uses[layer.id] > 1) for image in images}
