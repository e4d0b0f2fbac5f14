"""Locks on objects, one for each: awaited, with a limit, and visible.

Whoever takes several takes them in the order of `Rank`, and within a rank by name. A lock is never held while waiting
for a client, for the end of a process or for a stop time-out: note what is intended in the state, let go, wait, take
it again and look again. Reading and listing take none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import IntEnum

from msgspec import Struct, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from apiserver.errors import LockTimeout

LIMIT = 60.0
"""Seconds that anybody waits for a lock."""


class Rank(IntEnum):
    """In which order locks are taken."""

    NAMES = 0
    POD = 1
    CONTAINER = 2
    VOLUME = 3
    NETWORK = 4
    IMAGE = 5


class Held(Struct, frozen=True):
    """A lock in use, for who wants to see why something waits.

    Attributes:
        since: in the clock's seconds.
        waiting: how many wait for it.
    """

    rank: Rank
    name: str
    purpose: str
    since: float
    waiting: int


class _Lock(Struct):
    purpose: str
    since: float
    waiting: deque[tuple[Deferred[None], str]] = field(default_factory=deque)


class Locks:
    """All locks of one engine.

    Args:
        limit: seconds that anybody waits for one.
    """

    def __init__(self, clock: IReactorTime, limit: float = LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._locks: dict[tuple[Rank, str], _Lock] = {}
        self._until_quiet: list[Deferred[None]] = []

    def names(self, purpose: str = "") -> AbstractAsyncContextManager[None]:
        """The registry of container names."""
        return self.hold(Rank.NAMES, "", purpose)

    def container(self, container_id: str, purpose: str = "") -> AbstractAsyncContextManager[None]:
        return self.hold(Rank.CONTAINER, container_id, purpose)

    def volume(self, name: str, purpose: str = "") -> AbstractAsyncContextManager[None]:
        return self.hold(Rank.VOLUME, name, purpose)

    def network(self, name: str, purpose: str = "") -> AbstractAsyncContextManager[None]:
        return self.hold(Rank.NETWORK, name, purpose)

    def image(self, image_id: str, purpose: str = "") -> AbstractAsyncContextManager[None]:
        """The use of an image: whoever makes a container of it, or removes it."""
        return self.hold(Rank.IMAGE, image_id, purpose)

    @asynccontextmanager
    async def hold(self, rank: Rank, name: str, purpose: str = "") -> AsyncGenerator[None, None]:
        """Hold one lock; who waits first gets it first.

        Raises:
            LockTimeout: it stayed taken for the whole limit; the error says by what.
        """
        key = (rank, name)
        await self._acquire(key, purpose)
        try:
            yield
        finally:
            self._release(key)

    def held(self) -> tuple[Held, ...]:
        """What is locked now."""
        return tuple(
            Held(rank, name, lock.purpose, lock.since, len(lock.waiting)) for (rank, name), lock in self._locks.items()
        )

    async def quiet(self, limit: float) -> bool:
        """Wait until nothing is locked: every change that had begun has ended.

        False if that takes longer than `limit` seconds.
        """
        if not self._locks:
            return True
        waiter: Deferred[None] = Deferred()
        self._until_quiet.append(waiter)
        try:
            await waiter.addTimeout(limit, self._clock)
        except TimeoutError:
            self._until_quiet.remove(waiter)
            return False
        return True

    async def _acquire(self, key: tuple[Rank, str], purpose: str) -> None:
        lock = self._locks.get(key)
        if lock is None:
            self._locks[key] = _Lock(purpose, self._clock.seconds())
            return
        turn: Deferred[None] = Deferred()
        place = (turn, purpose)
        lock.waiting.append(place)
        alarm = self._clock.callLater(self._limit, turn.cancel)
        try:
            await turn
        except CancelledError:
            if place in lock.waiting:
                lock.waiting.remove(place)
            if alarm.active():
                raise  # the waiter itself was cancelled, by a client that left
            rank, name = key
            what = f"{rank.name.lower()} {name[:12]}".strip()
            raise LockTimeout(
                f"{what} is locked ({lock.purpose or 'in use'}) for more than {self._limit:g} s"
            ) from None
        finally:
            if alarm.active():
                alarm.cancel()

    def _release(self, key: tuple[Rank, str]) -> None:
        lock = self._locks[key]
        if not lock.waiting:
            del self._locks[key]
            if not self._locks:
                waiters, self._until_quiet = self._until_quiet, []
                for waiter in waiters:
                    waiter.callback(None)
            return
        turn, lock.purpose = lock.waiting.popleft()
        lock.since = self._clock.seconds()
        turn.callback(None)
