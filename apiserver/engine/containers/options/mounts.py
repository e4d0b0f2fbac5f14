"""What is mounted into a container, and its root file system's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class MountKind(Enum):
    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


@dataclass(frozen=True, slots=True)
class Mount:
    kind: MountKind
    target: str
    """Absolute path in the container, cleaned: `/data/` is `/data`; each target once after create."""
    source: str = ""
    """bind: absolute path on the host; volume: its name, empty for an anonymous one until create names it."""
    read_only: bool = False
    recursive_read_only: bool = True
    propagation: str = "rprivate"
    create_source: bool = False
    """bind: make a missing source directory (`-v`), instead of refusing (`--mount`)."""
    no_copy: bool = False
    """volume: do not copy what the image has at the target into a new volume."""
    anonymous: bool = False
    """volume: made for this container alone, removed with it (`rm -v`, auto-remove)."""
    volume_driver: str = ""
    volume_labels: Mapping[str, str] = field(default_factory=dict)
    volume_options: Mapping[str, str] = field(default_factory=dict)
    tmpfs_size_bytes: int | None = None
    tmpfs_mode: int | None = None
    tmpfs_options: tuple[str, ...] = ()
    """More mount options of a tmpfs, as given (`noexec`, `uid=1`), checked against a list."""
    asked_as: str = ""
    """How the client wrote a `-v` bind (`/src:/dst:ro`); empty where it came as a mount object."""


@dataclass(frozen=True, slots=True)
class Mounts:
    mounts: tuple[Mount, ...] = ()
    read_only_rootfs: bool = False
    shm_size_bytes: int = 64 << 20
