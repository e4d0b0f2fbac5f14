"""buildah: names of images in the store, and their removal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from apiserver.drivers.process import ProgramFailed, Programs
from apiserver.drivers.skopeo import StoreAddress

_ID = re.compile(r"[0-9a-f]{64}")


class Buildah:
    """Names must be canonical: it would look a short one up by its own rules."""

    def __init__(self, programs: Programs, store: StoreAddress, temporary: Path) -> None:
        self._programs = programs
        self._store = store
        self._temporary = temporary

    async def tag(self, image_id: str, *names: str) -> None:
        """Give an image names, taking them from whatever has them.

        Raises:
            ProgramFailed: see `is_unknown`.
        """
        await self._run("tag", image_id, *names)

    async def remove_name(self, name: str) -> None:
        """Take a name away; the last name takes the image with it.

        Raises:
            ProgramFailed: see `is_unknown`.
        """
        await self._run("rmi", name)

    async def remove_image(self, image_id: str) -> Sequence[str]:
        """Remove an image with all its names and the nameless parents that nothing else needs; answers their ids.

        Raises:
            ProgramFailed: see `is_unknown` and `is_in_use`.
        """
        lines = (await self._run("rmi", "--force", image_id)).splitlines()
        return [line for line in lines if _ID.fullmatch(line)]

    async def open_store(self) -> None:
        """Open the store and do nothing: the store removes layers that somebody died over.

        Raises:
            ProgramFailed
        """
        await self._run("images", "--quiet")

    async def _run(self, *arguments: str) -> str:
        store = self._store
        done = await self._programs.run(
            [
                "buildah",
                *("--root", str(store.root), "--runroot", str(store.runroot), "--storage-driver", "overlay"),
                *("--registries-conf", str(store.registries)),
                *arguments,
            ],
            env=store.environment(self._temporary),
            time_limit=120,
        )
        return done.stdout.decode(errors="replace")


def is_unknown(error: ProgramFailed) -> bool:
    """Whether it failed since there is no such image."""
    return b"image not known" in error.stderr or b"not an image" in error.stderr


def is_in_use(error: ProgramFailed) -> bool:
    """Whether it failed since a working container of the store itself, as of a build, needs the image."""
    return b"in use by" in error.stderr
