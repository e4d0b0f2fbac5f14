"""The frames in which output of several streams goes over one connection, the same in both flavours.

Each has a head of eight bytes: the stream's number, three zeros, and the length of what follows, big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from apiserver.engine.ports.streams import Stream

MULTIPLEXED: Final = "application/vnd.docker.multiplexed-stream"
RAW: Final = "application/vnd.docker.raw-stream"
LARGEST: Final = 0xFFFF_FFFF
SYSTEM_ERROR: Final = 3
"""A stream that carries what went wrong in the service."""

_HEAD = struct.Struct(">BxxxL")


def frame(stream: Stream | int, data: bytes) -> bytes:
    """One frame; `data` may be empty but has less than 4 GiB."""
    return _HEAD.pack(stream, len(data)) + data


def frames(pieces: Iterable[tuple[Stream | int, bytes]]) -> bytes:
    """A frame of each piece."""
    pack = _HEAD.pack
    parts = []
    for stream, data in pieces:
        parts.append(pack(stream, len(data)))
        parts.append(data)
    return b"".join(parts)
