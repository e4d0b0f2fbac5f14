"""A container's state in Podman's words (libpod/define/containerstate.go)."""

from __future__ import annotations

from apiserver.engine.containers.model import Container, State

UNKNOWN_EXIT = -1

_WORDS = {
    State.CONFIGURED: "created",
    State.INITIALIZED: "initialized",
    State.RUNNING: "running",
    State.PAUSED: "paused",
    State.STOPPING: "stopping",
    State.STOPPED: "stopped",
    State.EXITED: "exited",
    State.REMOVING: "removing",
}
STATES = frozenset({*_WORDS.values(), "unknown"})


def state_word(container: Container) -> str:
    return _WORDS[container.state]


def pid(container: Container) -> int:
    """Of its first process, also of one that waits for the start; 0 without one."""
    run = container.run
    there = container.alive or container.state is State.INITIALIZED
    return (run.pid or 0) if run is not None and there else 0


def exit_code(container: Container) -> int:
    """Of the run that ended last; 0 while one runs and before the first, -1 where nobody recorded it."""
    run = container.run
    # While an exited one is being started again, what its run tells is of the one before.
    if run is None or not (run.ended or container.state is State.EXITED):
        return 0
    return UNKNOWN_EXIT if run.exit_code is None else run.exit_code
