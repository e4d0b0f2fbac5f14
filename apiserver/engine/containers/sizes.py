"""How much room containers take."""

from __future__ import annotations

from msgspec import Struct

from apiserver.engine.containers.collaborators import ImagesInUse
from apiserver.engine.containers.model import Container
from apiserver.engine.ports.runs import Runs
from apiserver.errors import NoSuchImage


class Size(Struct, frozen=True):
    """
    Attributes:
        written_bytes: what the container changed or added, in its own layer.
        image_bytes: of the image below, which it shares with others; 0 where that is gone.
    """

    written_bytes: int
    image_bytes: int


class Sizes:
    """Counted anew each time: nobody keeps account while a container writes."""

    def __init__(self, runs: Runs, images: ImagesInUse) -> None:
        self._runs = runs
        self._images = images

    async def of(self, container: Container) -> Size:
        """
        Raises:
            HostError: what it wrote cannot be read.
        """
        try:
            image_bytes = (await self._images.find(container.image_id)).size_bytes
        except NoSuchImage:
            image_bytes = 0
        return Size(await self._runs.written_bytes(container.id), image_bytes)
