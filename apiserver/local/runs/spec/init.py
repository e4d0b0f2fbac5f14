"""A process 1 of the host's beside the container's own program: it passes signals on, and buries orphans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from apiserver.engine.containers.options import Lifecycle
from apiserver.errors import Declined, HostError, ProgramMissing
from apiserver.local.runs.spec.mounts import Placed

PROGRAM = "catatonit"
TARGET = "/sbin/docker-init"
"""Where Docker has it."""


class InitMissing(Declined, HostError):
    """The program of the host's that a client wants for it is not there, in Podman's words."""

    cause = "no such file or directory"
    docker = libpod = "container-init binary not found on the host: stat {subject}: {cause}"


def mount(lifecycle: Lifecycle, program: Path | None) -> list[Placed]:
    """Where the host's program is in the container; blocks where the client names one.

    Args:
        program: what is taken where the client names none; None where it is not installed.

    Raises:
        ProgramMissing, InitMissing
    """
    if not lifecycle.init:
        return []
    if lifecycle.init_program:
        program = Path(lifecycle.init_program)
        if not program.is_file():
            raise InitMissing(lifecycle.init_program)
    if program is None:
        raise ProgramMissing(PROGRAM)
    return [Placed(TARGET, "bind", str(program), ("bind", "rprivate", "ro", "nosuid", "nodev"), ours=True)]


def arguments(lifecycle: Lifecycle, argv: Sequence[str]) -> list[str]:
    return [TARGET, "--", *argv] if lifecycle.init else list(argv)
