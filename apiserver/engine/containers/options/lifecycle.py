"""What happens around a container's end: auto-remove, restart policy, health check."""

from __future__ import annotations

from dataclasses import dataclass

from apiserver.engine.ports.images import Healthcheck


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    name: str = "no"
    """`no`, `always`, `unless-stopped`, `on-failure`."""
    maximum_retries: int = 0


@dataclass(frozen=True, slots=True)
class Lifecycle:
    auto_remove: bool = False
    restart: RestartPolicy = RestartPolicy()
    health: Healthcheck | None = None
    """The client's, else the image's; `test == ("NONE",)` disables it. Stored and shown; zero means the default."""
    init: bool = False
    """Run an init process as process 1."""
