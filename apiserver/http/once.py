"""Something that happens once, and for which any number of coroutines may wait."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Once:
    """Each waiter has a Deferred of its own: one that is cancelled takes no other along."""

    def __init__(self) -> None:
        self.happened = False
        self._waiters: list[Deferred[None]] = []

    def wait(self) -> Deferred[None]:
        waiter: Deferred[None] = Deferred(self._forget)
        if self.happened:
            waiter.callback(None)
        else:
            self._waiters.append(waiter)
        return waiter

    def fire(self) -> None:
        self.happened = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _forget(self, waiter: Deferred[None]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
