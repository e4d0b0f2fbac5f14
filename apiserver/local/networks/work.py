"""Work that an end cuts short, and that may be given so many seconds."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from apiserver.errors import HostError

T = TypeVar("T")


class Work:
    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._under_way: set[Deferred[Any]] = set()
        self._ended = False

    def begin(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        """
        Raises:
            HostError: it has ended.
        """
        if self._ended:
            work.close()
            raise HostError("the service ends")
        running = Deferred.fromCoroutine(work)
        self._under_way.add(running)

        def over(result: T | Failure) -> T | Failure:
            self._under_way.discard(running)
            return result

        running.addBoth(over)
        return running

    async def within(self, seconds: float, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Do it in so many seconds; what it is in the middle of is killed then.

        Raises:
            HostError: it took longer, or all has ended.
        """
        try:
            await self.begin(work).addTimeout(seconds, self._reactor)
        except TimeoutError:
            raise HostError(f"{what} took longer than {seconds:g} s") from None

    def end(self) -> None:
        """Cancel what is under way, else its netavark outlives us, and is at work beside that of who finishes it.

        Nothing begins any more.
        """
        self._ended = True
        for work in list(self._under_way):
            work.cancel()
