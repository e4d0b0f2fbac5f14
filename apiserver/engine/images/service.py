"""The images of this service, as containers and clients meet them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime

from apiserver.engine.events.log import EventLog
from apiserver.engine.events.model import Action, Event, Kind
from apiserver.engine.images.changes import apply_changes
from apiserver.engine.images.lookup import Lookup, is_short
from apiserver.engine.images.platform import parse_platform
from apiserver.engine.images.remove import Removal, Removed, Users
from apiserver.engine.locks import Locks
from apiserver.engine.names import DOCKER_NAMES, ShortNames, familiar_name
from apiserver.engine.ports.images import ByteSource, Image, ImageConfig, ImageSource, LoadedImage, NewImage
from apiserver.errors import NoSuchImage

Candidates = Callable[[str], Awaitable[Sequence[str]]]


class Images:
    """
    Args:
        users: the containers that are made of an image.
        candidates: the full names that a short one may mean (`Registry.short_name`).
        wall_clock: whose `seconds()` is the time of day.
    """

    def __init__(
        self,
        source: ImageSource,
        journal: EventLog,
        locks: Locks,
        users: Users,
        wall_clock: IReactorTime,
        candidates: Candidates,
    ) -> None:
        self._source = source
        self._journal = journal
        self._locks = locks
        self._users = users
        self._clock = wall_clock
        self._candidates = candidates
        self._latest = Lookup({})

    async def all(self) -> Sequence[Image]:
        """Newest first, intermediate ones too."""
        images = (await self._source.images()).values()
        return sorted(images, key=lambda image: image.created or datetime.min.replace(tzinfo=UTC), reverse=True)

    async def find(self, name: str, short_names: ShortNames = DOCKER_NAMES) -> Image:
        """By name, id, or the beginning of an id, with or without `sha256:`.

        Raises:
            NoSuchImage, InvalidReference
        """
        return (await self.lookup()).find(await self.meant(name, short_names), short_names)

    async def meant(self, text: str, short_names: ShortNames) -> str:
        """What is to be looked for: the full name behind an alias where nothing here is called as the alias itself.

        Raises:
            InvalidReference
        """
        lookup = await self.lookup()
        if not short_names.anywhere or lookup.has(text, short_names) or not is_short(text):
            return text
        return next((full for full in await self._candidates(text) if lookup.has(full)), text)

    async def verify(self, image_id: str) -> None:
        """To be asked at each start of a container.

        Raises:
            ImageRemovedUnderneath
        """
        await self._source.verify(image_id)

    async def load(self, archive: ByteSource, short_names: ShortNames = DOCKER_NAMES) -> Sequence[LoadedImage]:
        """Take an archive of images; to be run to its end.

        Args:
            short_names: where names of the archive belong that have no domain.

        Raises:
            InvalidParameter: the archive is none, or damaged; nothing has changed.
        """
        loaded = await self._source.load(archive, short_names.canonical)
        images = await self._source.images()
        for each in loaded:
            if image := images.get(each.id):
                await self.tell(image, Action.LOAD, f"sha256:{image.id}")
        return loaded

    async def import_layer(
        self,
        layer: ByteSource,
        *,
        name: str | None = None,
        changes: Sequence[str] = (),
        message: str = "",
        platform: str = "",
    ) -> str:
        """Make an image of a root file system; answers its id.

        Args:
            name: canonical.
            changes: Dockerfile instructions.
            platform: `os[/architecture[/variant]]`; empty for this machine's.

        Raises:
            InvalidParameter: a change or the platform makes no sense, or the layer is no tar; nothing has changed.
        """
        system, architecture, variant = parse_platform(platform)
        image_id = await self._source.import_layer(
            layer,
            NewImage(
                config=apply_changes(ImageConfig(), changes),
                created=self._now(),
                comment=message or "Imported from -",
                os=system,
                architecture=architecture,
                variant=variant,
            ),
            name,
        )
        if image := (await self._source.images()).get(image_id):
            if name:
                await self.tell(image, Action.TAG, familiar_name(name), name)
            await self.tell(image, Action.IMPORT, f"sha256:{image_id}")
        return image_id

    async def tag(self, text: str, name: str, short_names: ShortNames = DOCKER_NAMES) -> None:
        """Give an image one more name, which must be canonical and without a digest.

        Raises:
            NoSuchImage, InvalidReference
        """
        image = await self.find(text, short_names)
        async with self._locks.image(image.id, "tag"):
            await self._source.tag(image.id, name)
        await self.tell(image, Action.TAG, familiar_name(name), name)

    async def untag(self, text: str, name: str | None = None, short_names: ShortNames = DOCKER_NAMES) -> None:
        """Take a name away and keep the image, nameless or not.

        Args:
            name: canonical; None for all that it has.

        Raises:
            NoSuchImage: also where the image is not called so.
            InvalidReference
        """
        image = await self.find(text, short_names)
        async with self._locks.image(image.id, "untag"):
            image = await self.find(image.id)
            if name is not None and name not in image.names:
                raise NoSuchImage(name)
            for each in image.names if name is None else (name,):
                await self._source.untag(image.id, each)
                await self.untagged(image, each)

    async def remove(
        self,
        text: str,
        *,
        force: bool = False,
        prune: bool = True,
        parents: bool = False,
        whatever_names: bool = False,
        digests: bool = False,
        short_names: ShortNames = DOCKER_NAMES,
    ) -> Removed:
        """Take a name away, or an image with all its names.

        Args:
            prune: nameless ancestors that nothing else needs go too.
            parents: an image that others are built upon goes as well; they keep its layers.
            whatever_names: an id takes an image with many names also without `force`.
            digests: the last tag of a repository takes along what the image is called by digest there.

        Raises:
            NoSuchImage, InvalidReference
            ImageInUse: a container or another image needs it; only some of that can be forced.
        """
        image = await self.find(text, short_names)
        async with self._locks.image(image.id, "remove"):
            # It may be gone, or be made a container of, since it was looked up.
            text = await self.meant(text, short_names)
            removal = Removal(self._source, self._users, self, await self._source.images())
            await removal.remove(
                text,
                short_names,
                force=force,
                prune=prune,
                parents=parents,
                whatever_names=whatever_names,
                digests=digests,
            )
            return removal.removed

    async def untagged(self, image: Image, name: str) -> None:
        await self.tell(image, Action.UNTAG, f"sha256:{image.id}", name)

    async def name_removed(self, image: Image, name: str) -> None:
        await self.tell(image, Action.REMOVE_NAME, f"sha256:{image.id}", name)

    async def deleted(self, image: Image) -> None:
        await self.tell(image, Action.REMOVE, f"sha256:{image.id}", image.names[-1] if image.names else "")

    async def lookup(self) -> Lookup:
        """For several questions to one state of the store."""
        images = await self._source.images()
        if self._latest.images is not images:
            self._latest = Lookup(images)
        return self._latest

    async def tell(self, image: Image, action: Action, name: str, reference: str = "") -> None:
        """Record what happened to an image, under a name that its clients know.

        Args:
            reference: the canonical name that it was about, where there was one.
        """
        attributes = {**image.config.labels, "name": name}
        if reference:
            attributes["reference"] = reference
        await self._journal.commit(Event(Kind.IMAGE, action, image.id, self._now(), attributes))

    async def tell_failed_pull(self, reference: str, why: str) -> None:
        """
        Args:
            reference: canonical, with no more of a tag or digest than was asked for.
        """
        attributes = {"name": reference, "error": why}
        await self._journal.commit(Event(Kind.IMAGE, Action.PULL_ERROR, "", self._now(), attributes))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.seconds(), UTC)
