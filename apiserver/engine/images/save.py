"""Saving images: which a client means, under which names, and that it was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from apiserver.engine.events.model import Action
from apiserver.engine.images.pull import Holds
from apiserver.engine.images.service import Images
from apiserver.engine.names import ShortNames
from apiserver.engine.ports.images import ByteSink, Image, ImageSource, SavedImage, SaveForm


class Wanted(Struct, frozen=True):
    """One image to be saved.

    Attributes:
        names: canonical, those that the client asked for; none where it asked by id or digest.
    """

    image: Image
    names: tuple[str, ...]


class Saves:
    """
    Args:
        background: what keeps the service from leaving while a save that was left is cleared up.
    """

    def __init__(self, images: Images, source: ImageSource, background: Holds) -> None:
        self._images = images
        self._source = source
        self._background = background

    async def wanted(
        self, texts: Sequence[str], short_names: ShortNames, *, repositories: bool = False
    ) -> Sequence[Wanted]:
        """The images that clients call so, each once, in the order in which they were named.

        Args:
            repositories: a name without a tag means all tags of its repository, and not `latest`.

        Raises:
            NoSuchImage, InvalidReference
        """
        lookup = await self._images.lookup()
        images: dict[str, Image] = {}
        names: dict[str, dict[str, None]] = {}
        for text in texts:
            found = lookup.in_repository(text, short_names) if repositories else []
            meant = await self._images.meant(text, short_names)
            for image, name in found or [lookup.find_named(meant, short_names)]:
                images[image.id] = image
                asked = names.setdefault(image.id, {})
                if name and "@" not in text and "@" not in name:
                    asked[name] = None
        return [Wanted(image, tuple(names[id_])) for id_, image in images.items()]

    async def save(
        self, wanted: Sequence[Wanted], form: SaveForm, sink: ByteSink, spelled: Callable[[str], str]
    ) -> None:
        """Write them as one tar. Cancelling ends it.

        Args:
            spelled: how a canonical name stands in the archive.

        Raises:
            as `ImageSource.save`.
        """
        images = [SavedImage(one.image.id, tuple(map(spelled, one.names))) for one in wanted]
        with self._background.hold("saving images"):
            await self._source.save(images, form, sink)
        for one in wanted:
            await self._images.tell(one.image, Action.SAVE, f"sha256:{one.image.id}")
