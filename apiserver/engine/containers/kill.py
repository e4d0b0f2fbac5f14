"""Sending a signal to a container."""

from __future__ import annotations


class Kill:
    async def kill(self, name_or_id: str, signal: str = "") -> None:
        """Send a signal to its first process; SIGKILL waits for the end.

        Args:
            signal: a name (`HUP`, `SIGHUP`) or a number as text; empty, or 0: SIGKILL.

        Raises:
            ContainerNotRunning
            InvalidParameter: no such signal.
        """
        raise NotImplementedError
