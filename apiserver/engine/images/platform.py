"""Whether an image is for the platform that a client wants."""

from __future__ import annotations

from apiserver.engine.ports.images import Image
from apiserver.errors import NotFound


class OtherPlatform(NotFound):
    """The image is here, for another machine; docker-py pulls when it reads these words."""

    cause = "no such image for that platform"
    docker = libpod = "{subject}"


def check_platform(name: str, image: Image, platform: str) -> None:
    """
    Args:
        platform: `os[/architecture[/variant]]`; what is not in it may be anything.

    Raises:
        OtherPlatform
    """
    system, _, rest = platform.lower().partition("/")
    architecture, _, variant = rest.partition("/")
    wanted = [(system, image.os), (architecture, image.architecture), (variant, image.variant)]
    if any(asked and has and asked != has for asked, has in wanted):
        has = "/".join(part for part in (image.os, image.architecture, image.variant) if part)
        raise OtherPlatform(
            f"image with reference {name} was found but does not match the specified platform:"
            f" wanted {platform}, actual: {has}"
        )
