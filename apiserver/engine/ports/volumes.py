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

    async def discard_unfinished(self, name: str) -> None:
        """Take away what filling it left where that was cut short; its files are not touched."""

    async def survey(self) -> frozenset[str]:
        """The names of all that have a directory."""
