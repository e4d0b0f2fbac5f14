"""Starting a container: intent first, then its network and its process, and back by the same list where that fails."""

from __future__ import annotations


class Start:
    async def start(self, name_or_id: str) -> None:
        """Start it, and return when its first process runs.

        Raises:
            NotModified: it runs already.
            StartFailed, PortInUse, ImageRemovedUnderneath, HostError: nothing of the start is left behind.
        """
        raise NotImplementedError
