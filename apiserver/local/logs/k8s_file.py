"""conmon's k8s-file: a line is `2026-11-23T16:35:59.663569439+00:00 stdout F text`, `P` for a part without newline."""

from __future__ import annotations

import os
from datetime import datetime

from apiserver.engine.ports.logs import LogRecord
from apiserver.engine.ports.streams import Stream

BLOCK = 256 * 1024
"""Bytes read at once; a line has 8 KiB of text at most."""

_STREAMS = {b"stdout": Stream.STDOUT, b"stderr": Stream.STDERR}
_PARTIAL = {b"F": False, b"P": True}
_TAIL_BLOCK = 64 * 1024


def parse(line: bytes) -> LogRecord | None:
    """One line without its newline; None for what conmon did not write."""
    parts = line.split(b" ", 3)
    if len(parts) != 4 or parts[1] not in _STREAMS or parts[2] not in _PARTIAL:
        return None
    stamp = parts[0].decode("ascii", "replace")
    try:
        time = datetime.fromisoformat(stamp)
        nanosecond = int(stamp[20:29].ljust(9, "0")) if stamp[19:20] == "." else 0
    except ValueError:
        return None
    if time.tzinfo is None:
        return None
    return LogRecord(time, nanosecond, _STREAMS[parts[1]], parts[3], _PARTIAL[parts[2]])


def read_block(descriptor: int, offset: int, limit: int | None = None) -> tuple[list[LogRecord], int]:
    """The records of the whole lines from `offset` on, one block at most, and the offset after them.

    A line that is still being written is left for the next time, and so is what lies beyond the offset `limit`.
    """
    data = os.pread(descriptor, BLOCK if limit is None else min(BLOCK, limit - offset), offset)
    end = data.rfind(b"\n") + 1
    if end == 0 and len(data) == BLOCK:
        end = len(data)  # not conmon's work: no line is that long
    return records(data[:end]), offset + end


def records(data: bytes) -> list[LogRecord]:
    """Those of whole lines; what conmon did not write is passed over.

    conmon asks for the time once for all lines of a read, and so the time of a line is mostly that of the one before.
    """
    found: list[LogRecord] = []
    last: LogRecord | None = None
    last_stamp = b""
    for line in data.split(b"\n"):  # not splitlines: a carriage return in the text is no end of a line
        parts = line.split(b" ", 3)
        if last is not None and len(parts) == 4 and parts[0] == last_stamp:
            stream = _STREAMS.get(parts[1])
            if stream is not None and parts[2] in _PARTIAL:
                found.append(LogRecord(last.time, last.nanosecond, stream, parts[3], _PARTIAL[parts[2]]))
        elif (record := parse(line)) is not None:
            last, last_stamp = record, parts[0]
            found.append(record)
    return found


def tail_offset(descriptor: int, lines: int, size: int) -> int:
    """Where the last so many lines of the first `size` bytes begin, found from the end backwards.

    A part counts with the line that it is of.
    """
    position = size
    if lines <= 0:
        return position
    carried = b""  # the beginning of the line that the block after this one starts in the middle of
    left = lines
    newest = True
    while position > 0:
        length = min(_TAIL_BLOCK, position)
        position -= length
        data = os.pread(descriptor, length, position) + carried
        # Without the line that begins before this block, unless this is the file's beginning.
        first = 0 if position == 0 else data.find(b"\n") + 1
        carried = data[:first] if position > 0 else b""
        if position > 0 and first == 0:
            carried = data
            continue
        starts = _line_starts(data, first)
        for start, end in reversed(starts):
            whole = _is_whole(data[start:end])
            if whole is None:
                continue
            if whole or newest:
                if left == 0:
                    return position + end
                left -= 1
            newest = False
    return 0


def _line_starts(data: bytes, first: int) -> list[tuple[int, int]]:
    """(start, after its newline) of each whole line."""
    found = []
    start = first
    while (end := data.find(b"\n", start)) != -1:
        found.append((start, end + 1))
        start = end + 1
    return found


def _is_whole(line: bytes) -> bool | None:
    """Whether it ends a line of output; None for what is no record."""
    parts = line.split(b" ", 3)
    if len(parts) != 4 or parts[2] not in (b"F", b"P"):
        return None
    return parts[2] == b"F"
