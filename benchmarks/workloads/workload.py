"""What a workload is: done once for each server in each repetition, all servers in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figure, Measured
from benchmarks.kinds import Kind
from benchmarks.registry import BigImage
from benchmarks.servers import Server

MIB = 1024 * 1024
CONNECTIONS = (1, 8, 64)
COUNTS = (10, 100, 1000)


@dataclass
class Scale:
    """How much of all is done.

    Attributes:
        folder: for files that the workloads share.
        runs: of what takes tens of milliseconds, in each repetition.
        load_seconds: for each number of connections.
        counts: of containers that are listed; the last is there at the start that is measured.
        stream_mib: of a log that is read and of output that is attached to.
        image_mib: of what is pulled and loaded.
        flow_mib: of stdin, of an imported archive, of a log that nobody reads: once each, with the growth of memory.
    """

    folder: Path
    runs: int = 5
    load_seconds: float = 2.0
    counts: tuple[int, ...] = COUNTS
    stream_mib: int = 128
    image_mib: int = 150
    flow_mib: int = 1024
    _image: BigImage | None = field(default=None, init=False)

    @property
    def big_image(self) -> BigImage:
        """Made when it is first asked for."""
        if self._image is None:
            self._image = BigImage(self.folder, self.image_mib * MIB)
        return self._image


def nothing(_server: Server, _scale: Scale) -> None:
    """Needs no preparation."""


def engines(kind: Kind) -> bool:
    return kind.engine


@dataclass(frozen=True)
class Workload:
    """
    Attributes:
        name: by which it is chosen; several may share one.
        measure: one repetition.
        prepare, clear: before the first repetition and after the last, not measured.
        takes_part: which kinds of servers.
        starts: it starts the server, so one that was given cannot take part.
        once: it is too long to be repeated, or would be the same again.
        pause_seconds: before each repetition, in which no server is asked.
    """

    name: str
    measure: Callable[[Server, Scale], Measured]
    prepare: Callable[[Server, Scale], None] = nothing
    clear: Callable[[Server, Scale], None] = nothing
    takes_part: Callable[[Kind], bool] = engines
    starts: bool = False
    once: bool = False
    pause_seconds: float = 0.0


class Stopwatch:
    """Seconds of a `with` block."""

    def __enter__(self) -> Stopwatch:
        self._began = time.perf_counter()
        self.seconds = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began


def milliseconds(figure: Figure, seconds: float) -> tuple[Figure, float]:
    assert figure.unit == "ms"
    return figure, seconds * 1000
