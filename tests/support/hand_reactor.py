"""A reactor that is worked by hand: what waits for a descriptor is woken by `turn`, time by `advance`."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock


class HandReactor(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.writers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        assert reader not in self.readers
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        assert writer not in self.writers
        self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.remove(writer)

    def turn(self) -> None:
        """Wake all that wait, whether or not their descriptors are ready."""
        for reader in tuple(self.readers):
            reader.doRead()
        for writer in tuple(self.writers):
            writer.doWrite()
