"""Docker-archives of one image each, as they come out of skopeo, become one archive of them all.

skopeo writes layers (`DIFFID.tar`) and configurations (`ID.json`) side by side at the top, then directories with links
for engines before 2016, `manifest.json` and `repositories`. The first pass on, each once; the rest is ours to write.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Sequence

import msgspec

from apiserver.drivers.containers_storage import BIG_DATA_LIMIT
from apiserver.drivers.oci_image import ArchiveImageJson, decode_archive_manifest
from apiserver.errors import HostError
from apiserver.local.images.compression import Damaged
from apiserver.local.images.tarscan import (
    BLOCK,
    EXTENDED,
    EXTENDED_LIMIT,
    LONG_NAME,
    PAX,
    REGULAR,
    WITHOUT_DATA,
    checksum_right,
    name_of,
    number,
    records,
)

_MANIFEST = "manifest.json"
_OURS = frozenset((_MANIFEST, "repositories"))
_END = bytes(2 * BLOCK)


class ArchiveUnusable(HostError):
    """What skopeo wrote is no docker-archive of one image."""

    cause = "saving failed"
    docker = libpod = "{cause}: {subject}"


class ArchiveMerge:
    """Fed with one archive after the other, in pieces of any length; it keeps no more than a header and a manifest."""

    def __init__(self) -> None:
        self._sent: set[str] = set()
        self._images: list[ArchiveImageJson] = []
        self._start()

    def _start(self) -> None:
        self._header = bytearray()
        self._before = b""
        """The extended headers of the next member, as they came."""
        self._pax: dict[bytes, bytes] = {}
        self._long_name = b""
        self._left = 0
        """Bytes of the present member that are to come, its padding too."""
        self._passing = False
        self._kept = bytearray()
        self._member_ends: Callable[[], None] | None = None
        self._manifest: bytes | None = None
        self._over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What of the next piece of an archive belongs into the whole.

        Raises:
            ArchiveUnusable
        """
        try:
            yield from self._passed(memoryview(data))
        except Damaged as error:
            raise ArchiveUnusable(error.subject) from error

    def image(self, repo_tags: Sequence[str]) -> None:
        """The archive is at its end, and these are the names of its image.

        Raises:
            ArchiveUnusable: it is not whole.
        """
        if not self._over or self._manifest is None:
            raise ArchiveUnusable("the archive of an image ended too early")
        try:
            (image,) = decode_archive_manifest(self._manifest)
        except (ValueError, msgspec.DecodeError) as error:
            raise ArchiveUnusable(f"{_MANIFEST}: {error}") from error
        if missing := {image.config, *image.layers} - self._sent:
            raise ArchiveUnusable(f"{_MANIFEST} names {min(missing)}, which is not there")
        self._images.append(ArchiveImageJson(image.config, image.layers, list(repo_tags)))
        self._start()

    def end(self) -> bytes:
        """The last bytes of the whole: what is in it, and the end mark."""
        manifest = msgspec.json.encode(self._images)
        member = tarfile.TarInfo(_MANIFEST)
        member.size = len(manifest)
        return member.tobuf(tarfile.USTAR_FORMAT) + manifest + bytes(-len(manifest) % BLOCK) + _END

    def _passed(self, rest: memoryview) -> Iterator[bytes]:
        while rest and not self._over:
            if self._left:
                piece, rest = rest[: self._left], rest[self._left :]
                self._left -= len(piece)
                if self._passing:
                    yield bytes(piece)
                elif self._member_ends is not None:
                    self._kept += piece
            else:
                missing = BLOCK - len(self._header)
                self._header += rest[:missing]
                rest = rest[missing:]
                if len(self._header) < BLOCK:
                    return
                header, self._header = bytes(self._header), bytearray()
                if passed := self._begin_member(header):
                    yield passed
            if not self._left:
                self._end_member()

    def _begin_member(self, header: bytes) -> bytes:
        """What passes on with the header, if the member does."""
        if not header.strip(b"\0"):
            self._over = True
            return b""
        if not checksum_right(header):
            raise Damaged("invalid tar header")
        kind = header[156:157]
        size = 0 if kind in WITHOUT_DATA else number(self._pax.get(b"size"), header[124:136])
        self._left = size + -size % BLOCK
        if kind in EXTENDED:
            if size > EXTENDED_LIMIT:
                raise Damaged("an extended header is too long")
            self._before += header
            self._member_ends = lambda: self._take_extended(kind, size)
            return b""
        name = name_of(header, self._pax, self._long_name)
        before, self._before, self._pax, self._long_name = self._before, b"", {}, b""
        if name == _MANIFEST:
            if self._manifest is not None or size > BIG_DATA_LIMIT:
                raise Damaged(f"{name} is there twice, or too long")
            self._member_ends = lambda: self._take_manifest(size)
        elif kind in REGULAR and "/" not in name and name not in _OURS and name not in self._sent:
            self._sent.add(name)
            self._passing = True
            return before + header
        return b""

    def _end_member(self) -> None:
        self._passing = False
        if self._member_ends is not None:
            self._member_ends()
        self._member_ends = None
        self._kept = bytearray()

    def _take_extended(self, kind: bytes, size: int) -> None:
        self._before += bytes(self._kept)
        data = bytes(self._kept[:size])
        if kind == PAX:
            self._pax = records(data)
        elif kind == LONG_NAME:
            self._long_name = data.rstrip(b"\0")

    def _take_manifest(self, size: int) -> None:
        self._manifest = bytes(self._kept[:size])
