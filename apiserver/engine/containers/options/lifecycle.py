"""What happens around a container's end: auto-remove, restart policy, health check."""

from __future__ import annotations

from msgspec import Struct

from apiserver.engine.ports.images import Healthcheck
from apiserver.errors import InvalidArgument, InvalidParameter

POLICIES = ("no", "always", "unless-stopped", "on-failure")
SHORTEST_NS = 1_000_000
"""A millisecond, as Docker has it."""
LONGEST_TIMEOUT = 2**31 - 1
"""conmon's own limit."""


class RestartPolicy(Struct, frozen=True):
    name: str = "no"
    """`no`, `always`, `unless-stopped`, `on-failure`."""
    maximum_retries: int = 0


class Lifecycle(Struct, frozen=True):
    auto_remove: bool = False
    restart: RestartPolicy = RestartPolicy()
    health: Healthcheck | None = None
    """The client's, else the image's; `test == ("NONE",)` disables it. Stored and shown; zero means the default."""
    init: bool = False
    """Run an init process as process 1."""
    init_program: str = ""
    """The program for that, by its path on the back end's machine; empty: the back end's own."""
    monitor_pid_file: str = ""
    """Where on the back end's machine the pid of what watches over each run is written; empty: nowhere."""
    notify_mode: str = ""
    """Who tells systemd that it is ready, in the client's word: kept and shown, nothing is told."""
    timeout: int = 0
    """Seconds after which it is killed, whatever it does, and has no code; 0 is never."""


def validated(lifecycle: Lifecycle) -> Lifecycle:
    """Raises: InvalidParameter, in Docker's words."""
    restart = lifecycle.restart
    if restart.name not in POLICIES:
        raise InvalidArgument(
            f'"{restart.name}" is not a valid restart policy',
            f"invalid restart policy: unknown policy '{restart.name}'; use one of {POLICIES}",
        )
    if restart.maximum_retries < 0:
        raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    if restart.maximum_retries and restart.name != "on-failure":
        raise InvalidParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'")
    if lifecycle.auto_remove and restart.name != "no":
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")
    if not 0 <= lifecycle.timeout <= LONGEST_TIMEOUT:
        raise InvalidParameter(f"invalid timeout: it is a number of seconds from 0 to {LONGEST_TIMEOUT}")
    for name, path in (("init_path", lifecycle.init_program), ("conmon_pid_file", lifecycle.monitor_pid_file)):
        if path and (not path.startswith("/") or "\0" in path):
            raise InvalidParameter(f"invalid {name}: {path!r} is no absolute path")
    if lifecycle.health is not None:
        _check_health(lifecycle.health)
    return lifecycle


def _check_health(health: Healthcheck) -> None:
    for field_name, value in (
        ("Interval", health.interval_ns),
        ("Timeout", health.timeout_ns),
        ("StartPeriod", health.start_period_ns),
        ("StartInterval", health.start_interval_ns),
    ):
        if value and value < SHORTEST_NS:
            raise InvalidParameter(f"{field_name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")


def warnings(lifecycle: Lifecycle) -> tuple[str, ...]:
    """What is kept, and does not act yet."""
    said = []
    if lifecycle.restart.name != "no":
        said.append(
            f"restart policy '{lifecycle.restart.name}' is stored, but does not act yet in this version of apiserver"
        )
    health = lifecycle.health
    if health is not None and health.test and health.test != ("NONE",):
        said.append("the health check is stored, but does not act yet in this version of apiserver")
    return tuple(said)
