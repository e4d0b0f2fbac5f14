"""Records in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from apiserver.engine.containers.model import Container, ExecSession
from apiserver.engine.events.model import Event
from apiserver.engine.ports.records import (
    Change,
    DeleteContainer,
    DeleteExec,
    DeleteVolume,
    DropExitCodes,
    PutContainer,
    PutExec,
    PutExitCode,
    PutSetting,
    PutVolume,
    Remembered,
)
from apiserver.engine.volumes.model import Volume
from apiserver.jsonvalue import JsonValue
from tests.fakes.gates import Gates

PAGE = 100


class MemoryRecords:
    def __init__(self, gates: Gates | None = None) -> None:
        self._gates = gates or Gates()
        self.containers: dict[str, Container] = {}
        self.execs: dict[str, ExecSession] = {}
        self.volumes: dict[str, Volume] = {}
        self.exit_codes: dict[str, PutExitCode] = {}
        self.settings: dict[str, JsonValue] = {}
        self.rows: list[Event] = []
        self.commits = 0

    def remembered(self) -> Remembered:
        return Remembered(
            containers=tuple(self.containers.values()),
            execs=tuple(self.execs.values()),
            volumes=tuple(self.volumes.values()),
            exit_codes=tuple(self.exit_codes.values()),
            settings=dict(self.settings),
        )

    async def commit(self, *changes: Change) -> Sequence[Event]:
        await self._gates.pass_by("commit")
        self.commits += 1
        told = []
        for change in changes:
            if isinstance(change, Event):
                told.append(replace(change, serial=len(self.rows) + 1))
                self.rows.append(told[-1])
            else:
                self._apply(change)
        await self._gates.pass_by("commit done")
        return told

    def _apply(self, change: Change) -> None:
        match change:
            case PutContainer(container):
                self.containers[container.id] = container
            case DeleteContainer(container_id):
                self.containers.pop(container_id, None)
            case PutExec(session):
                self.execs[session.id] = session
            case DeleteExec(exec_id):
                self.execs.pop(exec_id, None)
            case PutVolume(volume):
                self.volumes[volume.name] = volume
            case DeleteVolume(name):
                self.volumes.pop(name, None)
            case PutExitCode():
                self.exit_codes[change.container_id] = change
            case DropExitCodes(before):
                self.exit_codes = {i: code for i, code in self.exit_codes.items() if code.removed >= before}
            case PutSetting(name, value):
                self.settings[name] = value

    async def events(self, *, after: int, since: datetime | None, until: datetime | None) -> Sequence[Event]:
        return [
            row
            for row in self.rows
            if row.serial > after and (since is None or row.time >= since) and (until is None or row.time <= until)
        ][:PAGE]

    async def latest_serial(self) -> int:
        return self.rows[-1].serial if self.rows else 0

    async def close(self) -> None: ...
