"""Lines of a container's log as clients of both flavours get them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

from apiserver.engine.ports.logs import LogRecord
from apiserver.wire.frames import frame, frames
from apiserver.wire.gojson import fixed_time


class LogLines:
    """Bytes of one record after the other.

    Args:
        terminal: the container has one: its output is not framed; some conmons drop the CR of each line.
        timestamps: each line begins with its time.
        details: each line begins with these attributes, where they are not None.
    """

    def __init__(self, *, terminal: bool, timestamps: bool, details: Mapping[str, str] | None = None) -> None:
        self._terminal = terminal
        self._timestamps = timestamps
        self._details = b"" if details is None else _attributes(details) + b" "
        self._in_line: set[int] = set()

    def encode_all(self, records: Iterable[LogRecord]) -> bytes:
        """One after the other, as `encode` has each."""
        if self._terminal or self._timestamps or self._details:
            return b"".join([self.encode(record) for record in records])
        ended = ((record.stream, record.data if record.partial else record.data + b"\n") for record in records)
        return frames(ended)

    def encode(self, record: LogRecord) -> bytes:
        """The record, framed where its stream must be told; a further part of a line has no prefix."""
        data = (b"" if record.stream in self._in_line else self._prefix(record)) + record.data + self._end(record)
        if record.partial:
            self._in_line.add(record.stream)
        else:
            self._in_line.discard(record.stream)
        return data if self._terminal else frame(record.stream, data)

    def _end(self, record: LogRecord) -> bytes:
        if record.partial:
            return b""
        return b"\r\n" if self._terminal and not record.data.endswith(b"\r") else b"\n"

    def _prefix(self, record: LogRecord) -> bytes:
        time = f"{fixed_time(record.time, record.nanosecond)} ".encode() if self._timestamps else b""
        return time + self._details


def _attributes(details: Mapping[str, str]) -> bytes:
    """By name, escaped as in a URL's query, which leaves no letter that could end one."""
    return ",".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in sorted(details.items())).encode()
