"""What the kernel tells of a process, in /proc; no program of anybody's is run."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

ARGUMENTS_LIMIT = 64 * 1024
"""Bytes of a command line that are read: a process may make its own as long as it likes."""


class KernelProcess(Struct, frozen=True):
    """
    Attributes:
        status: lines of /proc/PID/status by name.
        terminal: its device number; 0 without one.
        started_seconds: after the boot; `cpu_seconds` of user and system time.
    """

    pid: int
    status: Mapping[str, str]
    command: str
    arguments: tuple[str, ...]
    state: str
    parent: int
    process_group: int
    terminal: int
    nice: int
    started_seconds: float
    cpu_seconds: float
    virtual_bytes: int
    label: str

    def numbers(self, name: str) -> tuple[int, ...]:
        """A line of `status` that holds whole numbers; empty where the kernel does not have it."""
        return tuple(map(int, self.status.get(name, "").removesuffix("kB").split()))


def read_process(pid: int) -> KernelProcess | None:
    """All of it, or None where it is gone."""
    directory = Path(f"/proc/{pid}")
    try:
        stat = (directory / "stat").read_bytes().decode(errors="replace")
        status = (directory / "status").read_bytes().decode(errors="replace")
        with open(directory / "cmdline", "rb") as file:
            arguments = file.read(ARGUMENTS_LIMIT)
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name may hold blanks and brackets; what follows does not.
    head, _, rest = stat.rpartition(")")
    fields, ticks = rest.split(), os.sysconf("SC_CLK_TCK")
    return KernelProcess(
        pid=pid,
        status=dict(_line(line) for line in status.splitlines() if ":" in line),
        command=head.partition("(")[2],
        arguments=_arguments(arguments),
        state=fields[0],
        parent=int(fields[1]),
        process_group=int(fields[2]),
        terminal=int(fields[4]),
        nice=int(fields[16]),
        started_seconds=int(fields[19]) / ticks,
        cpu_seconds=(int(fields[11]) + int(fields[12])) / ticks,
        virtual_bytes=int(fields[20]),
        label=_label(directory),
    )


def seconds_since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def terminal_name(device: int) -> str | None:
    """`pts/0`, `tty1`, `ttyS0`; None for no terminal, or one of another kind."""
    major, minor = os.major(device), os.minor(device)
    if 136 <= major <= 143:
        return f"pts/{minor + 256 * (major - 136)}"
    if major == 4:
        return f"tty{minor}" if minor < 64 else f"ttyS{minor - 64}"
    return None


def _line(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _arguments(data: bytes) -> tuple[str, ...]:
    text = data.decode(errors="replace").rstrip("\0")
    return tuple(text.split("\0")) if text else ()


def _label(directory: Path) -> str:
    try:
        return (directory / "attr" / "current").read_bytes().rstrip(b"\0\n").decode(errors="replace")
    except OSError:
        return ""  # no such module, or the process has gone
