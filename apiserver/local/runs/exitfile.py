"""How a process under conmon ended: the files that conmon leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from apiserver.drivers.conmon.exits import read_exit
from apiserver.drivers.linux.inotify import AppearingFiles
from apiserver.drivers.linux.readiness import Reactor
from apiserver.engine.ports.runs import RunEnd
from apiserver.local.paths import MonitoredPaths
from apiserver.local.runs.identity import hold_monitor

log = Logger()

_POLL = 0.1
"""Seconds between two looks at a directory that the kernel does not watch for us."""

WAIT = 5.0
"""Seconds for conmon to drain the output and write the exit code, after the process is gone."""


class ExitFiles:
    """Waits for exit files with one inotify descriptor for all (a user may have 128); without one it looks itself."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._files: AppearingFiles | None = None
        self._waiting: dict[Path, tuple[MonitoredPaths, list[Deferred[None]]]] = {}
        self._polled: set[Path] = set()
        self._timer: Any = None

    async def end(self, paths: MonitoredPaths, limit: float | None = WAIT) -> RunEnd | None:
        """What conmon recorded; None where it did not within `limit` seconds, or is gone and never will.

        Args:
            limit: None: as long as conmon lives.
        """
        found = read_end(paths)
        if found is not None:
            return found
        monitor = hold_monitor(self._reactor, paths)
        if monitor is None:
            return read_end(paths)
        appeared = self._wait(paths)
        monitor.ended().addCallback(lambda _: _fire(appeared))
        timer = None if limit is None else self._reactor.callLater(limit, lambda: _fire(appeared))
        try:
            # It may have been written before the directory was watched.
            if read_end(paths) is None:
                await appeared
            return read_end(paths)
        finally:
            if timer is not None and timer.active():
                timer.cancel()
            monitor.close()
            self._leave(paths, appeared)

    def close(self) -> None:
        if self._files is not None:
            self._files.close()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _wait(self, paths: MonitoredPaths) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        _, waiters = self._waiting.setdefault(paths.exit_dir, (paths, []))
        if not waiters:
            self._watch(paths.exit_dir)
        waiters.append(waiter)
        return waiter

    def _watch(self, directory: Path) -> None:
        try:
            if self._files is None:
                self._files = AppearingFiles(self._reactor, lambda place, _: self._look(place), self._look_everywhere)
            self._files.watch(directory)
        except OSError as error:
            log.warn("{directory} is looked at again and again: {error}", directory=str(directory), error=error)
            self._polled.add(directory)
            self._poll()

    def _poll(self) -> None:
        for directory in tuple(self._polled):
            self._look(directory)
        if self._polled and (self._timer is None or not self._timer.active()):
            self._timer = self._reactor.callLater(_POLL, self._poll)

    def _leave(self, paths: MonitoredPaths, waiter: Deferred[None]) -> None:
        _, waiters = self._waiting[paths.exit_dir]
        waiters.remove(waiter)
        if not waiters:
            del self._waiting[paths.exit_dir]
            self._polled.discard(paths.exit_dir)
            if self._files is not None:
                self._files.forget(paths.exit_dir)

    def _look(self, directory: Path) -> None:
        paths, waiters = self._waiting.get(directory, (None, []))
        if paths is not None and read_end(paths) is not None:
            for waiter in list(waiters):
                _fire(waiter)

    def _look_everywhere(self) -> None:
        for directory in list(self._waiting):
            self._look(directory)


def read_end(paths: MonitoredPaths) -> RunEnd | None:
    """The recorded end; None while there is none.

    conmon writes -1 for a process that it ended itself after a time-out: then the code is unknown.
    """
    found = read_exit(paths.exit_file, paths.persist_dir)
    if found is None:
        return None
    return RunEnd(found.code if found.code >= 0 else None, found.finished, found.oom_killed)


def unknown_end(now: Callable[[], datetime]) -> RunEnd:
    return RunEnd(exit_code=None, finished=now())


def _fire(waiter: Deferred[None]) -> None:
    if not waiter.called:
        waiter.callback(None)
