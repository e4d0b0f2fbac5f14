"""A process 1 of the host's beside the container's own program: it passes signals on, and buries orphans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from apiserver.engine.containers.options import Lifecycle
from apiserver.errors import ProgramMissing
from apiserver.local.runs.spec.mounts import Placed

PROGRAM = "catatonit"
TARGET = "/sbin/docker-init"
"""Where Docker has it."""


def mount(lifecycle: Lifecycle, program: Path | None) -> list[Placed]:
    """Where the host's program is in the container.

    Args:
        program: None where it is not installed.

    Raises:
        ProgramMissing
    """
    if not lifecycle.init:
        return []
    if program is None:
        raise ProgramMissing(PROGRAM)
    return [Placed(TARGET, "bind", str(program), ("bind", "rprivate", "ro", "nosuid", "nodev"), ours=True)]


def arguments(lifecycle: Lifecycle, argv: Sequence[str]) -> list[str]:
    return [TARGET, "--", *argv] if lifecycle.init else list(argv)
