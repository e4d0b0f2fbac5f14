"""The idle tracker: who is connected, what goes on in the background, and for how long nobody needed us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

log = Logger()


class Tracked(Protocol):
    """What the tracker knows of a connection: nothing but that it is one object from its begin to its end."""


class IdleTracker:
    """Counts connections and background work, and says when there was neither for the whole window.

    Attributes:
        total: connections since the start.
        background: pieces of background work under way.
        changed: called after each change of a count, where set.
    """

    def __init__(self, clock: IReactorTime, window: float, expired: Callable[[], None]) -> None:
        """
        Args:
            window: seconds without connection or work after which `expired` is called; 0 = never.
            expired: may decide to serve on: then another window begins.
        """
        self._clock = clock
        self._window = window
        self._expired = expired
        self._running = False
        self._timer: IDelayedCall | None = None
        self._open: set[Tracked] = set()
        self._hijacked: set[Tracked] = set()
        self._waiters: list[Deferred[None]] = []
        self._work_waiters: list[Deferred[None]] = []
        self.total = 0
        self.background = 0
        self.changed: Callable[[], None] | None = None

    @property
    def active(self) -> int:
        """Connections that are open now, hijacked ones too."""
        return len(self._open)

    @property
    def hijacked(self) -> int:
        return len(self._hijacked)

    @property
    def idle(self) -> bool:
        return not self._open and not self.background

    def counts(self) -> str:
        return (
            f"{self.active} connections ({self.hijacked} hijacked), "
            f"{self.background} background tasks, {self.total} connections in total"
        )

    def start(self) -> None:
        """Begin to count idle time: we serve."""
        self._running = True
        self._look()

    def stop(self) -> None:
        """Never call `expired` again; go on counting."""
        self._running = False
        self._look()

    def opened(self, connection: Tracked) -> None:
        self.total += 1
        self._open.add(connection)
        self._look()

    def became_hijacked(self, connection: Tracked) -> None:
        self._hijacked.add(connection)
        self._look()

    def closed(self, connection: Tracked) -> None:
        """Both ends are done."""
        self._open.discard(connection)
        self._hijacked.discard(connection)
        self._look()

    @contextmanager
    def hold(self, what: str) -> Iterator[None]:
        """Background work, which keeps the service from leaving while it is in this context."""
        self.background += 1
        self._look()
        log.debug("idle exit waits for {what}", what=what)
        try:
            yield
        finally:
            self.background -= 1
            self._look()

    def no_connection(self) -> Deferred[None]:
        """Fires as soon as no connection is open; can be cancelled."""
        waiter: Deferred[None] = Deferred(self._waiters.remove)
        self._waiters.append(waiter)
        self._look()
        return waiter

    def no_work(self) -> Deferred[None]:
        """Fires as soon as nothing goes on in the background; can be cancelled."""
        waiter: Deferred[None] = Deferred(self._work_waiters.remove)
        self._work_waiters.append(waiter)
        self._look()
        return waiter

    def _look(self) -> None:
        if self.changed is not None:
            self.changed()
        if not self.background:
            waiters, self._work_waiters = self._work_waiters, []
            for waiter in waiters:
                waiter.callback(None)
        if not self._open:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.callback(None)
        wanted = self._running and self._window > 0 and self.idle
        if wanted and self._timer is None:
            self._timer = self._clock.callLater(self._window, self._fire)
        elif not wanted and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._expired()
        self._look()
