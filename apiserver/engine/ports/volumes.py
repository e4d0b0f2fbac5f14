"""Where the files of volumes live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class VolumeSource(Protocol):
    def mountpoint(self, name: str) -> str:
        """Where the volume's files are, or will be."""

    async def create(self, name: str) -> None:
        """Make its directory; nothing happens where it is there already."""

    async def remove(self, name: str) -> None:
        """Delete the files of one that nobody has used; nothing happens where there are none."""

    async def set_aside(self, name: str) -> str | None:
        """Take its directory, whole, to where it is not found any more; durable.

        Returns:
            The key of what was set aside; None where there is no directory.
        """

    async def put_back(self, key: str) -> None:
        """Undo `set_aside`; fails where the name has a directory again."""

    async def delete(self, key: str) -> None:
        """Delete what was set aside, also the rest of it; nothing happens where it is gone."""

    async def aside(self) -> Mapping[str, str]:
        """The names, by key, of all that is set aside; empty where nothing but the key is left."""

    async def is_empty(self, name: str) -> bool:
        """Whether there are no files in its directory, or no directory."""

    async def discard_unfinished(self, name: str) -> None:
        """Take away what filling it left where that was cut short; its files are not touched."""

    async def survey(self) -> frozenset[str]:
        """The names of all that have a directory."""
