"""Where the files of volumes live."""

from __future__ import annotations

from typing import Protocol


class VolumeSource(Protocol):
    def mountpoint(self, name: str) -> str:
        """Where the volume's files are, or will be."""

    async def create(self, name: str) -> None:
        """Make its directory; nothing happens where it is there already."""

    async def remove(self, name: str) -> None:
        """Delete its files; nothing happens where there are none."""

    async def survey(self) -> frozenset[str]:
        """The names of all that have a directory."""
