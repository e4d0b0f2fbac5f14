"""How containers and exec sessions ended, as conmon writes it down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from twisted.logger import Logger

from apiserver.drivers.linux.inotify import AppearingFiles
from apiserver.drivers.linux.readiness import Reactor

log = Logger()

_POLL = 1.0
"""Seconds between two looks at directories that the kernel does not watch for us."""


class Exit(Struct, frozen=True):
    """code: 0 to 255, 128 + n for signal n, -1 when conmon's own time-out ended it."""

    code: int
    oom_killed: bool
    finished: datetime


def read_exit(exit_file: Path, persist_dir: Path | None = None) -> Exit | None:
    """What `EXIT_DIR/ID` says, or `PERSIST_DIR/exit` where that is missing; None while it has not ended.

    conmon has drained the output before it writes. Both files appear whole, by rename.
    """
    for file in (exit_file, *([persist_dir / "exit"] if persist_dir else [])):
        try:
            text = file.read_text().strip()
            finished = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        except FileNotFoundError:
            continue
        if text.lstrip("-").isdigit():
            oom = persist_dir is not None and (persist_dir / "oom").exists()
            return Exit(int(text), oom, finished)
    return None


class ExitDirectories:
    """Watches exit directories, one per run, and tells of each file that appears.

    Args:
        ended: called with the directory and the file's name (the container's id). It may be called twice for one.
    """

    def __init__(self, reactor: Reactor, ended: Callable[[Path, str], object]) -> None:
        self._reactor = reactor
        self._ended = ended
        self._watched: set[Path] = set()
        self._polled: set[Path] = set()
        self._timer: Any = None
        try:
            self._files: AppearingFiles | None = AppearingFiles(reactor, self._appeared, self._look_at_all)
        except OSError as error:
            log.warn("exits are looked for once a second: {error}", error=error)
            self._files = None

    def watch(self, directory: Path) -> None:
        """Watch from now on, and tell at once of what is there already."""
        self._watched.add(directory)
        try:
            if self._files is None:
                raise OSError("inotify is not available")
            self._files.watch(directory)
        except OSError as error:
            if self._files is not None:
                log.warn("{directory} is looked at once a second: {error}", directory=str(directory), error=error)
            self._polled.add(directory)
            self._poll_again()
        self._look_at(directory)

    def forget(self, directory: Path) -> None:
        """Watch no longer."""
        self._watched.discard(directory)
        self._polled.discard(directory)
        if self._files is not None:
            self._files.forget(directory)

    def close(self) -> None:
        self._watched.clear()
        self._polled.clear()
        if self._files is not None:
            self._files.close()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _appeared(self, directory: Path, name: str) -> None:
        # conmon writes a temporary file with a suffix and renames it.
        if "." not in name:
            self._ended(directory, name)

    def _look_at_all(self) -> None:
        for directory in tuple(self._watched):
            self._look_at(directory)

    def _look_at(self, directory: Path) -> None:
        try:
            names = [entry.name for entry in directory.iterdir()]
        except FileNotFoundError:
            return
        for name in names:
            self._appeared(directory, name)

    def _poll_again(self) -> None:
        if self._timer is None or not self._timer.active():
            self._timer = self._reactor.callLater(_POLL, self._poll)

    def _poll(self) -> None:
        for directory in tuple(self._polled):
            self._look_at(directory)
        if self._polled:
            self._poll_again()
