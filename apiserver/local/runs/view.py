"""Where the paths of a container lie before it starts: in its root, or in what is mounted over that by then."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct

from apiserver.drivers.linux.openat2 import Inside
from apiserver.local.runs.spec.mounts import Placed

_HOPS = 255
"""As many links on one way as the runtimes follow."""


class Place(Struct, frozen=True):
    """Where a path leads.

    Attributes:
        path: it, with no link and no `..` left, as the container will see it.
        mount: what it lies in, or is the target of; None where that is the container's root.
        rest: the path in there, `/` for the top of a mount.
    """

    path: str
    mount: Placed | None
    rest: str


class View:
    """The paths of a container by the mounts so far. It resolves them as the runtimes do: links lead nowhere but into
    the container, whether its image has them or a volume, and what is missing is taken by its name.
    """

    def __init__(self, rootfs: Path) -> None:
        self._open = ExitStack()
        self.root = self._open.enter_context(Inside(rootfs))
        self._mounts: list[tuple[str, Placed]] = []
        self._directories: dict[str, Inside | None] = {}
        self._links: dict[tuple[str, str], str | None] = {}

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def mount(self, mount: Placed) -> Place:
        """From now on it lies where its target leads.

        Returns:
            where that was before.

        Raises:
            OSError
        """
        place = self.find(mount.target)
        self._mounts.append((place.path, mount))
        return place

    def find(self, path: str) -> Place:
        """Follow a path.

        Raises:
            OSError: ELOOP for too many links, and for one of a procfs that is mounted from elsewhere.
        """
        done: list[str] = []
        rest = _reversed_parts(path)
        hops = 0
        while rest:
            name = rest.pop()
            if name == "..":
                del done[-1:]
                continue
            done.append(name)
            target = self._link(f"/{'/'.join(done)}")
            if target is None:
                continue
            hops += 1
            if hops > _HOPS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            del done[0 if target.startswith("/") else -1 :]
            rest += _reversed_parts(target)
        return self.over(f"/{'/'.join(done)}")

    def over(self, path: str) -> Place:
        """What a path without links lies in."""
        return next(iter(self._covering(path)), Place(path, None, path))

    def directory(self, mount: Placed) -> Inside | None:
        """The source of a bind or volume; None for a file's.

        Raises:
            OSError
        """
        if mount.source not in self._directories:
            try:
                self._directories[mount.source] = self._open.enter_context(Inside(Path(mount.source)))
            except NotADirectoryError:
                self._directories[mount.source] = None
        return self._directories[mount.source]

    def _covering(self, path: str) -> list[Place]:
        """The last mount hides the others."""
        return [
            Place(path, mount, path[len(target) :] or "/")
            for target, mount in reversed(self._mounts)
            if is_within(path, target)
        ]

    def _link(self, path: str) -> str | None:
        for place in self._covering(path):
            if place.rest == "/" or place.mount is None:
                return None
            if place.mount.is_bind:
                return self._link_in(place.mount, place.rest)
            if "tmpcopyup" not in place.mount.options:
                return None  # it is empty, or the kernel's own
            # It is filled with what lies below it.
        return self._link_in(None, path)

    def _link_in(self, mount: Placed | None, path: str) -> str | None:
        """Each is looked at once: many lie in /etc."""
        key = (mount.source if mount is not None else "", path)
        if key not in self._links:
            directory = self.directory(mount) if mount is not None else self.root
            self._links[key] = directory.link(path) if directory is not None else None
        return self._links[key]


def is_within(path: str, directory: str) -> bool:
    """Whether it is the directory, or below it."""
    return path == directory or path.startswith(f"{directory}/")


def _reversed_parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
