"""The size of a container's terminal."""

from __future__ import annotations


class Resize:
    async def resize(self, name_or_id: str, height: int, width: int) -> None:
        """Raises: ContainerNotRunning, InvalidParameter (0 to 65,535 each)."""
        raise NotImplementedError
