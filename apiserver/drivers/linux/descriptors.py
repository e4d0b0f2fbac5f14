"""How many descriptors are left: each running container has one, and whoever ends it needs some for a moment."""

from __future__ import annotations

import os
import resource

from apiserver.errors import HostError

KEPT = 64
"""Descriptors that are left to those who stop and remove: a few at once, with their programs and their clients."""


def spare() -> None:
    """Refuse what would keep a descriptor when there are few left. The lowest that is free tells: it is taken first.

    Raises:
        HostError
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.close(lowest)
    if lowest >= limit - KEPT:
        raise HostError(f"too many open files: no more containers can run with the limit of {limit} (RLIMIT_NOFILE)")
