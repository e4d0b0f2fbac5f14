"""The standard streams of processes in containers: attach, exec, resize."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Protocol

from msgspec import Struct

from apiserver.engine.containers.model import ExecSession
from apiserver.engine.ports.runs import RunKey
from apiserver.jsonvalue import JsonObject


class Stream(IntEnum):
    """Numbers of the 8-byte frames of both APIs."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2


class ProcessStreams(Protocol):
    """A connection to a process's standard streams."""

    async def read(self) -> tuple[Stream, bytes] | None:
        """The next output; None at its end. What is not read slows the process down, not our memory."""

    async def write(self, data: bytes) -> None:
        """Send to standard input; fires when more is welcome."""

    def close_write(self) -> None:
        """End of standard input, if the container is made so; output goes on."""

    def close(self) -> None: ...


class ExecStarted(Struct, frozen=True):
    pid: int | None
    at: datetime
    streams: ProcessStreams | None
    """None where it was started detached."""


class Streams(Protocol):
    async def attach(self, plan: JsonObject) -> ProcessStreams:
        """Connect to a created or running run.

        Raises:
            NotRunning: nobody is there to connect to.
        """

    async def resize(self, plan: JsonObject, height: int, width: int) -> None: ...

    def plan_exec(self, run_plan: JsonObject, session: ExecSession) -> JsonObject:
        """The names of all that an exec session will make; committed before `start_exec`."""

    async def start_exec(self, run_plan: JsonObject, session: ExecSession, *, attach: bool) -> ExecStarted:
        """Run it in the container (`session.plan` is its plan).

        Raises:
            StartFailed: with exit code 126 or 127.
        """

    async def exec_end(self, run_plan: JsonObject, session: ExecSession) -> int | None:
        """Fires when a started session has ended, with its code (None: unknown).

        Also for one started by an earlier daemon.
        """

    async def resize_exec(self, run_plan: JsonObject, session: ExecSession, height: int, width: int) -> None: ...

    async def discard_exec(self, run_plan: JsonObject, session: ExecSession) -> None:
        """Kill it where it still runs, and undo what its plan names. Idempotent."""


__all__ = ["ExecStarted", "ProcessStreams", "RunKey", "Stream", "Streams"]
