"""Stopping a container if it runs, and starting it."""

from __future__ import annotations

from apiserver.engine.containers.stop import DEFAULT, Default


class Restart:
    async def restart(self, name_or_id: str, timeout: float | None | Default = DEFAULT, *, signal: str = "") -> None:
        """As `stop`, then as `start`; one that removes itself stays."""
        raise NotImplementedError
