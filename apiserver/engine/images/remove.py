"""Removing images, by Docker's rules: a name goes first, the image with its last one, and what only it needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field

from apiserver.engine.images.lookup import Lookup
from apiserver.engine.names import ShortNames, parse_reference, short_id
from apiserver.engine.ports.images import Image, ImageSource
from apiserver.errors import Conflict


class ImageUser(Struct, frozen=True):
    """A container that is made of an image."""

    container_id: str
    alive: bool


Users = Callable[[str], Sequence[ImageUser]]
"""Id of an image -> the containers made of it, those just being made too."""


class Removed(Struct):
    """What a removal did, in order: names (canonical) that went, then ids.

    Attributes:
        forgotten: `repository@sha256:...` by which registries know an image that has no tag of theirs any more.
    """

    untagged: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


class ImageStays(Conflict):
    """Something speaks against removing an image."""


class ImageInUse(ImageStays):
    libpod = "{subject}: {cause}: consider listing external containers and force-removing image"
    cause = "image is in use by a container"


class ImageHasChildren(ImageStays):
    cause = "image has dependent child images"


class ImageHasNames(ImageStays):
    libpod = "unable to delete image by ID with more than one tag ({subject}): {cause}"
    cause = "please force removal"


class Told(Protocol):
    """Makes an event of what happened to an image."""

    async def untagged(self, image: Image, name: str) -> None: ...

    async def name_removed(self, image: Image, name: str) -> None:
        """This was all of the removal: to Podman it is one all the same."""

    async def deleted(self, image: Image) -> None: ...


class Removal:
    """One removal, while the image's lock is held."""

    def __init__(self, source: ImageSource, users: Users, told: Told, images: Mapping[str, Image]) -> None:
        self._source = source
        self._users = users
        self._told = told
        self._images = images
        self.removed = Removed()

    async def remove(
        self,
        text: str,
        short_names: ShortNames,
        *,
        force: bool,
        prune: bool,
        parents: bool = False,
        whatever_names: bool = False,
        digests: bool = False,
    ) -> None:
        """
        Args:
            text: a name takes that name away; an id takes the image, with `force` also one with many names.
            prune: its nameless ancestors go too, if nothing else needs them.
            parents: an image that others are built upon goes as well, which counts as losing its names alone.
            whatever_names: an id takes one with many names also without `force`.
            digests: the last tag of a repository takes along what the image is called by digest there.

        Raises:
            NoSuchImage, InvalidReference, ImageStays
        """
        image, name = Lookup(self._images).find_named(text, short_names)
        names = (*image.names, *image.digests)
        going = (name, *_digests_beside(names, name)) if digests and name else (name,)
        if not name:
            if _one_repository(names):
                # All its names go, so only what forbids that without any force does so here.
                self._check(image, soft=not force, names=False, parents=parents)
        else:
            user = next(iter(self._users(image.id)), None)
            if user is not None and not force and _one_repository(names):
                raise ImageInUse(
                    f"image used by {user.container_id}",
                    f'conflict: unable to remove repository reference "{text}" (must force) - container '
                    f"{short_id(user.container_id)} is using its referenced image {short_id(image.id)}",
                )
            if len(names) > len(going):
                await self._untag(image, going)
                return
        try:
            several = not whatever_names and not name and not _one_repository(names)
            self._check(image, soft=not force, names=several, parents=parents)
        except ImageStays:
            if not name:
                raise
            # The name goes all the same: forced, or it is the parent of another image.
            await self._untag(image, going)
            return
        await self._delete(image, prune=prune)

    async def _untag(self, image: Image, names: Sequence[str]) -> None:
        for name in names:
            await self._source.untag(image.id, name)
            self.removed.untagged.append(name)
            await self._told.untagged(image, name)
        self.removed.forgotten += _known_by(image, names[0])
        await self._told.name_removed(image, names[0])

    async def _delete(self, image: Image, *, prune: bool) -> None:
        parent = self._is_parent(image)
        deleted = await self._source.remove(image.id, keep=self._kept_ancestors(image, prune=prune))
        for name in (*image.names, *image.digests):
            self.removed.untagged.append(name)
            await self._told.untagged(image, name)
        self.removed.forgotten += image.pulled
        self.removed.deleted.extend(each for each in deleted if each != image.id or not parent)
        for image_id in deleted:
            if gone := self._images.get(image_id):
                await self._told.deleted(gone)

    def _kept_ancestors(self, image: Image, *, prune: bool) -> Sequence[str]:
        """The nearest nameless ancestor that must stay; it holds all below it."""
        parent = self._images.get(image.parent) if image.parent else None
        while parent is not None and not (parent.names or parent.digests):
            if not prune or self._users(parent.id):
                return (parent.id,)
            parent = self._images.get(parent.parent) if parent.parent else None
        return ()

    def _is_parent(self, image: Image) -> bool:
        return any(other.parent == image.id for other in self._images.values())

    def _check(self, image: Image, *, soft: bool, names: bool, parents: bool) -> None:
        """Raise what speaks against deleting an image: always what nothing can force, and with `soft` the rest."""
        if not parents and self._is_parent(image):
            raise ImageHasChildren(image.id, _docker(image, "cannot be forced", "image has dependent child images"))
        users = self._users(image.id)
        for user in users:
            if user.alive:
                why = f"image is being used by running container {short_id(user.container_id)}"
                raise ImageInUse(f"image used by {user.container_id}", _docker(image, "cannot be forced", why))
        if not soft:
            return
        if names:
            why = "image is referenced in multiple repositories"
            raise ImageHasNames(", ".join(image.names), _docker(image, "must be forced", why))
        for user in users:
            why = f"image is being used by stopped container {short_id(user.container_id)}"
            raise ImageInUse(f"image used by {user.container_id}", _docker(image, "must be forced", why))


def _docker(image: Image, how: str, why: str) -> str:
    return f"conflict: unable to delete {short_id(image.id)} ({how}) - {why}"


def _known_by(image: Image, name: str) -> Sequence[str]:
    """By which digests an image is known for this name alone."""
    repository = parse_reference(name).repository
    if any(parse_reference(other).repository == repository for other in image.names if other != name):
        return ()
    return [digest for digest in image.pulled if digest.partition("@")[0] == repository]


def _digests_beside(names: Sequence[str], tag: str) -> Sequence[str]:
    """The names by digest of the repository that this is the last tag of."""
    repository = parse_reference(tag).repository
    beside = [each for each in names if each != tag and parse_reference(each).repository == repository]
    return beside if "@" not in tag and all("@" in each for each in beside) else ()


def _one_repository(names: Sequence[str]) -> bool:
    """Whether an image has one name, or one name and digests of the same repository."""
    tags = [name for name in names if "@" not in name]
    return len(tags) <= 1 and len({parse_reference(name).repository for name in names}) <= 1
