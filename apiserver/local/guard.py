"""The port `Guard` on this machine: files that name what is unfinished, and a process that outlives us."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from apiserver.drivers.linux.cgroups import Cgroups
from apiserver.drivers.process import Child, Programs
from apiserver.drivers.threads import Threads
from apiserver.engine.ports.guard import BRIDGES
from apiserver.errors import HostError
from apiserver.local.paths import Paths
from apiserver.local.runs.stepping_out import LEAF

log = Logger()


class LocalGuard:
    """
    Args:
        cgroups: where the guard gets a cgroup that is not ours: who stops us by our cgroup leaves it alone.
    """

    def __init__(self, paths: Paths, programs: Programs, threads: Threads, cgroups: Cgroups) -> None:
        self._paths = paths
        self._programs = programs
        self._threads = threads
        self._cgroups = cgroups
        self._child: Child | None = None
        self._told = False

    def keep(self, container_ids: Collection[str]) -> None:
        with suppress(FileNotFoundError):
            for name in os.listdir(self._paths.unsettled):
                if name != BRIDGES and name not in container_ids:
                    self.done(name)

    def begin(self, what: str) -> None:
        self.attend()  # first: a file that nobody reads would stay if we died before there is somebody
        try:
            # Small files in the kernel's memory: they do not block.
            self._paths.unsettled.mkdir(mode=0o700, exist_ok=True)
            os.close(os.open(self._paths.unsettled / what, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            log.warn("nobody would finish for us what is begun now: {error}", error=error)

    def attend(self) -> None:
        try:
            self._see_that_it_lives()
        except (OSError, HostError) as error:
            log.warn("nobody would go on for us: {error}", error=error)

    def done(self, what: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._paths.unsettled / what)

    def _see_that_it_lives(self) -> None:
        if self._child is not None and self._child.code is None:
            return
        try:
            fifo = os.open(self._paths.guard, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.ENOENT):
                raise
            self._start()
            return
        try:
            if not self._told:
                os.write(fifo, b"\0")
                self._told = True
        finally:
            os.close(fifo)

    def _start(self) -> None:
        program = self._paths.guard_program
        child = self._child = self._programs.start([str(program), str(self._paths.root), str(self._paths.runroot)])
        if self._cgroups.hierarchies:
            Deferred.fromCoroutine(self._threads.run(self._place, child.pid)).addErrback(
                lambda failure: log.info("the guard stays in our cgroup: {why}", why=failure.getErrorMessage())
            )

    def _place(self, pid: int) -> None:
        self._cgroups.create(LEAF)
        self._cgroups.move(LEAF, pid)
