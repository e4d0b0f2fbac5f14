"""A container's root file system: an overlay of its image's layers under a writable layer of our own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from apiserver.drivers.linux.mounts import make_private, mount_overlay, unmount_now
from apiserver.drivers.threads import Threads
from apiserver.errors import HostError
from apiserver.local.paths import ContainerPaths


class Layers(Protocol):
    async def lower_directories(self, image_id: str) -> Sequence[Path]:
        """The directories of an image's layers, the nearest first.

        Raises:
            ImageRemovedUnderneath
        """
        ...


class Rootfs:
    def __init__(self, layers: Layers, threads: Threads) -> None:
        self._layers = layers
        self._threads = threads

    async def mount(self, container: ContainerPaths, image_id: str) -> Path:
        """Mount it at `container.merged`.

        Raises:
            ImageRemovedUnderneath, HostError
        """
        lowers = await self._layers.lower_directories(image_id)
        if not container.upper.exists():
            container.make()
            self._make_upper(container.upper, lowers)
        mount_overlay(container.merged, lowers, container.upper, container.work)
        # What is mounted in it stays in it, also where the host's mounts are shared.
        make_private(container.merged)
        return container.merged

    async def unmount(self, container: ContainerPaths) -> None:
        """Unmount it, as often as it is mounted; nothing happens where it is not.

        Raises:
            HostError: the kernel does not let go of it.
        """
        await self._threads.run(_unmount_all, container.merged)

    def _make_upper(self, upper: Path, lowers: Sequence[Path]) -> None:
        """Its owner and mode are those that `/` has in the container: the image's own. So it is there whole, or not."""
        making = upper.with_name("upper.new")
        making.mkdir(mode=0o755, exist_ok=True)
        if lowers:
            status = lowers[0].stat()
            os.chown(making, status.st_uid, status.st_gid)
            making.chmod(status.st_mode & 0o7777)
        making.rename(upper)


def _unmount_all(merged: Path) -> None:
    try:
        while unmount_now(merged):
            pass
    except OSError:
        # Somebody still looks into it (a shell of the administrator): out of sight now, gone when they leave.
        try:
            while unmount_now(merged, detach=True):
                pass
        except OSError as error:
            raise HostError(f"cannot unmount {merged}: {error.strerror}") from error
