"""Owning the root: its directories and the lock on it, before anything reads or writes the state."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from apiserver.local.paths import Paths
from apiserver.local.records.lock import RootLock

LOCK_LIMIT = 10.0  # seconds that a starting daemon waits for an `apiserver reconcile` to end


class OwnedRoot:
    """An engine with no containers: what the real one begins with, and ends with."""

    def __init__(self, paths: Paths, clock: IReactorTime) -> None:
        self._paths = paths
        self._clock = clock
        self._lock = RootLock(paths.root)

    async def start(self) -> None:
        """
        Raises:
            RootTaken: names who holds it.
        """
        self._paths.prepare()
        await self._lock.acquire(self._clock, LOCK_LIMIT)

    async def stop(self) -> None:
        self._lock.release()
