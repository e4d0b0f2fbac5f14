"""The recorded output of containers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from apiserver.engine.ports.streams import Stream


class LogRecord(Struct, frozen=True, gc=False):
    """A line, or a part of a long one (`partial`: no newline ended it)."""

    time: datetime
    nanosecond: int
    """The time's fraction of a second, 0 to 999,999,999: `datetime` has microseconds only."""
    stream: Stream
    data: bytes
    """Without the newline."""
    partial: bool = False


class LogSource(Protocol):
    def read(
        self,
        container_id: str,
        *,
        tail: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        follow: bool = False,
    ) -> AsyncGenerator[list[LogRecord], None]:
        """Records in order, as many at once as were read at once, never none: a log of any size costs no memory, and
        a line costs no step of the event loop.

        Args:
            tail: only the last so many lines (counted before `since`); None: all.
            follow: go on until `ended(container_id)` was called, or the moment `until` has come, and the rest is read.

        Close the generator in any case; a wait for its next records can be cancelled.
        """

    def ended(self, container_id: str) -> None:
        """Nothing more will be written by this run: followers end when they have read the rest."""
