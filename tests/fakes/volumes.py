"""Directories of volumes in memory."""

from __future__ import annotations

from collections.abc import Mapping

from apiserver.errors import HostError
from tests.fakes.gates import Gates
from tests.fakes.machine import Machine


class FakeVolumeSource:
    def __init__(self, machine: Machine, gates: Gates | None = None) -> None:
        self._machine = machine
        self._gates = gates or Gates()

    def mountpoint(self, name: str) -> str:
        return f"/volumes/{name}/_data"

    async def create(self, name: str) -> None:
        await self._gates.pass_by("volumes.create")
        self._machine.volumes.add(name)
        await self._gates.pass_by("volumes.create done")

    async def remove(self, name: str) -> None:
        await self._gates.pass_by("volumes.remove")
        self._machine.volumes.discard(name)

    async def set_aside(self, name: str) -> str | None:
        await self._gates.pass_by("volumes.set_aside")
        if name not in self._machine.volumes:
            return None
        self._machine.volumes.discard(name)
        key = f".removing-{len(self._gates.passed)}"
        self._machine.volumes_aside[key] = name
        await self._gates.pass_by("volumes.set_aside done")
        return key

    async def put_back(self, key: str) -> None:
        await self._gates.pass_by("volumes.put_back")
        if self._machine.volumes_aside[key] in self._machine.volumes:
            raise HostError("directory not empty")
        self._machine.volumes.add(self._machine.volumes_aside.pop(key))

    async def delete(self, key: str) -> None:
        await self._gates.pass_by("volumes.delete")
        self._machine.volumes_aside.pop(key, None)

    async def aside(self) -> Mapping[str, str]:
        return dict(self._machine.volumes_aside)

    async def is_empty(self, name: str) -> bool:
        return name not in self._machine.filled_volumes

    async def discard_unfinished(self, name: str) -> None:
        await self._gates.pass_by("volumes.discard_unfinished")

    async def survey(self) -> frozenset[str]:
        return frozenset(self._machine.volumes)
