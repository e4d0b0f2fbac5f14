"""Platforms as clients write them, and whether an image is for one.

What stands for the same is read as containerd does (github.com/containerd/platforms): `x86_64` is `amd64`, `armhf` is
`arm/v7`, and an architecture alone is Linux's.
"""

from __future__ import annotations

import re

from apiserver.engine.ports.images import Image
from apiserver.errors import InvalidParameter, NotFound

_PART = re.compile(r"[a-z0-9_.-]*[a-z0-9]", re.ASCII)
_SAME = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_ARCHITECTURES = frozenset(
    {*_SAME, "386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"}
)
_BASE = {("arm64", "v8"), ("amd64", "v1")}
"""These say no more than the architecture does."""


_KERNELS = {"armv6l": "arm", "armv7l": "arm", "i686": "386"}
_RUNS_AS_WELL = {"amd64": "386", "arm64": "arm"}
"""What its processors run beside their own, by what containerd takes for the same."""


class OtherPlatform(NotFound):
    """The image is here, for another machine; docker-py pulls when it reads these words."""

    cause = "no such image for that platform"
    docker = libpod = "{subject}"


def parse_platform(text: str) -> tuple[str, str, str]:
    """OS, architecture and variant of `[os/]architecture[/variant]`; what is not given is empty, but the OS is `linux`.

    Raises:
        InvalidParameter
    """
    parts = text.lower().split("/") if text else ["linux"]
    if len(parts) > 3 or not all(map(_PART.fullmatch, parts)):
        raise InvalidParameter(f"invalid platform: {text!r} is not os[/architecture[/variant]]")
    if len(parts) == 1 and parts[0] in _ARCHITECTURES:
        parts = ["linux", *parts]
    system, architecture, variant = (*parts, "", "")[:3]
    if system != "linux":
        raise InvalidParameter(f"invalid platform: operating system {system!r} is not supported")
    architecture, implied = _SAME.get(architecture, (architecture, ""))
    if variant.isdecimal():
        variant = f"v{variant}"
    variant = variant or implied
    return system, architecture, "" if (architecture, variant) in _BASE else variant


def fits(image: Image, platform: str, machine: str) -> bool:
    """Whether an image that is here does for a platform that a podman client asks for.

    What this machine is itself is not looked for: too many images say it wrongly (libimage/pull.go).

    Args:
        platform: as a client writes it; empty where it asks for none.
        machine: as `platform_warning`.

    Raises:
        InvalidParameter
    """
    _, architecture, variant = parse_platform(platform)
    own, _ = _SAME.get(machine, (_KERNELS.get(machine, machine), ""))
    wanted = [("" if architecture == own else architecture, image.architecture), (variant, image.variant)]
    return all(not asked or not has or asked == has for asked, has in wanted)


def check_platform(name: str, image: Image, platform: str) -> None:
    """
    Args:
        platform: as a client writes it; what is not in it may be anything.

    Raises:
        OtherPlatform
        InvalidParameter
    """
    system, architecture, variant = parse_platform(platform)
    wanted = [(system, image.os), (architecture, image.architecture), (variant, image.variant)]
    if any(asked and has and asked != has for asked, has in wanted):
        has = "/".join(part for part in (image.os, image.architecture, image.variant) if part)
        raise OtherPlatform(
            f"image with reference {name} was found but does not match the specified platform:"
            f" wanted {platform}, actual: {has}"
        )


def platform_warning(image: Image, machine: str) -> str:
    """Docker's words for an image of another processor that nobody asked for; empty where it is of this one.

    Variants are left alone: what levels a processor has is not known here.

    Args:
        machine: this host's, as the kernel names it (`x86_64`).
    """
    architecture, variant = _SAME.get(machine, (_KERNELS.get(machine, machine), ""))
    if not image.architecture or image.architecture in (architecture, _RUNS_AS_WELL.get(architecture)):
        return ""
    has = "/".join(part for part in (image.os, image.architecture, image.variant) if part)
    host = "/".join(part for part in ("linux", architecture, variant) if part)
    return (
        f"The requested image's platform ({has}) does not match the detected host platform ({host})"
        " and no specific platform was requested"
    )
