"""The files of volumes: the port `VolumeSource` on this machine."""

from __future__ import annotations

import os
from contextlib import suppress

from apiserver.drivers.linux.remove_tree import remove_tree
from apiserver.drivers.threads import Threads
from apiserver.errors import HostError
from apiserver.local.paths import Paths
from apiserver.local.runs.copyup import discard_unfinished

_DATA = "_data"


class LocalVolumes:
    def __init__(self, paths: Paths, threads: Threads) -> None:
        self._paths = paths
        self._threads = threads

    def mountpoint(self, name: str) -> str:
        return str(self._paths.volume(name) / _DATA)

    async def create(self, name: str) -> None:
        directory = self._paths.volume(name)
        # Only root passes the directory; inside, modes are as containers need them.
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            (directory / _DATA).mkdir(mode=0o755, exist_ok=True)
        except OSError as error:
            raise HostError(f"the directory of volume {name} cannot be made: {error}") from error

    async def remove(self, name: str) -> None:
        try:
            await self._threads.run(self._remove, name)
        except OSError as error:
            raise HostError(f"the files of volume {name} cannot be deleted: {error}") from error

    async def discard_unfinished(self, name: str) -> None:
        try:
            await self._threads.run(discard_unfinished, self._paths.volume(name))
        except OSError as error:
            raise HostError(f"what was half copied into volume {name} cannot be deleted: {error}") from error

    async def survey(self) -> frozenset[str]:
        with suppress(FileNotFoundError), os.scandir(self._paths.volumes) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        return frozenset()

    def _remove(self, name: str) -> None:
        remove_tree(self._paths.volume(name))
