"""Removing a container with all that it left."""

from __future__ import annotations


class Remove:
    async def remove(self, name_or_id: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove it.

        Args:
            force: kill it first where it runs.
            volumes: its anonymous volumes too.

        Raises:
            ContainerRunning: and not forced.
        """
        raise NotImplementedError
