"""RUNROOT/listeners: where this daemon can be reached, for the program that a container's monitor runs at its end.

One URI a line, `unix:///run/apiserver/apiserver.sock` for example. The format is an interface between
versions: a program left behind by an older version reads what a newer daemon writes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

NAME = "listeners"


def write_listeners(runroot: Path, uris: Sequence[str]) -> None:
    """Replace the file as a whole: a reader sees the old lines or the new ones.

    Raises:
        OSError: the run root is missing or not writable.
    """
    temporary = runroot / f".{NAME}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{uri}\n" for uri in uris)
    temporary.replace(runroot / NAME)


def remove_listeners(runroot: Path) -> None:
    """Say that nobody listens; it is fine if nobody said so before."""
    (runroot / NAME).unlink(missing_ok=True)
