"""Memory of processes as the kernel counts it, in bytes."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

LOOK_SECONDS = 0.01


def field(pid: int, file: str, name: str) -> int:
    """A line `NAME:  N kB` of /proc/PID/FILE."""
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/{file} has no {name}")


def resident(pids: Iterable[int]) -> int:
    """Of all of them together; what has ended meanwhile has nothing.

    Raises:
        RuntimeError: all have ended.
    """
    found = sum(map(_resident, pids))
    if not found:
        raise RuntimeError("no process is left to look at")
    return found


def _resident(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        words = Path(f"/proc/{pid}/statm").read_text().split()
        return int(words[1]) * resource.getpagesize()
    return 0


@dataclass
class Growth:
    """How far a process's peak rose over what it had at first."""

    bytes: int = 0


@contextlib.contextmanager
def growth(pid: int) -> Iterator[Growth]:
    """Filled in when the block is left."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak starts again from here
    before = resident([pid])
    grown = Growth()
    yield grown
    grown.bytes = max(0, field(pid, "status", "VmHWM") - before)


@dataclass
class Peak:
    """The most that some processes had at once."""

    bytes: int = 0


@contextlib.contextmanager
def peak(pids: Callable[[], Iterable[int]]) -> Iterator[Peak]:
    """Of all processes that `pids` names; it is asked every `LOOK_SECONDS`, and what is shorter is not seen."""
    found, over = Peak(), Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            found.bytes = max(found.bytes, resident(pids()))

    watching = Thread(target=look)
    watching.start()
    try:
        yield found
    finally:
        over.set()
        watching.join()
