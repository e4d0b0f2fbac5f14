"""The state on disk: what the engine remembers across its own death."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from msgspec import Struct, field

from apiserver.engine.containers.model import Container, ExecSession
from apiserver.engine.events.model import Event
from apiserver.engine.volumes.model import Volume
from apiserver.jsonvalue import JsonValue


class PutContainer(Struct, frozen=True):
    container: Container


class DeleteContainer(Struct, frozen=True):
    container_id: str


class PutExec(Struct, frozen=True):
    session: ExecSession


class DeleteExec(Struct, frozen=True):
    exec_id: str


class PutVolume(Struct, frozen=True):
    volume: Volume


class DeleteVolume(Struct, frozen=True):
    name: str


class PutExitCode(Struct, frozen=True):
    """How a removed container ended; kept 5 minutes."""

    container_id: str
    exit_code: int | None
    removed: datetime


class DropExitCodes(Struct, frozen=True):
    """Forget the exit codes of what was removed before a time."""

    before: datetime


class PutSetting(Struct, frozen=True):
    """A small fact by name: the default network's subnet, the boot id."""

    name: str
    value: JsonValue


Change: TypeAlias = (
    PutContainer
    | DeleteContainer
    | PutExec
    | DeleteExec
    | PutVolume
    | DeleteVolume
    | PutExitCode
    | DropExitCodes
    | PutSetting
    | Event
)
"""An `Event` among the changes becomes a row in the same transaction."""


class Remembered(Struct, frozen=True):
    """All that was on disk at the start, but the events."""

    containers: tuple[Container, ...] = ()
    execs: tuple[ExecSession, ...] = ()
    volumes: tuple[Volume, ...] = ()
    exit_codes: tuple[PutExitCode, ...] = ()
    settings: dict[str, JsonValue] = field(default_factory=dict)


class Records(Protocol):
    """Written by one daemon, which holds the root's lock."""

    def remembered(self) -> Remembered:
        """What the disk holds; at start-up only, before the reactor serves anybody."""

    async def commit(self, *changes: Change) -> Sequence[Event]:
        """Make the changes durable, all or none; fires after they are on disk.

        Changes that wait share a transaction. Order is kept between calls.

        Returns:
            the events among the changes, in order, with their serials, which follow the order of commits.

        Raises:
            HostError: the disk is full or broken; nothing of `changes` is on disk then. What ends or removes something
                still finds room on a disk that is full for everything else.
        """

    async def events(self, *, after: int, since: datetime | None, until: datetime | None) -> Sequence[Event]:
        """The next page of past events, in order; empty at the end.

        Args:
            after: only serials above it.
            since, until: both inclusive.
        """

    async def latest_serial(self) -> int:
        """The serial of the newest event; 0 where there is none."""

    async def close(self) -> None:
        """Flush what waits and close the file."""
