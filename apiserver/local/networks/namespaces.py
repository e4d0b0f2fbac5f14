"""The network namespace of each run: a file that is named after it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from apiserver.drivers.linux import netns
from apiserver.drivers.linux.netns import NetworkNamespaces

_NAME = re.compile(r"([0-9a-f]{64})-(\d+)")


class RunNamespaces:
    """
    Args:
        directory: in the kernel's memory; others may have files there too.
    """

    def __init__(self, directory: Path, namespaces: NetworkNamespaces) -> None:
        self._directory = directory
        self._namespaces = namespaces

    def path(self, container_id: str, run: int) -> Path:
        return self._directory / f"{container_id}-{run}"

    def runs(self) -> frozenset[tuple[str, int]]:
        """Container id and run of each that has one, or the file that is left of it."""
        # A directory in the kernel's memory: it does not block.
        if not self._directory.is_dir():
            return frozenset()
        matches = (_NAME.fullmatch(name) for name in os.listdir(self._directory))
        return frozenset((match[1], int(match[2])) for match in matches if match)

    async def make_anew(self, path: Path) -> None:
        """
        Raises:
            OSError, ProgramFailed, ProgramMissing: nothing is made, and what was there is gone.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        netns.remove(path)
        await self._namespaces.create(path)
