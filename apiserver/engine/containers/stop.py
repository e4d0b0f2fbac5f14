"""Stopping a container: politely first."""

from __future__ import annotations

from enum import Enum, auto


class Default(Enum):
    TIMEOUT = auto()


DEFAULT = Default.TIMEOUT
"""The container's own stop time-out, else 10 seconds."""


class Stop:
    async def stop(self, name_or_id: str, timeout: float | None | Default = DEFAULT, *, signal: str = "") -> None:
        """Stop it and return when it is cleaned up.

        Args:
            timeout: seconds from the stop signal to SIGKILL; 0 kills at once, None waits for ever.
            signal: instead of the container's own stop signal: a name or a number.

        Raises:
            NotModified: it does not run.
            InvalidParameter: no such signal.
        """
        raise NotImplementedError
