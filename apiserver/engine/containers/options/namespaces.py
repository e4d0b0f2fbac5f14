"""Which of its namespaces a container shares with the host (the network's is in `network`)."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Namespace(Enum):
    """Whose namespace it is; another container's comes with pods."""

    PRIVATE = "private"
    HOST = "host"
    SHAREABLE = "shareable"
    """Its own, of IPC: another container might join it, as none can yet."""
    NONE = "none"
    """Its own, of IPC, and nothing at /dev/shm."""


class Namespaces(Struct, frozen=True):
    pid: Namespace = Namespace.PRIVATE
    ipc: Namespace | None = None
    """None: its own, which Docker calls private and Podman shareable."""
    uts: Namespace = Namespace.PRIVATE
    cgroup: Namespace | None = None
    """None: private on a unified hierarchy, else the host's, as Docker decides."""
