"""What is said of a measurement besides its figures."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.options import Options

PUBLISHING = "sudo script/in-debian trixie script/benchmark"
CHECKOUT = Path(__file__).parents[1]
_STEAL = 7  # its place in /proc/stat
PACKAGES = ("twisted", "klein", "werkzeug", "msgspec")


def about(options: Options) -> dict[str, Any]:
    command = PUBLISHING if options.publish else "sudo benchmarks/run.py"
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit(),
        "command": " ".join([command, *sys.argv[1:]]),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": {
            "system": _of(Path("/etc/os-release"), "PRETTY_NAME=").strip('"'),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "processors": os.cpu_count(),
            "model": _of(Path("/proc/cpuinfo"), "model name").lstrip("\t :"),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
            "load": os.getloadavg(),
            "storage": _file_system(Path("/tmp")),
        },
        "options": options.as_json(),
        "servers": [
            {"name": one.name, "kind": one.kind.name, "root": str(one.root), "versions": {}} for one in options.servers
        ],
    }


class Course:
    """How long it takes, from when this was made, and how much of the processors goes to other machines meanwhile."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = _processor_ticks()

    def so_far(self) -> dict[str, float]:
        spent = [after - before for after, before in zip(_processor_ticks(), self._before, strict=True)]
        return {
            "minutes": round((time.monotonic() - self._began) / 60),
            "stolen_percent": round(100 * spent[_STEAL] / (sum(spent) or 1), 2),
        }


def commit() -> str:
    """Of the checkout, where that is known: script/in-debian leaves it in a file, since it takes no history along."""
    left = CHECKOUT / ".commit"
    if left.exists():
        return left.read_text().strip()
    if shutil.which("git") is None:
        return ""
    asked = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _processor_ticks() -> list[int]:
    """Of all processors since the machine's start, by what they did: user to steal, as in proc_stat(5)."""
    return [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1 : _STEAL + 2]]


def _file_system(place: Path) -> str:
    """The kind of the one that a directory is on."""
    asked = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(place)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _of(file: Path, name: str) -> str:
    """The rest of the first line that begins so."""
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return line.removeprefix(name)
    return "unknown"
