"""Streams of bytes as a request's body is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Pieces:
    """A `ByteSource` over bytes or over pieces; `error` is raised when they are used up, as by a client that leaves."""

    def __init__(self, data: bytes | Iterable[bytes], *, piece: int = 65536, error: Exception | None = None) -> None:
        self._pieces: Iterator[bytes] = iter(
            [data[start : start + piece] for start in range(0, len(data), piece)] if isinstance(data, bytes) else data
        )
        self._error = error

    async def read(self) -> bytes:
        piece = next(self._pieces, b"")
        if not piece and self._error is not None:
            raise self._error
        return piece
