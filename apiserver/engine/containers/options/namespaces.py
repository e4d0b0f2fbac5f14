"""Which of its namespaces a container shares with the host (the network's is in `network`)."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Namespace(Enum):
    """Whose namespace it is; another container's comes with pods."""

    PRIVATE = "private"
    HOST = "host"


class Namespaces(Struct, frozen=True):
    pid: Namespace = Namespace.PRIVATE
    ipc: Namespace = Namespace.PRIVATE
    uts: Namespace = Namespace.PRIVATE
    cgroup: Namespace | None = None
    """None: private on a unified hierarchy, else the host's, as Docker decides."""
