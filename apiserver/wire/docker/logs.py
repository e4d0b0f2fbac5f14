"""Lines of a container's log as a Docker client gets them."""

from __future__ import annotations

from apiserver.engine.ports.logs import LogRecord
from apiserver.wire.frames import frame
from apiserver.wire.gojson import fixed_time


class LogLines:
    """Bytes of one record after the other.

    Args:
        terminal: the container has one: its output is not framed, and the log has dropped the CR of each line.
        timestamps: each line begins with its time.
        details: each line begins with the attributes that were asked for, of which we have none.
    """

    def __init__(self, *, terminal: bool, timestamps: bool, details: bool) -> None:
        self._terminal = terminal
        self._timestamps = timestamps
        self._details = details
        self._in_line: set[int] = set()

    def encode(self, record: LogRecord) -> bytes:
        """The record, framed where its stream must be told; a further part of a line has no prefix."""
        end = b"" if record.partial else b"\r\n" if self._terminal else b"\n"
        data = (b"" if record.stream in self._in_line else self._prefix(record)) + record.data + end
        if record.partial:
            self._in_line.add(record.stream)
        else:
            self._in_line.discard(record.stream)
        return data if self._terminal else frame(record.stream, data)

    def _prefix(self, record: LogRecord) -> bytes:
        time = f"{fixed_time(record.time, record.nanosecond)} ".encode() if self._timestamps else b""
        return time + (b" " if self._details else b"")
