"""The headers of a tar that was spooled, without holding on to any of them.

`tarfile` keeps every member it saw and reads extended headers of any length into memory, which hostile archives use;
here a member costs nothing once it was looked at.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from apiserver.local.images.compression import Damaged

BLOCK = 512
EXTENDED_LIMIT = 1024 * 1024
PAX, GLOBAL, LONG_NAME, _SPARSE = b"x", b"g", b"L", b"S"
EXTENDED = frozenset((PAX, GLOBAL, LONG_NAME, b"K"))
WITHOUT_DATA = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
REGULAR = frozenset((b"0", b"\0", b"7"))


class Member(Struct, frozen=True):
    """One member; its `size` bytes lie at `offset` in the archive.

    `name` has no `.` or `..` left: skopeo reads it so too, and there must not be two readings.
    `regular`: a file whose bytes are there as they are.
    """

    name: str
    regular: bool
    offset: int
    size: int


def members(fd: int) -> Iterator[Member]:
    """The members of an uncompressed tar in order; blocks.

    Raises:
        Damaged: it is no tar, or ends too early. An empty file is no tar; one without an end mark is.
    """
    total = os.fstat(fd).st_size
    position = 0
    pax: dict[bytes, bytes] = {}
    long_name = b""
    if total == 0:
        raise Damaged("invalid tar header: the archive is empty")
    while position < total:
        header = os.pread(fd, BLOCK, position)
        if len(header) < BLOCK:
            raise Damaged("unexpected EOF in the tar archive")
        if not header.strip(b"\0"):
            return
        if not checksum_right(header):
            raise Damaged("invalid tar header")
        kind = header[156:157]
        start = position + BLOCK
        size = 0 if kind in WITHOUT_DATA else number(pax.get(b"size"), header[124:136])
        if kind == _SPARSE:
            start = _after_sparse_headers(fd, header, start)
        position = start + -(-size // BLOCK) * BLOCK
        if start + size > total:
            raise Damaged("unexpected EOF in the tar archive")
        if kind in EXTENDED:
            if size > EXTENDED_LIMIT:
                raise Damaged("invalid tar header: an extended header is too long")
            if kind == PAX:
                pax = records(os.pread(fd, size, start))
            elif kind == LONG_NAME:
                long_name = os.pread(fd, size, start).split(b"\0", 1)[0]
            elif kind == GLOBAL:  # a member of its own to Go
                pax, long_name = {}, b""
            continue
        yield Member(name_of(header, pax, long_name), kind in REGULAR and not _is_sparse(pax), start, size)
        pax, long_name = {}, b""


def check(path: Path) -> None:
    """Read all headers of a layer; blocks. An empty file is a layer without members, as to both engines.

    Raises:
        Damaged
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_size:
            for _ in members(fd):
                pass
    finally:
        os.close(fd)


def name_of(header: bytes, pax: dict[bytes, bytes], long_name: bytes) -> str:
    """Without `.` or `..`; the extended headers before it win, in the order that Go's archive/tar has."""
    name = (_is_sparse(pax) and pax.get(b"GNU.sparse.name")) or long_name or pax.get(b"path")
    if not name:
        name = header[:100].split(b"\0", 1)[0]
        end = 476 if header[508:512] == b"tar\0" else 500  # star's own has times behind it
        prefix = header[345:end].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
        if prefix:
            name = prefix + b"/" + name
    return posixpath.normpath(name.decode(errors="surrogateescape"))


def _is_sparse(pax: dict[bytes, bytes]) -> bool:
    """Whether extended headers say so, as Go understands it: the name that they have for a sparse file counts then."""
    version = pax.get(b"GNU.sparse.major", b""), pax.get(b"GNU.sparse.minor", b"")
    if any(version):
        return version in ((b"0", b"0"), (b"0", b"1"), (b"1", b"0"))
    return bool(pax.get(b"GNU.sparse.map"))


def checksum_right(header: bytes) -> bool:
    try:
        stored = int(header[148:156].rstrip(b" \0").lstrip() or b"-1", 8)
    except ValueError:
        return False
    return stored == sum(header) - sum(header[148:156]) + 8 * ord(" ")


def number(pax: bytes | None, octets: bytes) -> int:
    """A size: the record of an extended header, or else the field of the header.

    Raises:
        Damaged
    """
    try:
        if pax is not None:
            value = int(pax)
        elif octets[0] & 0x80:
            value = int.from_bytes(bytes([octets[0] & 0x7F]) + octets[1:], "big")
        else:
            value = int(octets.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise Damaged("invalid tar header: size") from error
    if not 0 <= value < 1 << 62:
        raise Damaged("invalid tar header: size")
    return value


def _after_sparse_headers(fd: int, header: bytes, position: int) -> int:
    more = header[482]
    while more:
        block = os.pread(fd, BLOCK, position)
        if len(block) < BLOCK:
            raise Damaged("unexpected EOF in the tar archive")
        position += BLOCK
        more = block[504]
    return position


def records(data: bytes) -> dict[bytes, bytes]:
    """pax records, `LENGTH KEY=VALUE\\n`; only those that matter here are kept."""
    found: dict[bytes, bytes] = {}
    while data:
        length_text, _, _rest = data.partition(b" ")
        if not length_text.isdigit() or not 0 < int(length_text) <= len(data):
            raise Damaged("invalid tar header: extended record")
        record, data = data[len(length_text) + 1 : int(length_text)], data[int(length_text) :]
        key, _, value = record.rstrip(b"\n").partition(b"=")
        if key in (b"path", b"size") or key.startswith(b"GNU.sparse."):
            found[key] = value
    return found
