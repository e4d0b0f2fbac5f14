"""The lock on the root: one daemon owns it, and whoever finds it taken is told by whom."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from apiserver.errors import HostError

log = Logger()

RETRY_SECONDS = 0.05


class RootTaken(HostError):
    cause = "root is in use"


class RootLock:
    """An flock on `ROOT/lock`, which holds the owner's PID as text.

    The descriptor is close-on-exec, so that no child keeps the lock after our death.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "lock"
        self._descriptor = -1

    def try_acquire(self) -> bool:
        if self._descriptor >= 0:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    async def acquire(self, clock: IReactorTime, limit: float) -> None:
        """Wait for the lock, `limit` seconds at most; the log says for whom.

        Raises:
            RootTaken: names the holder's PID.
        """
        deadline = clock.seconds() + limit
        said = False
        while not self.try_acquire():
            if not said:
                log.info(
                    "waiting for PID {holder}, which uses {root}: {limit:g} s at most",
                    holder=self.holder(),
                    root=self._path.parent,
                    limit=limit,
                )
                said = True
            if clock.seconds() >= deadline:
                raise RootTaken(f"{self._path.parent} is used by another apiserver with PID {self.holder()}")
            await deferLater(clock, RETRY_SECONDS)

    def holder(self) -> str:
        """The owner's PID as it wrote it; `unknown` where it has not yet."""
        try:
            return self._path.read_text().strip() or "unknown"
        except FileNotFoundError:
            return "unknown"

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
