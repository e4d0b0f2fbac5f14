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


def exit_code(container: Container) -> int:
    """Of the newest run; 0 while it runs and before the first, -1 where nobody recorded it."""
    run = container.run
    if run is None or not run.ended:
        return 0
    return UNKNOWN_EXIT if run.exit_code is None else run.exit_code
