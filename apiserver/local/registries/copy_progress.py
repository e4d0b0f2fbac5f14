"""How far a copy from a registry is, from the bytes that it has put down and moved.

skopeo says on stdout which blob it begins, and lets each grow as a numbered file in a directory `storage*`; it says
nowhere which file is which. A file that has stopped at the size of a blob is that blob; those that still grow are
told apart by the order of their beginning, so their sum is true and a single bar may for a moment be another's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from apiserver.drivers.process import Child
from apiserver.engine.ports.registry import LayerPhase, LayerProgress, RemoteBlob

_BEGUN = re.compile(rb"Copying blob (sha\d+:[0-9a-f]+)")


class CopyProgress:
    """
    Args:
        present: digests of blobs that need not be fetched.
        watch: called with each step.
    """

    def __init__(
        self, layers: Sequence[RemoteBlob], present: frozenset[str], watch: Callable[[LayerProgress], None]
    ) -> None:
        self._sizes = {layer.digest: layer.size_bytes for layer in layers}
        self._watch = watch
        self._shown: dict[str, LayerProgress] = {}
        self._begun: list[str] = []
        self._files: dict[int, int] = {}
        self._whole: dict[int, str] = {}
        self._text = b""
        for digest in self._sizes:
            self._show(digest, LayerPhase.PRESENT if digest in present else LayerPhase.WAITING, 0)
        self._present = set(present)

    async def said(self, data: bytes) -> None:
        """More of skopeo's stdout."""
        *lines, self._text = (self._text + data).split(b"\n")
        for line in lines:
            if found := _BEGUN.match(line):
                digest = found[1].decode()
                if digest in self._sizes and digest not in self._present and digest not in self._begun:
                    self._begun.append(digest)

    def reused(self, digest: str) -> None:
        """The store has this blob, though not under its digest: skopeo knows it from another copy."""
        if digest in self._sizes and digest not in self._present:
            self._present.add(digest)
            self._show(digest, LayerPhase.PRESENT, 0)

    def files(self, sizes: Mapping[int, int]) -> None:
        """The sizes of the numbered files now; one that has gone was whole."""
        for number, size in sizes.items():
            if number not in self._whole and self._files.get(number) == size:
                fits = [each for each in self._open() if self._sizes[each] == size]
                if fits:
                    self._finish(number, fits[0])
            self._files[number] = max(size, self._files.get(number, 0))
        for number in self._files.keys() - sizes.keys() - self._whole.keys():
            fits = [each for each in self._open() if self._sizes[each] == self._files[number]] or self._open()[:1]
            if fits:
                self._finish(number, fits[0])
        left = self._open()
        for number in sorted(sizes.keys() - self._whole.keys()):
            fits = [each for each in left if self._sizes[each] >= sizes[number]]
            if fits:
                left.remove(fits[0])
                self._show(fits[0], LayerPhase.DOWNLOADING, sizes[number])

    def done(self) -> None:
        """The image is in the store."""
        for digest, size in self._sizes.items():
            if digest not in self._present:
                if self._shown[digest].phase in (LayerPhase.WAITING, LayerPhase.DOWNLOADING):
                    self._show(digest, LayerPhase.DOWNLOADED, size)
                self._show(digest, LayerPhase.COMPLETE, size)

    def _open(self) -> list[str]:
        done = self._present.union(self._whole.values())
        return [digest for digest in self._begun if digest not in done]

    def _finish(self, number: int, digest: str) -> None:
        self._whole[number] = digest
        self._show(digest, LayerPhase.DOWNLOADED, self._sizes[digest])

    def _show(self, digest: str, phase: LayerPhase, current: int) -> None:
        shown = LayerProgress(digest, phase, current, self._sizes[digest])
        if self._shown.get(digest) != shown:
            self._shown[digest] = shown
            self._watch(shown)


class BytesSent:
    """What a copy to a registry has sent: all that it wrote, but for the files that it puts layers into before.

    Args:
        temporary: where it puts them.
        watch: called with the bytes, while they grow.
    """

    def __init__(self, temporary: Path, watch: Callable[[int], object]) -> None:
        self._temporary = temporary
        self._watch = watch
        self._pid: int | None = None
        self._files: dict[int, int] = {}
        self._latest = 0

    def also(self, started: Callable[[Child], object] | None) -> Callable[[Child], None]:
        """To be called with the program when it starts; `started` is called too."""

        def began(child: Child) -> None:
            self._pid = child.pid
            if started is not None:
                started(child)

        return began

    def look(self) -> int:
        """Blocks."""
        try:
            if self._pid is None:
                return 0
            written, dirtied = bytes_written(self._pid)
            # They have no name any more. Those that come and go between two looks are in `dirtied`, unless it is a
            # file system in memory, which is not counted there.
            for inode, size in open_files(self._pid, self._temporary).items():
                self._files[inode] = max(size, self._files.get(inode, 0))
            return max(0, written - max(dirtied, sum(self._files.values())))
        except (FileNotFoundError, ProcessLookupError):
            return 0  # it ends at this moment

    def seen(self, sent: int) -> None:
        if sent > self._latest:
            self._latest = sent
            self._watch(sent)


def growing_files(temporary: Path) -> dict[int, int]:
    """The numbered files of a running copy and their sizes; blocks."""
    found: dict[int, int] = {}
    for directory in temporary.glob("storage*"):
        try:
            with os.scandir(directory) as entries:
                found |= {int(entry.name): entry.stat().st_size for entry in entries if entry.name.isdecimal()}
        except FileNotFoundError:
            continue  # a file, or the whole directory, has just gone
    return found


def bytes_moved(pid: int) -> int:
    """What a process has read and written in its life, from sockets too; it grows while anything goes on. Blocks.

    Raises:
        FileNotFoundError, ProcessLookupError: it has ended.
    """
    return _counted(pid, "rchar", "wchar")


def bytes_written(pid: int) -> tuple[int, int]:
    """What a process has written in its life, to sockets too, and what of that were files on a disk. Blocks.

    Raises:
        FileNotFoundError, ProcessLookupError: it has ended.
    """
    return _counted(pid, "wchar"), _counted(pid, "write_bytes")


def open_files(pid: int, directory: Path) -> dict[int, int]:
    """Sizes by inode of the files below a directory that a process has open, with names or without. Blocks.

    Raises:
        FileNotFoundError, ProcessLookupError: it has ended.
    """
    found: dict[int, int] = {}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(descriptor).startswith(f"{directory}/"):
                status = descriptor.stat()
                found[status.st_ino] = status.st_size
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def _counted(pid: int, *counters: str) -> int:
    text = Path(f"/proc/{pid}/io").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(counters))


def waits_for_a_lock(pid: int) -> bool:
    """Whether it waits for somebody who has the store; blocks."""
    waiting = (line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line)
    return any(str(pid) in words for words in waiting)
