"""Recorded output in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from apiserver.engine.ports.logs import LogRecord


class FakeLogs:
    """
    Attributes:
        clock: whose `seconds()` is the time of day; without one, `until` ends no follower.
        open: logs that somebody asked for and has not closed.
    """

    def __init__(self, clock: IReactorTime | None = None) -> None:
        self.clock = clock
        self.records: dict[str, list[LogRecord]] = {}
        self.open = 0
        self._followers: dict[str, list[Deferred[None]]] = {}
        self._ends: dict[str, int] = {}

    def put(self, container_id: str, *records: LogRecord) -> None:
        self.records.setdefault(container_id, []).extend(records)
        self._wake(container_id)

    def read(
        self,
        container_id: str,
        *,
        tail: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        follow: bool = False,
    ) -> AsyncGenerator[list[LogRecord], None]:
        # From here on, as the real one's followers: what is never read from is never closed either.
        self.open += 1
        return self._read(container_id, tail, since, until, follow)

    async def _read(
        self, container_id: str, tail: int | None, since: datetime | None, until: datetime | None, follow: bool
    ) -> AsyncGenerator[list[LogRecord], None]:
        timer = None
        if follow and until is not None and self.clock is not None:
            seconds = max(0.0, until.timestamp() - self.clock.seconds())
            timer = self.clock.callLater(seconds, self._wake, container_id)
        try:
            ends = self._ends.get(container_id, 0)
            there = self.records.get(container_id, [])
            position = max(0, len(there) - tail) if tail is not None else 0
            limit = None if follow else len(there)
            while True:
                there = self.records.get(container_id, [])[:limit]
                records = [
                    record
                    for record in there[position:]
                    if (since is None or record.time >= since) and (until is None or record.time <= until)
                ]
                position = max(position, len(there))
                if records:
                    yield records
                if not follow or self._ends.get(container_id, 0) > ends or (timer is not None and not timer.active()):
                    return
                waiter: Deferred[None] = Deferred()
                self._followers.setdefault(container_id, []).append(waiter)
                await waiter
        finally:
            self.open -= 1
            if timer is not None and timer.active():
                timer.cancel()

    def ended(self, container_id: str) -> None:
        self._ends[container_id] = self._ends.get(container_id, 0) + 1
        self._wake(container_id)

    def _wake(self, container_id: str) -> None:
        for waiter in self._followers.pop(container_id, []):
            if not waiter.called:
                waiter.callback(None)
