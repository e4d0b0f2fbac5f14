"""Which image a client means: by name, by id, by the beginning of an id."""

from __future__ import annotations

from collections.abc import Mapping

from apiserver.engine.names import (
    DOCKER_NAMES,
    InvalidReference,
    Reference,
    ShortNames,
    is_full_id,
    may_be_id,
    parse_reference,
)
from apiserver.engine.ports.images import Image
from apiserver.errors import NoSuchImage

_SHA256 = "sha256:"
_NOWHERE = "short.invalid"
"""A domain that no stored name has: what stands in it came without one."""


def no_such_image(text: str, familiar: str) -> NoSuchImage:
    """To Podman's clients the name is as they sent it, to Docker's it is whole."""
    return NoSuchImage(text, f"No such image: {familiar}")


def stored_name(image: Image, text: str, short_names: ShortNames) -> str:
    """The name by which `text` means an image; where that is by its id or an alias, its first one, if it has any."""
    lookup = Lookup({image.id: image})
    name = lookup.find_named(text, short_names)[1] if lookup.has(text, short_names) else ""
    return name or next(iter(image.names), text)


def is_id_of(image: Image, text: str) -> bool:
    """Whether `text`, by which an image was found, is its id or the beginning of it."""
    return image.id.startswith(text.removeprefix(_SHA256))


def is_short(text: str) -> bool:
    """Whether a name, which may be an id as well, says no domain.

    Raises:
        InvalidReference
    """
    return (
        not is_full_id(text.removeprefix(_SHA256)) and parse_reference(text, short_domain=_NOWHERE).domain == _NOWHERE
    )


class Lookup:
    """Over one state of the store."""

    def __init__(self, images: Mapping[str, Image]) -> None:
        self.images = images
        self._by_name = {name: image for image in images.values() for name in (*image.names, *image.digests)}

    def find(self, text: str, short_names: ShortNames = DOCKER_NAMES) -> Image:
        """The image.

        Raises:
            NoSuchImage: none, or several begin so.
            InvalidReference: it can be no image's name nor id.
        """
        return self.find_named(text, short_names)[0]

    def find_named(self, text: str, short_names: ShortNames = DOCKER_NAMES) -> tuple[Image, str]:
        """The image, and the stored name by which it was meant; empty where that was its id.

        A name wins over the beginning of an id, as in Docker.
        """
        digits = text.removeprefix(_SHA256)
        if is_full_id(digits) and digits in self.images:
            return self.images[digits], ""
        if text.startswith(_SHA256) or is_full_id(text):
            return self._by_prefix(digits, text), ""
        reference = parse_reference(text)
        for domain in short_names.domains:
            if found := self._named(parse_reference(text, short_domain=domain)):
                return found
        if short_names.anywhere and (found := self._ending_in(text)):
            return found
        if may_be_id(text):
            return self._by_prefix(text, text), ""
        raise no_such_image(text, reference.tagged().familiar)

    def has(self, text: str, short_names: ShortNames = DOCKER_NAMES) -> bool:
        """Whether there is one that is meant so.

        Raises:
            InvalidReference
        """
        try:
            self.find_named(text, short_names)
        except NoSuchImage:
            return False
        return True

    def in_repository(self, text: str, short_names: ShortNames = DOCKER_NAMES) -> list[tuple[Image, str]]:
        """All images of the repository that `text` names without tag and digest, each with its stored name, by name.

        Empty where it names none: it may still be an id.
        """
        digits = text.removeprefix(_SHA256)
        if text.startswith(_SHA256) or is_full_id(digits):
            return []
        for domain in short_names.domains:
            reference = parse_reference(text, short_domain=domain)
            if reference.tag or reference.digest:
                return []
            start = reference.repository + ":"
            if found := [(image, name) for name, image in sorted(self._by_name.items()) if name.startswith(start)]:
                return found
        return []

    def _named(self, reference: Reference) -> tuple[Image, str] | None:
        name = reference.tagged().canonical
        if image := self._by_name.get(name):
            return image, name
        if not reference.digest:
            return None
        # Loaded images have no name by digest, but they have the digest.
        for image in self.images.values():
            names = (*image.names, *image.digests)
            digests = (image.manifest_digest, *image.manifest_digests)
            known = reference.digest in digests or any(name.endswith("@" + reference.digest) for name in names)
            for name in names if known else ():
                if parse_reference(name).repository == reference.repository:
                    return image, name
        return None

    def _ending_in(self, text: str) -> tuple[Image, str] | None:
        """The oldest in the store whose name ends in a short one."""
        short = parse_reference(text, short_domain=_NOWHERE)
        if short.domain != _NOWHERE:
            return None
        end = short.tagged().canonical.removeprefix(_NOWHERE)
        return next(((image, name) for name, image in self._by_name.items() if name.endswith(end)), None)

    def _by_prefix(self, digits: str, text: str) -> Image:
        if not may_be_id(digits):
            raise InvalidReference("invalid reference format")
        found = [image for image_id, image in self.images.items() if image_id.startswith(digits)]
        if len(found) != 1:
            raise no_such_image(text, text if text.startswith(_SHA256) or is_full_id(text) else f"{text}:latest")
        return found[0]
