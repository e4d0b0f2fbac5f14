"""Deferreds as this project uses them: work that is not cut off, and time limits."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredLock, FirstError, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from apiserver.errors import LockTimeout

T = TypeVar("T")
U = TypeVar("U")


def to_the_end(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Run `work` to its end even if the caller, who waits for the answer, is cancelled.

    A handler is cancelled when its client hangs up: right for reads, but a change of state that has begun
    must end as a whole. The caller's own Deferred is cancelled; `work` goes on, and its late failure is logged
    by Twisted as an unhandled error.
    """
    running = Deferred.fromCoroutine(work)
    waiter: Deferred[T] = Deferred()

    def pass_on(result: T | Failure) -> object:
        if waiter.called:
            return result if isinstance(result, Failure) else None
        waiter.callback(result) if not isinstance(result, Failure) else waiter.errback(result)
        return None

    running.addBoth(pass_on)
    return waiter


async def cancelled_after(work: Awaitable[T]) -> T:
    """What `work` answers. Who is cancelled meanwhile is so once it has ended: for threads, which go on in any case.

    Raises:
        what `work` raises, unless the caller was cancelled.
    """
    ended: list[T | Failure] = []
    waiter: Deferred[None] = Deferred()

    async def run() -> T:
        return await work

    def end(result: T | Failure) -> None:
        ended.append(result)
        if not waiter.called:
            waiter.callback(None)

    Deferred.fromCoroutine(run()).addBoth(end)
    cancelled: CancelledError | None = None
    while not ended:
        try:
            await waiter
        except CancelledError as error:
            cancelled, waiter = error, Deferred()
    if cancelled is not None:
        raise cancelled
    (result,) = ended
    if isinstance(result, Failure):
        result.raiseException()
    return result


async def side_by_side(first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """What both answer. Both run to their end, also where one fails: what is undone then is undone after both.

    Raises:
        what the first one raised, else what the second one did.
    """
    both: list[Deferred[Any]] = [Deferred.fromCoroutine(first), Deferred.fromCoroutine(second)]
    done: Any = await DeferredList(both, consumeErrors=True)
    for _, result in done:
        if isinstance(result, Failure):
            result.raiseException()
    (_, one), (_, other) = done
    return one, other


async def first_of(*waiting: Deferred[T]) -> T:
    """What the first of them fires with; the others are cancelled, all of them with the caller."""
    first = DeferredList(waiting, fireOnOneCallback=True, fireOnOneErrback=True, consumeErrors=True)
    try:
        result: T = (await first)[0]
    except FirstError as error:
        reason: Failure = error.subFailure
        reason.raiseException()
    finally:
        for each in waiting:
            each.cancel()
    return result


async def awaited(value: Awaitable[T] | T) -> T:
    """The value itself, or what it becomes if it can be awaited: for callers of sync and async functions."""
    if isinstance(value, Awaitable):
        return await value
    return value


class TimedLock:
    """One holder at a time, first come first served, and nobody waits for longer than the limit.

    Used as `async with lock:`; an async lock for one thread.
    """

    def __init__(self, what: str, clock: IReactorTime, limit: float = 60.0) -> None:
        """
        Args:
            what: is locked: the subject of the error.
            limit: seconds that one may wait.
        """
        self._what = what
        self._clock = clock
        self._limit = limit
        self._lock = DeferredLock()

    @property
    def waiting(self) -> int:
        return len(self._lock.waiting)

    async def __aenter__(self) -> None:
        """
        Raises:
            LockTimeout
        """
        try:
            await self._lock.acquire().addTimeout(self._limit, self._clock)
        except TimeoutError:
            raise LockTimeout(self._what) from None

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class SharedLock:
    """Some at once, or one alone: first come first served, and nobody waits for longer than the limit.

    Used as `async with lock.shared():` and `async with lock.alone():`; an async lock for one thread.
    """

    def __init__(self, what: str, clock: IReactorTime, limit: float = 60.0, at_once: int = 8) -> None:
        """
        Args:
            what: is locked: the subject of the error.
            limit: seconds that one may wait.
            at_once: how many may share it.
        """
        self._what = what
        self._clock = clock
        self._limit = limit
        self._places = self._free = at_once
        self._waiting: deque[tuple[int, Deferred[None]]] = deque()

    @asynccontextmanager
    async def shared(self) -> AsyncGenerator[None, None]:
        """
        Raises:
            LockTimeout
        """
        async with self._taken(1):
            yield

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None, None]:
        """
        Raises:
            LockTimeout
        """
        async with self._taken(self._places):
            yield

    @asynccontextmanager
    async def _taken(self, places: int) -> AsyncGenerator[None, None]:
        def leave(_: Deferred[None]) -> None:
            self._waiting.remove(entry)
            self._admit()  # one that wanted more places may have stood before others

        entry: tuple[int, Deferred[None]] = (places, Deferred(leave))
        self._waiting.append(entry)
        self._admit()
        try:
            await entry[1].addTimeout(self._limit, self._clock)
        except TimeoutError:
            raise LockTimeout(self._what) from None
        try:
            yield
        finally:
            self._free += places
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            places, waiter = self._waiting.popleft()
            self._free -= places
            waiter.callback(None)
