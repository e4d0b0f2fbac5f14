"""A directory as a tar, while it is sent."""

from __future__ import annotations

import os
import tarfile
from functools import partial
from pathlib import Path

from apiserver.engine.ports.images import ByteSink
from apiserver.errors import HostError
from apiserver.local.threads import InThread

PIECE = 256 * 1024
_END = bytes(2 * tarfile.BLOCKSIZE)


async def send_directory(directory: Path, sink: ByteSink, in_thread: InThread) -> None:
    """Send all directories and files below `directory`, by name, as root's; no more than a piece is kept.

    Nobody may write there meanwhile.
    """
    for path in await in_thread(lambda: sorted(directory.rglob("*"))):
        member = await in_thread(partial(_member, path, directory))
        await sink(member.tobuf(tarfile.PAX_FORMAT))
        for offset in range(0, member.size, PIECE):
            # Opened for each piece: a descriptor that is open between them would outlive a sender that is cancelled.
            await sink(await in_thread(partial(_read, path, offset, member.size)))
        if padding := -member.size % tarfile.BLOCKSIZE:
            await sink(bytes(padding))
    await sink(_END)


def _member(path: Path, directory: Path) -> tarfile.TarInfo:
    found = path.lstat()
    member = tarfile.TarInfo(str(path.relative_to(directory)))
    member.mode, member.mtime = found.st_mode & 0o777, int(found.st_mtime)
    if path.is_dir():
        member.type = tarfile.DIRTYPE
    else:
        member.size = found.st_size
    return member


def _read(path: Path, offset: int, end: int) -> bytes:
    wanted = min(PIECE, end - offset)
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        data = os.pread(fd, wanted, offset)
    finally:
        os.close(fd)
    if len(data) < wanted:
        raise HostError(f"{path} was cut while it was sent")
    return data
