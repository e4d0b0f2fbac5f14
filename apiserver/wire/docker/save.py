"""What Docker's clients ask for when they save images."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from apiserver.engine.ports.images import Image
from apiserver.errors import InvalidParameter, NotFound


class WrongPlatform(NotFound):
    """There is one platform of each image here, and this is another."""

    docker = "no suitable export target found for platform {subject}"


class Platform(msgspec.Struct, frozen=True):
    """An OCI platform; what is empty may be anything."""

    os: str = ""
    architecture: str = ""
    variant: str = ""

    def fits(self, image: Image) -> bool:
        pairs = ((self.os, image.os), (self.architecture, image.architecture), (self.variant, image.variant))
        # Many images do not tell their variant: arm64 is v8 in any case.
        return all(not wanted or wanted == has or (wanted == self.variant and not has) for wanted, has in pairs)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def check_platforms(texts: Sequence[str], images: Sequence[Image]) -> None:
    """`platform`, as it may be given several times.

    Raises:
        InvalidParameter: one is no JSON of a platform.
        WrongPlatform: an image is of none of them.
    """
    platforms = [_platform(text) for text in texts]
    for image in images if platforms else ():
        if not any(platform.fits(image) for platform in platforms):
            raise WrongPlatform(", ".join(map(str, platforms)))


def _platform(text: str) -> Platform:
    try:
        return msgspec.json.decode(text, type=Platform)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidParameter(f"failed to parse platform: {error}") from None
