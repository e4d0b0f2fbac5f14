"""Directories of volumes in memory."""

from __future__ import annotations

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

    async def discard_unfinished(self, name: str) -> None:
        await self._gates.pass_by("volumes.discard_unfinished")

    async def survey(self) -> frozenset[str]:
        return frozenset(self._machine.volumes)
