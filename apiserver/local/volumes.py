"""The files of volumes: the port `VolumeSource` on this machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from apiserver.drivers.linux.remove_tree import remove_tree
from apiserver.drivers.threads import Threads
from apiserver.errors import HostError
from apiserver.local.paths import Paths
from apiserver.local.runs.copyup import discard_unfinished

_DATA = "_data"

_ASIDE = ".removing-"
"""Begins the name of a directory that holds one volume's, which keeps its name. No volume's name has a dot first."""


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

    async def set_aside(self, name: str) -> str | None:
        try:
            return await self._threads.run(self._set_aside, name)
        except OSError as error:
            raise HostError(f"the files of volume {name} cannot be deleted: {error}") from error

    async def put_back(self, key: str) -> None:
        try:
            await self._threads.run(self._put_back, key)
        except OSError as error:
            raise HostError(f"the files of a volume cannot be put back: {error}") from error

    async def delete(self, key: str) -> None:
        try:
            await self._threads.run(remove_tree, self._place(key))
        except OSError as error:
            raise HostError(f"the files of a removed volume cannot be deleted: {error}") from error

    async def aside(self) -> Mapping[str, str]:
        return await self._threads.run(self._aside)

    async def is_empty(self, name: str) -> bool:
        try:
            return not await self._threads.run(os.listdir, self.mountpoint(name))
        except FileNotFoundError:
            return True
        except OSError as error:
            raise HostError(f"the files of volume {name} cannot be read: {error}") from error

    async def discard_unfinished(self, name: str) -> None:
        try:
            await self._threads.run(discard_unfinished, self._paths.volume(name))
        except OSError as error:
            raise HostError(f"what was half copied into volume {name} cannot be deleted: {error}") from error

    async def survey(self) -> frozenset[str]:
        with suppress(FileNotFoundError), os.scandir(self._paths.volumes) as entries:
            return frozenset(
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(_ASIDE)
            )
        return frozenset()

    def _remove(self, name: str) -> None:
        remove_tree(self._paths.volume(name))

    def _set_aside(self, name: str) -> str | None:
        directory, key = self._paths.volume(name), _ASIDE + secrets.token_hex(8)
        # Not the name itself with something before it: that may already be as long as a name can be.
        place = self._place(key)
        place.mkdir(mode=0o700)
        try:
            directory.rename(place / name)
            _sync(place, self._paths.volumes)
        except BaseException as error:
            with suppress(FileNotFoundError):
                (place / name).rename(directory)
            place.rmdir()
            if isinstance(error, FileNotFoundError):
                return None
            raise
        return key

    def _put_back(self, key: str) -> None:
        place = self._place(key)
        for name in os.listdir(place):
            (place / name).rename(self._paths.volume(name))
        place.rmdir()
        _sync(self._paths.volumes)

    def _aside(self) -> dict[str, str]:
        with suppress(FileNotFoundError):
            keys = [name for name in os.listdir(self._paths.volumes) if name.startswith(_ASIDE)]
            # Once its deletion has begun, directories from below may stand beside it.
            return {key: self._name_in(key) for key in keys}
        return {}

    def _name_in(self, key: str) -> str:
        names = os.listdir(self._place(key))
        return names[0] if len(names) == 1 else ""

    def _place(self, key: str) -> Path:
        return self._paths.volumes / key


def _sync(*directories: Path) -> None:
    for directory in directories:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
