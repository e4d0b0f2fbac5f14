"""Room on the disk that is the state file's own, so that containers can be stopped and removed when all else is full.

A file of its own that is deleted when the disk is full would be taken at once by whoever fills the disk. Blocks behind
the end of the state file's own files nobody else can take.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

from apiserver.drivers.linux.preallocate import preallocate
from apiserver.engine.containers.model import ALIVE, Container, State
from apiserver.engine.ports.records import Change, PutContainer, PutExec, PutSetting, PutVolume

log = Logger()

LOG_BYTES = 8 << 20
"""Of the write-ahead log: twice what SQLite lets it grow to before it begins anew, so one half is always free."""
FILE_BYTES = 1 << 20
"""Behind the end of the file: what the log holds has to fit in for the log to begin anew."""
LEAST_BYTES = 1 << 20
"""With less room than this on the file system, only what gives back uses the reserve."""


def reserve(path: Path) -> None:
    """Take the room for a state file that is open; where there is none, say so and go on."""
    log_file = path.with_name(f"{path.name}-wal")
    try:
        preallocate(log_file, 0, LOG_BYTES)
        preallocate(path, path.stat().st_size, FILE_BYTES)
    except OSError as error:
        log.warn(
            "no room is kept for the state ({reason}): on a full disk, containers could not be stopped",
            reason=error.strerror,
        )


def is_full(directory: Path) -> bool:
    """Whether what is left is not for what makes something; a few microseconds."""
    room = os.statvfs(directory)
    return room.f_bfree * room.f_frsize < LEAST_BYTES


def gives_back(change: Change) -> bool:
    """Whether a change is a step on something's way out, or takes no room to speak of (an event)."""
    match change:
        case PutContainer(container):
            return _is_ending(container)
        case PutExec(session):
            return session.finished is not None
        case PutVolume() | PutSetting():
            return False
    return True


def _is_ending(container: Container) -> bool:
    if container.state in ALIVE:
        return container.state is State.STOPPING or container.stopped_by_user
    if container.state in (State.STOPPED, State.REMOVING):
        return True
    # Undone, or over; one that begins has a plan and has not ended.
    return container.run is not None and (container.run.ended or not container.run.plan)
