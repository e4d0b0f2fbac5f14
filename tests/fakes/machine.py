"""A machine in memory: what containers would be, run and leave behind on a real one. It outlives the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from apiserver.engine.ports.runs import RunEnd, RunKey
from apiserver.engine.ports.streams import Stream

SIGKILL = 9


class Phase(Enum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass
class Process:
    """The first process of a run, or one of an exec session.

    Attributes:
        deaf_to: signals that it ignores.
        end: what the monitor recorded; its code None: nobody did.
        heard: what it read from its standard input; `closed` when that ended.
    """

    phase: Phase = Phase.CREATED
    deaf_to: frozenset[int] = frozenset()
    end: RunEnd | None = None
    sent: list[int] = field(default_factory=list)
    heard: bytes = b""
    closed: bool = False
    size: tuple[int, int] | None = None
    attached: list[FakeStreams] = field(default_factory=list)
    waiters: list[Deferred[None]] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        return self.phase is Phase.ENDED

    def say(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        for streams in self.attached:
            streams.deliver(stream, data)

    async def until_gone(self) -> None:
        if not self.gone:
            waiter: Deferred[None] = Deferred(self.waiters.remove)
            self.waiters.append(waiter)
            await waiter

    def finish(self, end: RunEnd) -> None:
        self.phase, self.end = Phase.ENDED, end
        for streams in self.attached:
            streams.finish()
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.callback(None)


class FakeStreams:
    """A connection to a process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._pieces: list[tuple[Stream, bytes]] = []
        self._reader: Deferred[None] | None = None
        self._finished = process.gone
        self.closed = False
        process.attached.append(self)

    def deliver(self, stream: Stream, data: bytes) -> None:
        self._pieces.append((stream, data))
        self._wake()

    def finish(self) -> None:
        self._finished = True
        self._wake()

    async def read(self) -> tuple[Stream, bytes] | None:
        while not self._pieces:
            if self._finished or self.closed:
                return None
            self._reader = Deferred()
            await self._reader
        return self._pieces.pop(0)

    async def write(self, data: bytes) -> None:
        self._process.heard += data

    def close_write(self) -> None:
        self._process.closed = True

    def close(self) -> None:
        self.closed = True
        if self in self._process.attached:
            self._process.attached.remove(self)
        self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)


class Machine:
    """
    Attributes:
        runs: the first processes, by run: there from create until discard.
        execs: processes of exec sessions, by session id.
        files: ids of containers that have files.
        written: bytes in the layers of containers, by id; none where it is not there.
        unsettled: ids of containers that a service is in the middle of something for.
        guarded: whether somebody was called to watch the runs.
        starts: how often the first process of a run was started.
        filled_volumes: those with something in them.
        bare_images: no image has anything at the target of a volume.
        watcher: who is told of ends; nobody while no service runs.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.runs: dict[RunKey, Process] = {}
        self.execs: dict[str, Process] = {}
        self.files: set[str] = set()
        self.written: dict[str, int] = {}
        self.networks: set[tuple[str, int]] = set()
        self.ports: list[int] = []
        self.volumes: set[str] = set()
        self.volumes_aside: dict[str, str] = {}
        self.filled_volumes: set[str] = set()
        self.bare_images = False
        self.unsettled: set[str] = set()
        self.guarded = False
        self.starts: dict[RunKey, int] = {}
        self.deaf_to: frozenset[int] = frozenset()
        self.watched: set[RunKey] = set()
        self.watcher: Callable[[RunKey], None] | None = None

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.seconds(), UTC)

    def service_dies(self) -> None:
        self.watched, self.watcher, self.ports = set(), None, []

    def reboots(self) -> None:
        """Processes and what lies in the run root are gone."""
        self.service_dies()
        self.runs, self.execs, self.networks = {}, {}, set()

    def exit(self, key: RunKey, code: int | None = 0, *, oom: bool = False) -> None:
        """The first process of a run ends."""
        process = self.runs[key]
        if process.gone:
            return
        process.finish(RunEnd(code, self.now(), oom))
        if key in self.watched and self.watcher is not None:
            self.watched.discard(key)
            self.watcher(key)

    def deliver(self, key: RunKey, signal: int) -> None:
        process = self.runs[key]
        process.sent.append(signal)
        if signal == SIGKILL or (signal in (15, 2, 1) and signal not in process.deaf_to):
            self.exit(key, 128 + signal)
