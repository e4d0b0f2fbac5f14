"""Bodies of requests as they come, of a known length or chunked (RFC 9112, 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from io import BufferedIOBase
from typing import NamedTuple

PIECE = 128 * 1024
"""Bytes that are moved at once."""

LONGEST_LINE = 65536
"""Bytes; of a request's first one, of a header, or of a trailer."""


class Cut(Exception):
    """A connection ends here: in the middle of something, as the other one did or is to."""


class Body(NamedTuple):
    """`length` is None where it is chunked."""

    length: int | None
    pieces: Iterator[bytes]


def body_of(headers: Message, source: BufferedIOBase) -> Body | None:
    """The body that a request has, read from `source` as its pieces are asked for.

    Its pieces raise Cut where it breaks off.
    """
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        return Body(None, _chunks(source))
    length = headers.get("Content-Length")
    return None if length is None else Body(int(length), _pieces(source, int(length)))


def _pieces(source: BufferedIOBase, left: int) -> Iterator[bytes]:
    while left:
        try:
            piece = source.read1(min(left, PIECE))
        except ConnectionError:
            raise Cut from None  # by whom is not to be mixed up
        if not piece:
            raise Cut
        left -= len(piece)
        yield piece


def _chunks(source: BufferedIOBase) -> Iterator[bytes]:
    while size := int(source.readline(100).split(b";")[0], 16):
        yield from _pieces(source, size)
        source.readline(3)
    while source.readline(LONGEST_LINE).strip():
        pass
