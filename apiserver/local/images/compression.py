"""Decompression of a stream in small steps: gzip, bzip2, xz and zstd, recognised by their first bytes.

However much a piece swells, no step gives more than `STEP` bytes: a bomb fills the disk's limit, never the memory.
"""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Iterator
from typing import Protocol

from apiserver.errors import InvalidParameter

STEP = 1024 * 1024
LONGEST_MAGIC = 6
_XZ_MEMORY_LIMIT = 96 * 1024 * 1024  # `xz -9` needs 65 MiB to be read
_ZSTD_WINDOW_LOG = 24  # 16 MiB; `zstd -19` needs 8


class Damaged(InvalidParameter):
    """The stream is not what its first bytes promise."""

    cause = "invalid archive"
    docker = libpod = "{subject}"


class _Decoder(Protocol):
    """What bz2, lzma and zstd decoders of the standard library have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's decoder with the same face."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)


_Made = tuple[_Decoder, tuple[type[Exception], ...]]
"""A decoder, and what it raises for bad data."""


def _gzip() -> _Made:
    return _Gzip(), (zlib.error,)


def _bzip2() -> _Made:
    return bz2.BZ2Decompressor(), (OSError, ValueError)


def _xz() -> _Made:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_LIMIT), (lzma.LZMAError,)


def _zstd() -> _Made:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}), (
        zstd.ZstdError,
    )


_FORMATS = (
    (b"\x1f\x8b", "gzip", _gzip),
    (b"BZh", "bzip2", _bzip2),
    (b"\xfd7zXZ\x00", "xz", _xz),
    (b"\x28\xb5\x2f\xfd", "zstd", _zstd),
)


class Decompressor:
    """Turns pieces of a stream into pieces of what it holds; a stream in no known format passes as it is."""

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._format = ""
        self._make = _gzip
        self._decoder: _Decoder | None = None
        self._errors: tuple[type[Exception], ...] = ()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that come out now; to be used up before the next call.

        Raises:
            Damaged
        """
        if self._head is not None:
            self._head += data
            if len(self._head) < LONGEST_MAGIC:
                return
            data = self._recognise()
        yield from self._decode(data)

    def finish(self) -> Iterator[bytes]:
        """What is left at the end of the stream.

        Raises:
            Damaged: it ends too early.
        """
        if self._head is not None:
            yield from self._decode(self._recognise())
        if self._decoder is not None and not self._decoder.eof:
            raise Damaged(f"invalid {self._format} data: unexpected EOF")

    def _recognise(self) -> bytes:
        head, self._head = self._head or b"", None
        for magic, name, make in _FORMATS:
            if head.startswith(magic):
                self._format, self._make = name, make
                self._decoder, self._errors = make()
        return head

    def _decode(self, data: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            if data:
                yield data
            return
        try:
            while True:
                if self._decoder.eof:
                    data = self._decoder.unused_data + data
                    # gzip and xz may be padded with zeros, and several streams in a row are one.
                    if not data.strip(b"\0"):
                        return
                    self._decoder, self._errors = self._make()
                piece = self._decoder.decompress(data, STEP)
                data = b""
                if piece:
                    yield piece
                elif self._decoder.needs_input and not self._decoder.eof:
                    return
        except self._errors as error:
            raise Damaged(f"invalid {self._format} data: {error}") from error
