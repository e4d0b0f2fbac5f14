"""The first step of every shutdown: stop accepting, answer who is there, and see everybody out in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from apiserver.daemon.connections import Connections
from apiserver.daemon.notify import Notifier

log = Logger()

TICK = 1.0  # seconds between two messages to systemd
EXTENSION = 5.0  # seconds that each of them asks for


class Leaving(Protocol):
    """What the drain needs of a listener: `Listener` has it."""

    def stop(self) -> None: ...


class Drain:
    """Sees the connections out: the deadline, or somebody who asks a second time, cuts off the rest."""

    def __init__(
        self,
        listeners: Sequence[Leaving],
        connections: Connections,
        notifier: Notifier,
        clock: IReactorTime,
        *,
        limit: float,
        hurried: Callable[[], Deferred[None]],
    ) -> None:
        """
        Args:
            limit: seconds for requests under way.
            hurried: fires when nobody wants to wait any longer.
        """
        self._listeners = listeners
        self._connections = connections
        self._notifier = notifier
        self._clock = clock
        self._limit = limit
        self._hurried = hurried
        self._ticking: IDelayedCall | None = None

    async def run(self) -> None:
        self._notifier.stopping()
        for listener in self._listeners:
            listener.stop()
        self._connections.leave()
        if not self._connections.tracker.active:
            return
        log.info("waiting up to {limit} s for {counts}", limit=self._limit, counts=self._connections.tracker.counts())
        self._tick()
        try:
            await self._everybody_left()
        finally:
            if self._ticking is not None:
                self._ticking.cancel()
        if self._connections.tracker.active:
            log.warn("cut off at the deadline: {counts}", counts=self._connections.tracker.counts())
            self._connections.abort()

    async def _everybody_left(self) -> None:
        deadline: Deferred[None] = Deferred()
        timer = self._clock.callLater(self._limit, deadline.callback, None)
        waits = (self._connections.tracker.no_connection(), self._hurried(), deadline)
        await _first_of(waits)
        if timer.active():
            timer.cancel()

    def _tick(self) -> None:
        self._notifier.extend(EXTENSION)
        self._notifier.status(f"leaving; {self._connections.tracker.counts()}")
        self._ticking = self._clock.callLater(TICK, self._tick)


async def _first_of(waits: Iterable[Deferred[None]]) -> None:
    """Wait for one; the others are cancelled."""
    pending = list(waits)
    await DeferredList(pending, fireOnOneCallback=True, consumeErrors=True)
    for wait in pending:
        wait.cancel()
