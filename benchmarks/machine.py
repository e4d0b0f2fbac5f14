"""What is said of a measurement besides its figures."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.options import Options

COMMAND = "sudo script/in-debian trixie script/benchmark --publish"


def about(options: Options) -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "command": COMMAND if options.publish else " ".join(["sudo benchmarks/run.py", *sys.argv[1:]]),
        "machine": {
            "system": _of(Path("/etc/os-release"), "PRETTY_NAME=").strip('"'),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "processors": os.cpu_count(),
            "model": _of(Path("/proc/cpuinfo"), "model name").lstrip("\t :"),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
            "load": os.getloadavg(),
        },
        "options": options.as_json(),
        "servers": [
            {"name": one.name, "kind": one.kind.name, "root": str(one.root), "versions": {}} for one in options.servers
        ],
    }


def _of(file: Path, name: str) -> str:
    """The rest of the first line that begins so."""
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return line.removeprefix(name)
    return "unknown"
