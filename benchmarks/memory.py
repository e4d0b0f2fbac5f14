"""Memory of processes as the kernel counts it, in bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


def field(pid: int, file: str, name: str) -> int:
    """A line `NAME:  N kB` of /proc/PID/FILE."""
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/{file} has no {name}")


def resident(pids: Iterable[int]) -> int:
    return sum(field(pid, "status", "VmRSS") for pid in pids)


def proportional(pids: Iterable[int]) -> int:
    """Shared pages count by their share."""
    return sum(field(pid, "smaps_rollup", "Pss") for pid in pids)


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
