"""What an inspection tells of a container beyond its record: from the back end, and of its image."""

from __future__ import annotations

from msgspec import Struct
from twisted.logger import Logger

from apiserver.engine.containers.collaborators import ImagesInUse
from apiserver.engine.containers.model import Container
from apiserver.engine.ports.facts import RunFacts
from apiserver.engine.ports.images import Image
from apiserver.engine.ports.runs import RunKey, Runs
from apiserver.errors import HostError, NoSuchImage

log = Logger()


class Inspection(Struct, frozen=True):
    """
    Attributes:
        image: None where it was removed underneath, or the store of images cannot be read.
    """

    facts: RunFacts = RunFacts()
    image: Image | None = None


class Inspect:
    def __init__(self, runs: Runs, images: ImagesInUse) -> None:
        self._runs = runs
        self._images = images

    async def of(self, container: Container) -> Inspection:
        number = container.run.number if container.run is not None else 1
        key = RunKey(container.id, number)
        return Inspection(self._runs.facts(key, container.options), await self._image(container))

    async def _image(self, container: Container) -> Image | None:
        try:
            return await self._images.find(container.image_id)
        except NoSuchImage:
            return None
        except HostError as error:
            # What is known of the container itself is worth an answer; who asks for images is told.
            log.warn("the image of container {id} cannot be looked at: {error}", id=container.id, error=error)
            return None
