"""A stream that must be a file for skopeo: under ROOT/tmp, uncompressed, with its digest, gone on every path.

The directory of one upload holds everything that comes of it, skopeo's own temporary files too.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct
from twisted.logger import Logger

from apiserver.deferreds import cancelled_after
from apiserver.engine.ports.images import ByteSource
from apiserver.errors import HostError
from apiserver.local.images.compression import Decompressor
from apiserver.local.threads import InThread

log = Logger()

BATCH = 1024 * 1024
_ROOM_KEPT = 64 * 1024 * 1024
"""Bytes of the file system that no upload may take: the state and the logs of containers live there too."""


class NoRoom(HostError):
    cause = "no space left on device"
    docker = libpod = "{subject}: {cause}"


class Spooled(Struct, frozen=True):
    """A spooled stream; `size` and the SHA-256 `digest` (hex) are of what it holds uncompressed."""

    path: Path
    size: int
    digest: str


class Spool:
    def __init__(self, directory: Path, in_thread: InThread) -> None:
        self._directory = directory
        self._in_thread = in_thread

    def clean(self) -> None:
        """Remove what an earlier life left, and make the directory; blocks, for start-up."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @asynccontextmanager
    async def workplace(self) -> AsyncIterator[Path]:
        """A directory (0700) of its own for one upload.

        Nothing may be written there afterwards: a thread that does has to be waited for (`cancelled_after`).
        """
        place = self._directory / f"upload-{secrets.token_hex(8)}"
        try:
            await cancelled_after(self._in_thread(lambda: place.mkdir(mode=0o700)))
            yield place
        finally:
            # What cannot be removed now is removed at the next start; the upload's own outcome stands.
            await self._in_thread(lambda: shutil.rmtree(place, onerror=_cannot_remove))

    async def make_sure_of_room(self, size_bytes: int) -> None:
        """To be asked before a program writes here what it does not ask us for.

        Raises:
            NoRoom
        """
        await self._in_thread(lambda: self.check_room(size_bytes))

    def check_room(self, size_bytes: int = 0) -> None:
        """The same while such a program writes; blocks.

        Raises:
            NoRoom
        """
        room = os.statvfs(self._directory)
        if room.f_bavail * room.f_frsize < _ROOM_KEPT + size_bytes:
            raise NoRoom(f"writing {self._directory}")

    async def take(self, source: ByteSource, path: Path) -> Spooled:
        """Write a stream, which may be compressed, uncompressed to a new file (0600).

        Memory: about two batches, however long the stream is and however much it swells.

        Raises:
            Damaged: its compression is broken.
            NoRoom: the file system has no more room for it.
        """
        writer = await self._in_thread(lambda: _Writer(path))
        try:
            batch = bytearray()
            while data := await source.read():
                batch += data
                if len(batch) >= BATCH:
                    piece, batch = bytes(batch), bytearray()
                    await self._in_thread(lambda piece=piece: writer.write(piece))  # type: ignore[misc]  # a default binds
            rest = bytes(batch)
            return await self._in_thread(lambda: writer.end(rest))
        finally:
            await self._in_thread(writer.close)


class _Writer:
    """Runs in threads. Its lock is for a caller who is cancelled: the thread it waited for still writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._hash = hashlib.sha256()
        self._decompressor = Decompressor()
        self._size = 0
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock:
            for piece in self._decompressor.feed(data):
                self._put(piece)

    def end(self, data: bytes) -> Spooled:
        self.write(data)
        with self._lock:
            for piece in self._decompressor.finish():
                self._put(piece)
            return Spooled(self._path, self._size, self._hash.hexdigest())

    def close(self) -> None:
        with self._lock:
            os.close(self._fd)

    def _put(self, piece: bytes) -> None:
        room = os.fstatvfs(self._fd)
        if room.f_bavail * room.f_frsize < _ROOM_KEPT + len(piece):
            raise NoRoom(f"writing {self._path.parent.parent}")
        self._hash.update(piece)
        view = memoryview(piece)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise HostError(f"writing {self._path.parent.parent}: {error.strerror}") from error
        self._size += len(piece)


def _cannot_remove(_function: object, path: str, info: tuple[type[BaseException], BaseException, object]) -> None:
    if issubclass(info[0], FileNotFoundError):
        return  # it could not even be made
    log.warn("cannot remove {path}: {info}", path=path, info=info)
