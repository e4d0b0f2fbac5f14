"""A container's state in Docker's words, which are fewer than ours."""

from __future__ import annotations

from datetime import UTC, datetime

from apiserver.engine.containers.model import Container, State
from apiserver.jsonvalue import JsonObject
from apiserver.wire.gojson import go_time, human_duration

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
UNKNOWN_EXIT = 255

_WORDS = {
    State.CONFIGURED: "created",
    State.INITIALIZED: "created",
    State.RUNNING: "running",
    State.PAUSED: "paused",
    State.STOPPING: "running",
    State.EXITED: "exited",
    State.REMOVING: "removing",
}


def state_word(container: Container) -> str:
    """Of `STATES`; one whose process is gone is still running until its end is recorded."""
    if container.state is State.STOPPED:
        return "exited" if container.run is not None and container.run.ended else "running"
    return _WORDS[container.state]


def exit_code(container: Container) -> int:
    """Of the run that ended last; 0 while one runs and before the first, 255 where nobody recorded it."""
    run = container.run
    # While an exited one is being started again, what its run tells is of the one before.
    if run is None or not (run.ended or container.state is State.EXITED):
        return 0
    return UNKNOWN_EXIT if run.exit_code is None else run.exit_code


def status_text(container: Container, now: datetime) -> str:
    """The sentence of `docker ps`: `Up 3 seconds`, `Exited (0) 2 minutes ago`, `Created`."""
    run = container.run
    match state_word(container):
        case "running":
            return f"Up {_since(run.started if run else None, now)}"
        case "paused":
            return f"Up {_since(run.started if run else None, now)} (Paused)"
        case "exited":
            return f"Exited ({exit_code(container)}) {_since(run.finished if run else None, now)} ago"
        case "removing":
            return "Removal In Progress"
    return "Created"


def _since(moment: datetime | None, now: datetime) -> str:
    """Docker counts from the year 1 where it does not know."""
    return human_duration(now - (moment or datetime(1, 1, 1, tzinfo=UTC)))


def state_json(container: Container) -> JsonObject:
    """`State` of an inspection."""
    run = container.run
    word = state_word(container)
    running = word in ("running", "paused")
    shown: JsonObject = {
        "Status": word,
        "Running": running,
        "Paused": word == "paused",
        "Restarting": False,
        "OOMKilled": bool(run and run.oom_killed),
        "Dead": False,
        "Pid": (run.pid or 0) if run and running else 0,
        "ExitCode": exit_code(container),
        "Error": run.error if run else "",
        "StartedAt": go_time(run.started if run else None),
        "FinishedAt": go_time(run.finished if run else None),
    }
    if has_health_check(container):
        # It does not act yet: "none" makes a client that waits for "healthy" say so, instead of waiting for ever.
        shown["Health"] = {"Status": "none", "FailingStreak": 0, "Log": []}
    return shown


def has_health_check(container: Container) -> bool:
    health = container.options.lifecycle.health
    return health is not None and bool(health.test) and health.test[0] != "NONE"
