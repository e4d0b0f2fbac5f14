"""The pid of a run's conmon in a file where a client wants it, besides our own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from apiserver.errors import HostError
from apiserver.local.paths import RunPaths


class MonitorFileUnwritable(HostError):
    docker = libpod = "the pid of conmon cannot be written: {subject}"


def write(run: RunPaths, path: Path) -> None:
    """As conmon does: readable for all, and without a newline. Blocks.

    Raises:
        MonitorFileUnwritable
    """
    pid = run.conmon_pid_file.read_text().strip()
    try:
        # It may lie where others write too.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.")
        try:
            with os.fdopen(descriptor, "w") as file:
                os.fchmod(descriptor, 0o644)
                file.write(pid)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise MonitorFileUnwritable(f"{path}: {error.strerror}") from error
