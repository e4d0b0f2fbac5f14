"""Which image of a list fits a machine.

A variant that was asked for, or that this machine has, takes itself and those below it, and then an image that names
none; without one an image that names none comes first, and then what every machine of the architecture can run. So
does containers/image (https://github.com/containers/image, internal/pkg/platform); what was chosen here is then asked
of it by its full platform, so that it cannot choose another.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence

from apiserver.engine.ports.registry import Platform
from apiserver.local.images.store import host_architecture

_VARIANTS = {"aarch64": "v8", "armv6l": "v6", "armv7l": "v7", "armv8l": "v7"}

_DESCENDING = {"arm": ("v8", "v7", "v6", "v5"), "arm64": ("v8",), "amd64": ("v4", "v3", "v2", "v1")}
_BASE = {"arm": ("v7", "v6", "v5"), "arm64": ("v8",), "amd64": ("v1",)}
"""What is taken where no variant is known; Docker, too, reads `linux/arm` as v7."""


def host_platform() -> Platform:
    return Platform("linux", host_architecture(), _VARIANTS.get(platform.machine(), ""))


def wanted(asked: Platform, host: Platform) -> Sequence[Platform]:
    """The platforms that do, the best first.

    Args:
        asked: what is empty is the host's; its variant counts for its own architecture alone.
    """
    system = asked.os or host.os
    architecture = asked.architecture or host.architecture
    variant = asked.variant or (host.variant if (system, architecture) == (host.os, host.architecture) else "")
    if variant:
        known = _DESCENDING.get(architecture, ())
        variants = (*(known[known.index(variant) :] if variant in known else (variant,)), "")
    else:
        variants = ("", *_BASE.get(architecture, ()))
    return [Platform(system, architecture, each) for each in variants]
